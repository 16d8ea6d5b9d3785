"""A run whose clips were moved and renamed: every verb that reads it takes the folder where they are now."""

import json
import shutil

import pytest
from rich.console import Console
from tests.helpers.clips import tiny_recipe, write_clip, write_clips

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


def test_clips_at_their_new_place_are_known_as_those_that_the_model_was_fitted_on(moved, tmp_path):
    result, heap = moved
    rows = [f"{path},{'bright' if int(path.stem) < 12 else 'dim'}" for path in sorted(heap.iterdir())]
    (tmp_path / "clips.csv").write_text("\n".join(["path,label", *rows]))
    evaluation = api.evaluate(result.run, tmp_path / "clips.csv", out=tmp_path / "out", console=QUIET)
    assert evaluation.leak.startswith("at least 20 of 24 clips share a source")


def test_a_final_model_is_not_measured_on_its_clips_at_their_new_place(tmp_path):
    clips = write_clips(tmp_path / "clips", groups=3)
    recipe = tiny_recipe("--model.head", "probe", "--refit", "--cache.folder", str(tmp_path / "cache"))
    run = api.train(clips, recipe, run=tmp_path / "run", console=QUIET).run
    clips.rename(tmp_path / "new")
    with pytest.raises(UserError, match=r"was fitted on all 12 clips"):
        api.evaluate(run, tmp_path / "new", out=tmp_path / "out", console=QUIET)
    for path in (tmp_path / "new").rglob("*g01*"):  # other bytes are other clips, also under an old name
        write_clip(path, level=70 if "dim" in path.name else 180, seed=len(path.name) + int(path.stem[-1]))
    evaluation = api.evaluate(run, tmp_path / "new", out=tmp_path / "out", console=QUIET)
    assert evaluation.top1.clips == 4
    assert "left out, the model was fitted on them: 8 clips" in evaluation.notes


def test_members_are_one_data_set_also_where_that_was_moved_and_renamed_between_them(tmp_path):
    clips = write_clips(tmp_path / "clips")
    recipe = tiny_recipe("--training.epochs", "1", "--cache.folder", str(tmp_path / "cache"))
    first = api.train(clips, recipe, run=tmp_path / "first", console=QUIET).run
    for path in clips.rglob("*.avi"):
        path.rename(path.with_stem(path.stem.replace("_c", "_c1")))
    clips.rename(tmp_path / "new")
    second = api.train(tmp_path / "new", recipe, run=tmp_path / "second", console=QUIET).run
    splits = [json.loads((run / "split.json").read_text()) for run in (first, second)]
    test = [{clip["sha256"] for clip in split["test"]} for split in splits]
    assert test[0] == test[1]
    run = api.ensemble([second, first], run=tmp_path / "ensemble", console=QUIET).run
    assert json.loads((run / "evaluation.json").read_text())["top1"]["clips"] == len(test[0])
