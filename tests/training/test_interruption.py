"""Ctrl-C in a training, with a real process and a real signal."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import yaml
from tests.helpers.clips import TINY
from tests.helpers.commands import run

from muybridge import api
from muybridge.errors import Interrupted, UserError


@pytest.fixture
def training(clips, tmp_path):
    """Starts trainings that would take hours, and ends them with the test."""
    recipe = tmp_path / "long.yaml"
    recipe.write_text(yaml.safe_dump({**TINY, "training": {**TINY["training"], "epochs": 5000, "patience": 0}}))
    started = []

    def start(*, fits_for_ever: bool = False) -> subprocess.Popen:
        code = "from muybridge.__main__ import main; main()"
        if fits_for_ever:  # an epoch that does not end, in the real loop
            code = f"import time; from muybridge.training import module as m; {SLOW_STEP}; {code}"
        command = [sys.executable, "-c", code, "train", str(clips), "--recipe", str(recipe), "--run", "run"]
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


SLOW_STEP = "m.RecognizerModule.training_step = lambda *_: (print('in the step', flush=True), time.sleep(600))"


def wait_for(process: subprocess.Popen, pattern: str) -> str:
    """Read standard error up to a line that matches."""
    seen = ""
    while not re.search(pattern, seen):
        line = process.stderr.readline()
        assert line, f"ended before {pattern}: {seen}"
        seen += line
    return seen


def test_ctrl_c_leaves_a_usable_model_and_resume_replaces_it(training, clips, tmp_path, monkeypatch, capsys):
    process = training()
    wait_for(process, r"epoch +3/5000")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "There is a model to use, of an interrupted training: epoch" in " ".join(err.split())
    assert "muybridge predict run VIDEO" in err
    assert "muybridge train --resume run" in err

    monkeypatch.chdir(tmp_path)
    saved = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert re.fullmatch(
        r"of an interrupted training: epoch \d+, the best of \d+; 5000 were asked for", saved["unfinished"]
    )
    video = next((clips / "dim").iterdir())
    code, out, err = run("predict", "run", video, capsys=capsys)
    assert code == 0
    assert re.search(r"(dim|bright), [01]\.\d\d", out)
    assert "note: run is of an interrupted training" in err
    code, out, _ = run("evaluate", "run", capsys=capsys)
    assert code == 0
    assert "of an interrupted training" in out
    with pytest.raises(UserError, match=r"interrupted training.*--resume"):
        api.report(["run"])

    # Resumed, with few epochs left to do, it ends as a model like any other.
    last = int(re.search(r"the best of (\d+)", saved["unfinished"])[1])
    recipe = tmp_path / "run" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 5000", f"epochs: {last + 1}"))
    result = api.resume("run")
    assert len(result.rows) == last + 1
    assert "unfinished" not in json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert result.evaluation is not None


def test_before_the_first_epoch_is_finished_there_is_no_model(training, tmp_path):
    process = training(fits_for_ever=True)
    assert process.stdout.readline() == "in the step\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "No epoch was finished, so there is no model yet." in " ".join(err.split())
    assert "muybridge predict" not in err
    assert "muybridge train --resume run" in err
    assert not (tmp_path / "run" / "model").exists()


def test_a_second_ctrl_c_stops_at_once(clips, tmp_path, monkeypatch):
    """The second one comes while the first is answered: nothing more is saved then."""
    code = (
        "import time; from muybridge.training.callbacks import EpochLines; from muybridge.__main__ import main; "
        "EpochLines.on_exception = lambda *_: (print('stopping', flush=True), time.sleep(600)); main()"
    )
    recipe = tmp_path / "long.yaml"
    recipe.write_text(yaml.safe_dump({**TINY, "training": {**TINY["training"], "epochs": 5000, "patience": 0}}))
    command = [sys.executable, "-c", code, "train", str(clips), "--recipe", str(recipe), "--run", "run"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        wait_for(process, r"epoch +2/5000")
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopping\n"
        pressed = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=200)
        assert time.monotonic() - pressed < 100
        assert process.returncode == 130
        assert "Traceback" not in err
        assert not (tmp_path / "run" / "model").exists()
        assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()
    finally:
        process.kill()


def test_in_python_the_handler_of_ctrl_c_is_as_before(clips, tmp_path):
    from tests.helpers.clips import tiny_recipe

    before = signal.getsignal(signal.SIGINT)
    from tests.helpers.experiments import fit_run

    def press(rows):
        if len(rows) == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
        return False

    with pytest.raises(Interrupted) as stopped:
        fit_run(clips, tiny_recipe(), run=tmp_path / "run", stop_early=press)
    assert not stopped.value.at_once
    assert stopped.value.folder == tmp_path / "run"
    assert signal.getsignal(signal.SIGINT) is before
