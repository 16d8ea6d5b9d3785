import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

import muybridge
from muybridge import api
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.inference.predictions import Predictions
from muybridge.inference.views import Views
from muybridge.recipes.data import DataConfig
from muybridge.recipes.store import load_recipe
from tests.helpers.clips import TINY, tiny_recipe, write_clip

RUN_FILES = [
    "recipe.yaml",
    "split.json",
    "leak.json",
    "undecodable.json",
    "environment.json",
    "metrics.csv",
    "curves.png",
    "confusion_matrix.png",
    "per_class.csv",
    "predictions.csv",
    "evaluation.json",
    "report.html",
    "model/model.safetensors",
    "model/model.json",
    "checkpoints/last.ckpt",
    "checkpoints/best.ckpt",
]


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def test_a_run_leaves_everything_behind(tiny_run):
    assert [name for name in RUN_FILES if not (tiny_run / name).is_file()] == []
    assert [row["epoch"] for row in rows_of(tiny_run)] == ["1", "2", "3", "4"]
    assert json.loads((tiny_run / "leak.json").read_text()).startswith("0 of ")
    assert load_recipe(str(tiny_run / "recipe.yaml")) == tiny_recipe()
    environment = json.loads((tiny_run / "environment.json").read_text())
    assert environment["packages"]["torch"]
    assert f"--recipe {tiny_run / 'recipe.yaml'}" in (tiny_run / "report.html").read_text()


def test_the_split_is_by_group_and_adds_up(tiny_run):
    split = Split.load(tiny_run / "split.json")
    parts = [split.train, split.validation, split.test]
    assert all(parts)
    assert sum(map(len, parts)) == 24
    groups = [{clip.group for clip in split.clips_of(part)} for part in ("train", "validation", "test")]
    assert groups[0].isdisjoint(groups[1])
    assert groups[2].isdisjoint(groups[0] | groups[1])


def test_load_and_predict(tiny_run, clips):
    recognizer = muybridge.load(tiny_run)
    assert recognizer.classes == ("bright", "dim")
    video = next((clips / "dim").iterdir())
    prediction = recognizer.predict(str(video))
    assert prediction.label in recognizer.classes
    assert sum(score for _, score in prediction.ranking) == pytest.approx(1)
    assert prediction.ranking == muybridge.load(tiny_run / "model").predict(video).ranking


def test_evaluate_repeats_the_figures_of_training(tiny_run, tmp_path):
    measured = json.loads((tiny_run / "evaluation.json").read_text())
    again = api.evaluate(tiny_run, out=tmp_path)
    assert again.to_dict()["top1"] == measured["top1"]
    assert (tmp_path / "predictions.csv").read_text() == (tiny_run / "predictions.csv").read_text()


def test_views_average_more_frames(tiny_run, tmp_path):
    three = api.evaluate(tiny_run, views=Views(times=3), out=tmp_path / "three")
    assert "3 views" in " ".join(three.notes)
    assert (tmp_path / "three" / "predictions.csv").read_text() != (tiny_run / "predictions.csv").read_text()


def test_evaluate_on_other_clips(tiny_run, tmp_path):
    other = tmp_path / "other"
    write_clip(other / "dim" / "new.avi", level=70, seed=99)
    write_clip(other / "bright" / "new.avi", level=180, seed=98)
    write_clip(other / "striped" / "new.avi", level=100, seed=97)
    (other / "dim" / "broken.avi").write_bytes(b"RIFF0000AVI LIST")
    evaluation = api.evaluate(tiny_run, other, out=tmp_path / "out")
    assert evaluation.top1.clips == 3
    assert [clip.path.endswith("broken.avi") for clip in evaluation.undecodable] == [True]
    assert any("striped" in note for note in evaluation.notes)
    assert "source groups of 3 clips unknown" in evaluation.leak


def test_evaluate_tells_the_leak_to_the_clips_it_was_trained_on(tiny_run, clips, tmp_path):
    evaluation = api.evaluate(tiny_run, clips, out=tmp_path)
    split = Split.load(tiny_run / "split.json")
    assert evaluation.leak.startswith(f"{len(split.train) + len(split.validation)} of 24 clips")


