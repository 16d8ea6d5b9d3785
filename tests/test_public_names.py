"""The door: one list of names, found late, and nothing else."""

import ast
import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import muybridge
from muybridge import api

VERBS = [
    "check",
    "demo",
    "ensemble",
    "evaluate",
    "export",
    "get",
    "load",
    "load_recipe",
    "predict",
    "profile",
    "report",
    "resume",
    "sweep",
    "train",
]
READERS = ["read_frames", "read_views"]
RESULTS = "Check Demo Ensemble Export Get Sweep Train"
VALUES = "Evaluation Interrupted NotSavedError Prediction Recipe UserError VideoError VideoFrames Views"
SAMPLERS = "UniformSampler EverySampler DenseSampler SlidingSampler"


def test_dir_lists_every_name_and_each_is_there():
    names = dir(muybridge)
    assert names == sorted([*api.__all__, "__version__"])
    assert {
        *VERBS,
        *READERS,
        *(f"{name}Result" for name in RESULTS.split()),
        *VALUES.split(),
        *SAMPLERS.split(),
    } <= set(names)
    for name in names:
        assert getattr(muybridge, name) is not None
    assert muybridge.__version__ == version("muybridge")


def test_each_function_and_class_is_what_it_says_and_documented():
    for name in api.__all__:
        found = getattr(muybridge, name)
        assert found.__name__ == name
        assert inspect.getdoc(found)


def test_the_sections_of_a_recipe_are_public():
    recipe = muybridge.Recipe()
    for section in ("data", "sampler", "augment", "model", "training", "cache"):
        kind = type(getattr(recipe, section))
        assert getattr(muybridge, kind.__name__) is kind


def test_a_verb_takes_words_not_positions():
    """Besides what a verb works on and with, every argument is named."""
    for name in [*VERBS, *READERS]:
        parameters = inspect.signature(getattr(muybridge, name)).parameters.values()
        positional = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
        assert len(positional) <= 2, name


@pytest.mark.parametrize("module", [muybridge, api])
def test_another_name_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match="trian"):
        _ = module.trian


def test_an_unknown_name_is_answered_with_the_right_one():
    code = "import muybridge; muybridge.evalute"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Did you mean: 'evaluate'?" in found.stderr


def test_what_the_command_line_needs_does_not_pass_the_door():
    for name in api._FOR_THE_COMMAND_LINE:
        assert getattr(api, name) is not None
        assert not hasattr(muybridge, name)


def test_a_star_import_brings_the_door():
    names: dict[str, object] = {}
    exec("from muybridge import *", names)
    assert {*api.__all__, "__version__"} <= names.keys()


def test_the_list_is_written_once():
    """Every import of the door is public under its own name, so that type checkers see what the interpreter sees."""
    tree = ast.parse(Path(api.__file__).read_text(encoding="utf-8"))
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module.startswith("muybridge.")]
    names = [alias.name for node in imports for alias in node.names]
    assert [alias.asname for node in imports for alias in node.names] == names
    assert len(set(names)) == len(names)
    assert {*api.__all__, *api._FOR_THE_COMMAND_LINE} == set(names)


def test_without_sources_the_error_says_so(monkeypatch):
    class Compiled:
        def get_source(self, name: str) -> None:
            return None

    monkeypatch.setattr(api.__spec__, "loader", Compiled())
    with pytest.raises(ImportError, match="sources, which are missing"):
        api._homes()
