"""What pyproject.toml, constraints.txt and docs/install.md say of one another."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOR_WORK_ON_IT = {"test", "lint", "docs", "dev"}  # tools, not part of what users install; the table leaves them out


def requirements(lines: list[str]) -> list[Requirement]:
    parsed = [Requirement(line) for line in lines]
    return [requirement for requirement in parsed if requirement.name != "muybridge"]


def for_users() -> list[Requirement]:
    extras = [line for name, lines in EXTRAS.items() if name not in FOR_WORK_ON_IT for line in lines]
    return requirements([*PROJECT["dependencies"], *extras])


def floor_of(requirement: Requirement) -> str:
    floors = [part.version for part in requirement.specifier if part.operator == ">="]
    assert len(floors) == 1, f"{requirement} needs one floor"
    return floors[0]


def pins(file_name: str = "constraints.txt") -> dict[str, Version]:
    lines = (ROOT / file_name).read_text(encoding="utf-8").splitlines()
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {
        canonicalize_name(requirement.name): Version(next(iter(requirement.specifier)).version)
        for requirement in parsed
    }


def table() -> dict[str, str]:
    """Package and floor of each row under "Floors"."""
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8").partition("\n## Floors\n")[2]
    return dict(re.findall(r"^\| ([\w.-]+) \| ([\d.]+) \| .{10,} \|$", text, re.MULTILINE))


def test_the_table_of_floors_is_that_of_pyproject():
    assert table() == {requirement.name: floor_of(requirement) for requirement in for_users()}


def pins_for(extra: str) -> dict[str, Version]:
    """The versions that an extra was run with."""
    return pins() | pins("constraints-extras.txt") if extra in ("timm", "transformers") else pins()


@pytest.mark.parametrize("line", sorted({str(requirement) for requirement in for_users()}))
def test_constraints_pin_what_pyproject_allows(line):
    requirement = Requirement(line)
    assert requirement.specifier.contains(pins_for(requirement.name)[canonicalize_name(requirement.name)])


def test_the_environment_of_the_adapters_has_the_other_pins_but_for_torch():
    assert pins().keys() & pins("constraints-extras.txt").keys() == {"torch"}


def test_extras_have_the_floors_that_were_run():
    for name, lines in EXTRAS.items():
        for requirement in requirements(lines):
            if not requirement.name.startswith("types-"):
                assert floor_of(requirement) == str(pins_for(name)[canonicalize_name(requirement.name)]), requirement


def test_the_core_leaves_out_what_only_extras_need():
    core = {requirement.name for requirement in requirements(PROJECT["dependencies"])}
    extras = {requirement.name for lines in EXTRAS.values() for requirement in requirements(lines)}
    assert not core & extras


def test_the_floors_of_ci_are_those_of_the_core():
    command = [sys.executable, str(ROOT / ".ci" / "floors.py")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    versions = dict(line.split("==") for line in printed)
    assert len(versions) == len(printed)
    for requirement in requirements(PROJECT["dependencies"]):
        assert versions[requirement.name.lower()] == floor_of(requirement)


def test_this_python_is_among_the_classified_ones():
    supported = SpecifierSet(PROJECT["requires-python"])
    versions = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
    assert versions and all(supported.contains(version) for version in versions)
    assert "Typing :: Typed" in PROJECT["classifiers"]
    assert (ROOT / "src" / "muybridge" / "py.typed").is_file()