def test_windows_vote(clips, tmp_path):
    flags = ["--sampler.kind", "sliding", "--sampler.hop", "4", "--sampler.jitter", "1", "--sampler.windows", "all"]
    result = api.train(clips, tiny_recipe(*flags, "--sampler.combine", "vote"), run=tmp_path / "run")
    shares = Predictions.read_csv(result.run / "predictions.csv").probabilities_NK
    np.testing.assert_allclose(3 * shares, np.round(3 * shares), atol=1e-5)  # 12 frames: three windows vote
    recognizer = api.load(result.run)
    assert (recognizer.windows, recognizer.combine) == ("all", "vote")


def test_evaluate_without_known_classes(tiny_run, tmp_path):
    for name in ("x", "y"):
        write_clip(tmp_path / name / "1.avi", level=50, seed=1)
    with pytest.raises(UserError, match="dim"):
        api.evaluate(tiny_run, tmp_path)


def test_undecodable_clips_are_named_and_left_out_of_training_but_wrong_in_test(tmp_path, clips):
    data = tmp_path / "data"
    table = ["path,label,group,split"]
    for name in ("dim", "bright"):
        for number, clip in enumerate(sorted((clips / name).iterdir())[:8]):
            part = ("train", "train", "validation", "test")[number % 4]
            table.append(f"{clip},{name},{name}{number},{part}")
    data.mkdir()
    for part in ("train", "test"):
        (data / f"bad_{part}.avi").write_bytes(b"nothing")
        table.append(f"{data / f'bad_{part}.avi'},dim,bad_{part},{part}")
    (data / "clips.csv").write_text("\n".join(table))
    result = api.train(data, tiny_recipe("--training.epochs", "1"), run=tmp_path / "run")
    assert result.evaluation.protocol == "given"
    failed = json.loads((tmp_path / "run" / "undecodable.json").read_text())
    assert [Path(name).name for name in failed] == ["bad_train.avi"]
    assert result.evaluation.top1.clips == 5
    assert len(result.evaluation.undecodable) == 1
    assert "bad_test.avi" in (tmp_path / "run" / "report.html").read_text()


def test_errors_come_before_anything_is_written(tmp_path, clips):
    run = tmp_path / "run"
    with pytest.raises(UserError):
        api.train(tmp_path / "nowhere", tiny_recipe(), run=run)
    with pytest.raises(UserError, match="dims"):
        api.train(clips, tiny_recipe("--data.classes", "dims"), run=run)
    with pytest.raises(UserError, match="jitter"):
        api.train(clips, tiny_recipe("--sampler.jitter", "2"), run=run)
    with pytest.raises(UserError, match="weights"):
        api.train(clips, tiny_recipe("--weights", str(tmp_path / "none.safetensors")), run=run)
    with pytest.raises(UserError, match="size_px"):
        api.train(clips, tiny_recipe("--size-px", "16"), run=run)
    bert = ("--model.head", "bert", "--model.head-positions", "6")
    with pytest.raises(UserError, match=r"set model.head_positions to 7 or more"):
        api.train(clips, tiny_recipe(*bert, "--frames", "7"), run=run)
    with pytest.raises(UserError, match=r"set sampler.frames"):
        api.train(clips, tiny_recipe(*bert, "--sampler.kind", "every", "--frames", "0"), run=run)
    assert not run.exists()


@pytest.mark.parametrize("kind", ["every", "dense"])
@pytest.mark.parametrize("head", ["bert", "concat"])
def test_heads_with_positions_train_with_their_defaults(clips, tmp_path, kind, head):
    # Clips of 12 frames: "every" gives fewer steps than the sampler may take, so they are masked.
    sampler = ("--sampler.kind", kind, "--frames", "8", "--sampler.every", "2")
    result = api.train(clips, tiny_recipe("--model.head", head, *sampler, "--epochs", "1"), run=tmp_path / "run")
    assert result.evaluation is not None and not result.evaluation.undecodable
    video = next(clips.rglob("*.avi"))
    assert 0 < muybridge.load(tmp_path / "run").predict(video).ranking[0][1] <= 1


