"""Every verb ends with the next command to type, next to its result and never in it."""

import json
import shlex

import pytest

from tests.helpers.commands import run

COMMANDS = {
    "check": ["check", "{clips}", "--out", "{out}", "--workers", "1"],
    "predict": ["predict", "{run}", "{clips}/dim"],
    "evaluate": ["evaluate", "{run}", "--out", "{out}"],
    "report": ["report", "{run}", "--out", "{out}/page.html"],
    "runs": ["runs", "{run}"],
}
NEXT = {
    "check": ["muybridge", "train", "{clips}"],
    "predict": ["muybridge", "evaluate", "{run}", "CLIPS"],
    "evaluate": ["muybridge", "predict", "{run}", "VIDEO"],
    "report": ["open", "file://{out}/page.html", "in", "a", "browser"],
    "runs": ["muybridge", "report", "{run}"],
}


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_next_command(verb, tiny_run, clips, tmp_path, capsys):
    words = {"run": tiny_run, "clips": clips, "out": tmp_path}
    command = [word.format(**words) for word in COMMANDS[verb]]
    code, out, err = run(*command, capsys=capsys)
    assert code == 0
    assert "next:" not in out
    assert shlex.split(err.partition("next: ")[2]) == [word.format(**words) for word in NEXT[verb]]
    code, out, err = run(*command, "--json", capsys=capsys)
    assert code == 0
    assert json.loads(out)
    assert "next:" not in err
