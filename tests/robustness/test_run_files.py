"""Runs of strangers: whatever their files hold, there is an answer or one clear line, in little memory."""

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.helpers.clips import tiny_recipe
from tests.helpers.nightly import cases

from muybridge import api

MOST_BYTES = 1_500_000_000


@pytest.fixture(scope="module")
def runs(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished runs of each kind, next to each other. Not to be changed."""
    folder = tmp_path_factory.mktemp("strangers")
    flags = "--training.epochs", "1", "--model.trainable", "none"
    api.train(clips, tiny_recipe(*flags), run=folder / "trained")
    api.train(clips, tiny_recipe(*flags, "--training.seed", "1"), run=folder / "other")
    api.train(clips, tiny_recipe(*flags, "--model.head", "probe", "--folds", "2", "--refit"), run=folder / "folds")
    api.ensemble([folder / "trained", folder / "other"], run=folder / "ensemble")
    return folder


def test_changed_files_of_a_run_are_told_in_one_line(runs: Path, clips: Path, tmp_path: Path) -> None:
    seeds = cases(6, 500)
    copy = shutil.copytree(runs, tmp_path / "runs")
    video = next(clips.rglob("*.avi"))
    # In a process of its own, whose memory is then these runs' alone.
    command = [sys.executable, "-m", "tests.robustness.try_run_files", copy, video, str(seeds.start), str(seeds.stop)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + 5 * len(seeds), check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    tried, peak_bytes = map(int, done.stdout.split()[-2:])
    assert tried == len(seeds)
    assert peak_bytes < MOST_BYTES


def test_each_seed_changes_something() -> None:
    from tests.helpers.mutations import mutated

    content = {
        ".json": b'{"a": [1, 2]}',
        ".yaml": b"a: [1, 2]\nb: x\n",
        ".csv": b"a,b\n1,2\n",
        ".bin": b"xyz",
    }
    for suffix, data in content.items():
        changed = [mutated(suffix, data, random.Random(seed)) for seed in range(50)]
        assert sum(each != data for each in changed) > 40
