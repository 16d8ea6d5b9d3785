"""A process of several is killed: the others end, one line says so, and the training goes on where it was."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from tests.helpers.clips import TINY
from tests.helpers.nightly import NIGHTLY

ROOT = Path(__file__).resolve().parents[2]
EPOCHS = 5
SECONDS_TO_END = 60


def start(folder: Path, *words: object) -> subprocess.Popen:
    variables = {"PYTHONPATH": str(ROOT / "src"), "MUYBRIDGE_CACHE": str(folder / "cache")}
    return subprocess.Popen(
        [sys.executable, "-m", "muybridge", "train", *map(str, words)],
        cwd=folder,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> str:
    """What it says on standard error until it ends well."""
    try:
        _, said = process.communicate(timeout=200)
    finally:
        process.kill()
    assert process.returncode == 0, said
    return said


def rank_process(launcher: subprocess.Popen, rank: int) -> int:
    """The number of the process of a rank."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    return next(
        int(child) for child in children if f"\0RANK={rank}\0" in f"\0{Path(f'/proc/{child}/environ').read_text()}"
    )


def lose(folder: Path, run: str, clips: Path, rank: int) -> tuple[str, float]:
    """Train in two processes and kill one after an epoch; what was said from there on, and the seconds it took."""
    process = start(folder, clips, "--recipe", "recipe.yaml", "--run", run, "--device-count", 2)
    try:
        while "epoch   2/" not in (line := process.stderr.readline()):
            assert line, "it ended before its second epoch"
        os.kill(rank_process(process, rank), signal.SIGKILL)
        began = time.monotonic()
        _, said = process.communicate(timeout=2 * SECONDS_TO_END)
    finally:
        process.kill()
    assert process.returncode == 2
    return said, time.monotonic() - began


@pytest.fixture(scope="module")
def place(clips, tmp_path_factory):
    """A folder with a recipe, and at night a training by two processes that nobody disturbed, ``whole``."""
    folder = tmp_path_factory.mktemp("lost")
    training = {**TINY["training"], "epochs": EPOCHS, "patience": 0}
    (folder / "recipe.yaml").write_text(yaml.safe_dump({**TINY, "training": training}))
    if NIGHTLY:
        finish(start(folder, clips, "--recipe", "recipe.yaml", "--run", "whole", "--device-count", 2))
    return folder


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for the processes in /proc")
@pytest.mark.parametrize("rank", [0, 1] if NIGHTLY else [1])
def test_all_end_with_one_line_and_the_training_goes_on(place, clips, rank):
    run = f"lost-{rank}"
    said, seconds = lose(place, run, clips, rank)
    assert seconds < SECONDS_TO_END
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("epoch")]
    assert lines == [
        f"error: process {rank} of 2 was ended by signal 9, perhaps for want of memory, and with it the others; "
        f"continue with: muybridge train --resume {run}"
    ]
    other = shutil.copytree(place / run, place / f"{run}-alone")
    assert f"epoch {EPOCHS:>3}/{EPOCHS}" in finish(start(place, "--resume", run, "--device-count", 2))
    assert (place / run / "report.html").is_file()
    if not NIGHTLY:
        return
    for name in ("model/model.safetensors", "predictions.csv"):
        assert (place / run / name).read_bytes() == (place / "whole" / name).read_bytes()
    assert f"epoch {EPOCHS:>3}/{EPOCHS}" in finish(start(place, "--resume", other.name))
    assert (other / "report.html").is_file()


def test_other_numbers_than_the_launcher_started_are_refused(clips, tmp_path):
    command = [sys.executable, "-m", "muybridge", "train", str(clips), "--device-count", "3"]
    launched = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
    found = subprocess.run(command, env={**os.environ, **launched}, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 2
    assert "device count is 3, and the launcher started 2 processes on this machine" in found.stderr