def test_an_existing_folder_is_not_overwritten(tiny_run, clips):
    with pytest.raises(UserError, match="--resume"):
        api.train(clips, tiny_recipe(), run=tiny_run)


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_what_is_not_a_run(tmp_path, folder):
    for job in (api.load, api.resume, api.evaluate):
        with pytest.raises(UserError):
            job(tmp_path / folder)


def test_the_seed_decides_everything(tiny_run, clips, tmp_path):
    api.train(clips, tiny_recipe(), run=tmp_path / "again")
    api.train(clips, tiny_recipe("--training.seed", "1"), run=tmp_path / "other")
    model = "model/model.safetensors"
    assert (tmp_path / "again" / model).read_bytes() == (tiny_run / model).read_bytes()
    assert (tmp_path / "other" / model).read_bytes() != (tiny_run / model).read_bytes()


@pytest.mark.parametrize("how", ["killed", "ctrl-c"])
def test_an_interrupted_training_resumes_to_the_same_bits(tiny_run, clips, tmp_path, how):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(TINY))
    run = tmp_path / "run"
    command = [sys.executable, "-m", "muybridge", "train"]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # as in these tests: sums depend on the number of threads
    process = subprocess.Popen(
        [*command, str(clips), "--recipe", str(recipe), "--run", str(run)],
        stderr=subprocess.PIPE,
        text=True,
        env=one_thread,
    )
    deadline = time.monotonic() + 120
    while not (run / "metrics.csv").exists() or len(rows_of(run)) < 2:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL if how == "killed" else signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("the training was over before the signal reached it")
    if how == "ctrl-c":
        assert process.returncode == 130
        assert f"--resume {run}" in errors
        assert "Traceback" not in errors
    assert not (run / "report.html").exists()
    assert (run / "checkpoints" / "last.ckpt").exists()
    subprocess.run([*command, "--resume", str(run)], check=True, env=one_thread, capture_output=True)
    for name in ("model/model.safetensors", "predictions.csv"):
        assert (run / name).read_bytes() == (tiny_run / name).read_bytes()
    assert rows_of(run) == rows_of(tiny_run)


def test_resume_notices_that_clips_are_gone(clips, tmp_path):
    data = shutil.copytree(clips, tmp_path / "data")
    api.train(data, tiny_recipe("--epochs", "1"), run=tmp_path / "run")
    clip = Split.load(tmp_path / "run" / "split.json").clips_of("train")[0]
    clip.path.unlink()
    with pytest.raises(UserError, match=clip.path.name):
        api.resume(tmp_path / "run")


def test_early_stopping_stays_stopped_after_a_resume(clips, tmp_path):
    flags = ["--training.patience", "1", "--training.epochs", "30", "--training.learning-rate", "0.5"]
    result = api.train(clips, tiny_recipe(*flags), run=tmp_path / "run")
    assert len(result.rows) < 30
    assert [row["epoch"] for row in api.resume(tmp_path / "run").rows] == [row["epoch"] for row in result.rows]


def test_random_protocol_is_told_to_leak(clips, tmp_path):
    result = api.train(clips, tiny_recipe("--protocol", "random", "--training.epochs", "1"), run=tmp_path / "run")
    leak = json.loads((tmp_path / "run" / "leak.json").read_text())
    assert result.evaluation.protocol == "random"
    assert not leak.startswith("0 of ")


def test_data_options_of_evaluate_choose_the_part(tiny_run, clips, tmp_path):
    data = DataConfig(test_groups=("g01",))
    assert api.evaluate(tiny_run, clips, data=data, out=tmp_path).top1.clips == 4
    (tmp_path / "testlist02.txt").write_text("dim/v_dim_g02_c01.avi\nbright/v_bright_g03_c02.avi\n")
    (tmp_path / "trainlist02.txt").write_text("dim/v_dim_g01_c01.avi 1\n")
    official = DataConfig(protocol="official-2", lists=str(tmp_path))
    evaluation = api.evaluate(tiny_run, clips, data=official, out=tmp_path)
    assert evaluation.top1.clips == 2
    assert "official-2" in evaluation.protocol
    with pytest.raises(UserError, match="official"):
        api.evaluate(tiny_run, clips, data=DataConfig(protocol="random"), out=tmp_path)
