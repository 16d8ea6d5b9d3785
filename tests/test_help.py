"""The help: what fits one screen, what is behind --help-all, and that nothing is left without a word."""

import dataclasses
import re
import subprocess

import pytest

from muybridge import cli, help_screen
from muybridge.recipes.commented import field_texts
from muybridge.recipes.recipe import Recipe
from tests.helpers.commands import run

HOLDS = ("data", "sampler", "augment", "model", "training", "cache")
"""The sections of a recipe."""

VERBS = help_screen.verbs(cli.app)


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def shown(*arguments, capsys) -> list[str]:
    code, out, err = run(*arguments, capsys=capsys)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def options(lines: list[str]) -> list[str]:
    """The first word of every row."""
    return [match[1] for line in lines if (match := re.match(r"  ([A-Z]+|--[^ ,]+)(?=[ ,]|$)", line))]


def test_without_a_verb_every_verb_is_listed_in_the_order_in_which_one_meets_them(capsys):
    lines = shown("--help", capsys=capsys)
    assert lines == shown(capsys=capsys)
    assert len(lines) <= 60
    listed = [match[1] for line in lines if (match := re.match(r"  ([a-z]+)  ", line))]
    assert sorted(listed) == sorted(VERBS)
    assert [verb for verb in listed if verb in help_screen.ORDER] == list(help_screen.ORDER)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_fits_a_screen_and_shows_an_example(verb, capsys):
    lines = shown(verb, "--help", capsys=capsys)
    assert len(lines) <= (45 if verb == "train" else 60)
    assert lines == shown(verb, "-h", capsys=capsys)
    assert lines[0].startswith(f"Usage: muybridge {verb} ")
    assert f"muybridge {verb}" in lines[lines.index("Example:") + 1]


def test_what_training_shows_first(capsys):
    lines = shown("train", "--help", capsys=capsys)
    wanted = ["CLIPS", "--recipe", "--protocol", "--folds", "--frames", "--size-px", "--encoder", "--head", "--epochs"]
    wanted += ["--learning-rate", "--device", "--name", "--resume", "--from", "--learning-curve", "--json"]
    known = {name for argument in cli.app["train"].assemble_argument_collection() for name in argument.names}
    assert options(lines) == [name for name in wanted if name in known or name == "CLIPS"]
    assert lines[-1].endswith("muybridge train --help-all")


@pytest.mark.parametrize("verb", ["train", "sweep"])
def test_everything_is_shown_by_section_in_the_order_in_which_a_clip_meets_it(verb, capsys):
    lines = shown(verb, "--help-all", capsys=capsys)
    headings = [line.rstrip(":") for line in lines if re.fullmatch(r"[A-Z][a-z]+:", line)]
    assert headings == ["Example", "Options", *help_screen.SECTIONS]
    text = "\n".join(lines)
    for section in dataclasses.fields(Recipe):
        for option in dataclasses.fields(section.default_factory) if section.name in HOLDS else ():
            name = rf"--{section.name}\.(\[no-\])?{option.name.replace('_', '-')}"
            assert re.search(rf"{name}(?=[ \n])", text), name


@pytest.mark.parametrize("verb", VERBS)
def test_no_option_goes_without_a_word(verb):
    for argument in cli.app[verb].assemble_argument_collection(parse_docstring=True):
        if argument.show:
            assert argument.parameter.help, argument.name


@pytest.mark.parametrize("verb", VERBS)
def test_no_default_is_shown_as_python_writes_it(verb, capsys):
    shown_defaults = re.findall(r" (\[[^\]]*\]+)$", "\n".join(shown(verb, "--help-all", capsys=capsys)), re.MULTILINE)
    assert not [default for default in shown_defaults if re.search(r"None|[\[({'\"].*[\[({'\"]", default)]


def test_every_field_of_a_recipe_has_a_text_whose_first_sentence_is_short():
    sections = [Recipe, *(field.default_factory for field in dataclasses.fields(Recipe) if field.name in HOLDS)]
    for section in sections:
        names = {field.name for field in dataclasses.fields(section)} - set(HOLDS)
        assert set(field_texts(section)) == names


def test_long_options_have_the_short_names_of_the_screen():
    short = ["--protocol", "--test-groups", "--frames", "--encoder", "--head", "--epochs", "--batch-size"]
    short += ["--learning-rate"]
    names = [argument.names for argument in cli.app["train"].assemble_argument_collection()]
    for name in short:
        (found,) = (each for each in names if name in each)
        assert any("." in other for other in found)


def test_bash_completes_with_the_script(tmp_path, capsys):
    code, script, _ = run("completion", "bash", capsys=capsys)
    assert code == 0
    (tmp_path / "muybridge.bash").write_text(script)
    asks = """
        source "$1"; shift
        complete -p muybridge > /dev/null || exit 1
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
        _muybridge
        printf '%s\\n' "${COMPREPLY[@]}"
    """

    def completed(*words: str) -> list[str]:
        command = ["bash", "-c", asks, "bash", str(tmp_path / "muybridge.bash"), "muybridge", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert completed("tr") == ["train"]
    assert completed("train", "clips", "--learning-r") == ["--learning-rate"]
    assert completed("train", "clips", "--head", "be") == ["bert"]
    assert completed("export", "run", "--to", "o") == ["onnx", "openvino"]


@pytest.mark.parametrize(("shell", "start"), [("zsh", "#compdef muybridge"), ("fish", "# Fish completion")])
def test_other_shells_have_a_script(shell, start, capsys):
    code, script, _ = run("completion", shell, capsys=capsys)
    assert code == 0
    assert script.startswith(start)
    assert "learning-rate" in script
