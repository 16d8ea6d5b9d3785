"""A run whose clips were moved and renamed: every verb that reads it takes the folder where they are now."""

import json
import shutil

import pytest
from rich.console import Console
from tests.helpers.clips import tiny_recipe, write_clips

from muybridge import api
from muybridge.errors import UserError

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A run, and the folder that has its clips now, in one heap and under other names."""
    folder = tmp_path_factory.mktemp("moved")
    clips = write_clips(folder / "clips")
    recipe = tiny_recipe("--training.epochs", "1", "--cache.folder", str(folder / "cache"))
    result = api.train(clips, recipe, run=folder / "run", console=QUIET)
    (folder / "heap").mkdir()
    for number, path in enumerate(sorted(clips.rglob("*.avi"))):
        shutil.move(path, folder / "heap" / f"{number:03}.avi")
    shutil.rmtree(clips)
    return result, folder / "heap"


def test_evaluate_measures_the_test_clips_and_no_others(moved, tmp_path):
    result, heap = moved
    with pytest.raises(UserError, match=r"4 of 4 test clips .* cannot be found, .*run\.clips_root"):
        api.evaluate(result.run, out=tmp_path, console=QUIET)
    again = api.evaluate(result.run, clips_root=heap, out=tmp_path, console=QUIET)
    assert (again.top1, again.leak, again.floors) == (
        result.evaluation.top1,
        result.evaluation.leak,
        result.evaluation.floors,
    )


def test_report_export_and_train_from_find_them(moved, tmp_path):
    result, heap = moved
    page = api.report([result.run], clips_root=heap, out=tmp_path / "page.html", console=QUIET).read_text()
    assert "cannot be shown" not in page
    assert api.export(result.run, to="torch", clips_root=heap, out=tmp_path / "out", console=QUIET).export.parity.passed
    new = write_clips(tmp_path / "new", groups=2)
    with pytest.raises(UserError, match=r"clips .* cannot be found, .*run\.clips_root"):
        api.train(new, from_run=result.run, run=tmp_path / "from", console=QUIET)
    joined = api.train(new, from_run=result.run, clips_root=heap, run=tmp_path / "from", console=QUIET)
    split = json.loads((joined.run / "split.json").read_text())
    assert sum(len(split[part]) for part in ("train", "validation", "test")) == 24 + 8


def test_a_resumed_training_finds_and_remembers_them(moved, tmp_path):
    result, heap = moved
    run = shutil.copytree(result.run, tmp_path / "run")
    shutil.rmtree(run / "model")
    with pytest.raises(UserError, match=r"20 of 20 clips .* cannot be found, .*run\.clips_root"):
        api.resume(run, console=QUIET)
    resumed = api.resume(run, clips_root=heap, console=QUIET)
    assert resumed.evaluation.top1 == result.evaluation.top1
    assert api.evaluate(run, out=tmp_path / "out", console=QUIET).top1 == result.evaluation.top1
