"""Print constraints for an environment at the floors.

These are the pins of constraints.txt, with each dependency of pyproject.toml at its lowest version.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def floors() -> dict[str, str]:
    """The lowest version of each dependency of the core, by its name in lower case."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pairs = (re.match(r"([\w.-]+)>=([\d.]+)", line) for line in project["dependencies"])
    return {pair[1].lower(): pair[2] for pair in pairs if pair}


def pins() -> dict[str, str]:
    """The pins of constraints.txt, by name in lower case."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {name.lower(): version for name, _, version in (line.partition("==") for line in lines if "==" in line)}


if __name__ == "__main__":
    for name, version in (pins() | floors()).items():
        print(f"{name}=={version}")
