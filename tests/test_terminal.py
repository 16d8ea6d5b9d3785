"""What is printed is clean, whatever a file or a class is called, and wherever it goes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muybridge.text import original_cell, printable, printable_lines, printable_values, spreadsheet_cell

STEERING = "\x1b\x00\x07\x08\r\x7f\x85\x9b\u2028\u202e\u2066\ufeff"
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


@given(ANY_TEXT)
def test_a_name_is_one_line_of_valid_unicode_that_steers_nothing(name):
    shown = printable(name)
    assert not set(shown) & set(STEERING + "\n\t")
    assert shown.encode().decode() == shown
    assert printable(shown) == shown
    assert len(shown.splitlines()) <= 1


@given(ANY_TEXT)
def test_lines_stay_lines(text):
    shown = printable_lines(text)
    assert not set(shown) & set(STEERING)
    assert shown.count("\n") == text.count("\n")


def test_what_was_clean_stays_as_it_is():
    for name in ("cartwheel, left", "salto\u0301 \u65e5\u672c\u8a9e \U0001f3a5", "a\u200bb", '"quoted"'):
        assert printable(name) == name


@given(ANY_TEXT)
def test_json_holds_no_half_characters(name):
    text = json.dumps(printable_values({name: [name, {"a": name}]}), ensure_ascii=False)
    text.encode()


@given(ANY_TEXT)
def test_a_cell_is_no_formula_and_comes_back(text):
    cell = spreadsheet_cell(text)
    assert original_cell(cell) == text
    try:
        float(cell)
    except ValueError:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def _run(*words: object, **options: object) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([sys.executable, "-m", "muybridge", *map(str, words)], capture_output=True, **options)


def test_an_encoding_that_holds_little_gets_what_it_can_hold(tmp_path: Path):
    clips = tmp_path / "salto\u0301"
    done = _run("check", clips, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=False)
    assert done.returncode == 2
    assert b"salto\\u0301 does not exist" in done.stderr


def test_a_name_cannot_steer_the_terminal(tmp_path: Path):
    for name in ("\x1b[31mred\nsecond line", os.fsdecode(b"caf\xe9")):
        done = _run("check", tmp_path / name, check=False)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert b"\x1b" not in done.stderr
        done.stderr.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_closed_pipe_ends_it_quietly():
    # The reader is gone before anything is written.
    piped = f"set -o pipefail; {sys.executable} -m muybridge train --help-all | true; echo $?"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr
    assert done.stdout.split() == ["141"]


@pytest.mark.parametrize(
    ("variables", "words", "said"),
    [
        ({"NODE_RANK": "1"}, (), "nothing does not exist"),
        ({"RANK": "x", "WORLD_SIZE": "2"}, (), "the variable RANK is 'x'"),
        ({"LOCAL_RANK": ""}, (), "the variable LOCAL_RANK is ''"),
        ({"SLURM_STEP_NUM_TASKS": "2"}, (), "the variable SLURM_PROCID is ''"),
        (
            {"NODE_RANK": "x", "MASTER_ADDR": "a", "MASTER_PORT": "1"},
            ("--node-count", "2"),
            "the variable NODE_RANK is 'x'",
        ),
        ({"NODE_RANK": "0", "MASTER_ADDR": "a", "MASTER_PORT": "q"}, ("--node-count=2",), "MASTER_PORT is 'q'"),
        ({"NODE_RANK": "1"}, ("--node-count=2",), ""),
    ],
)
def test_variables_of_launchers_silence_those_alone_whom_another_speaks_for(variables, words, said, tmp_path):
    found = _run("train", "nothing", *words, cwd=tmp_path, env={**os.environ, **variables}, text=True)
    assert found.returncode == 2
    assert said in found.stderr
    assert found.stderr.count("\n") == bool(said)
