import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from filelock import FileLock
from tests.helpers.clips import TINY, tiny_recipe

from muybridge import api, cli
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.recipes.store import load_recipe

# With seed 0 the trials are 1e-3, 1e-4, 3e-4 and 1000, which by then has three others to fall behind.
OVER = ["training.learning_rate=1e-4,3e-4,1e-3,1000"]
EPOCHS = ["--epochs", "3"]
# What only a measurement of the test part writes.
TEST_FILES = ["predictions.csv", "evaluation.json", "per_class.csv", "confusion_matrix.png", "report.html"]


def rows_of(path: Path, *, without: str = "seconds") -> list[dict[str, str]]:
    with path.open() as file:
        return [{key: value for key, value in row.items() if key != without} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def swept(clips, tmp_path_factory) -> Path:
    """A finished sweep of four trials, the last of them stopped early. Not to be changed."""
    folder = tmp_path_factory.mktemp("sweeps") / "swept"
    api.sweep(clips, tiny_recipe(*EPOCHS), over=OVER, folder=folder)
    return folder


def test_a_sweep_leaves_runs_a_table_and_a_picture_and_no_test_measurement(swept):
    for name in ("study.db", "sweep.json", "trials.csv", "sweep.png", "best.yaml"):
        assert (swept / name).is_file()
    recipes = []
    for number in range(1, 5):
        run = swept / f"trial-{number}"
        for name in ("recipe.yaml", "split.json", "metrics.csv", "curves.png", "model/model.json"):
            assert (run / name).is_file()
        recipes.append(load_recipe(str(run / "recipe.yaml")))
    assert {recipe.training.learning_rate for recipe in recipes} == {1e-4, 3e-4, 1e-3, 1000}
    base = tiny_recipe(*EPOCHS, "--training.learning-rate", "1000")
    assert recipes[3] == base
    assert len({Split.load(run / "split.json").hash for run in swept.glob("trial-*")}) == 1
    assert [path for name in TEST_FILES for path in swept.rglob(name)] == []


def test_a_trial_that_falls_behind_is_stopped(swept):
    epochs = [len(rows_of(swept / f"trial-{number}" / "metrics.csv")) for number in range(1, 5)]
    assert epochs == [3, 3, 3, 2]
    assert [row["state"] for row in rows_of(swept / "trials.csv")] == ["finished"] * 3 + ["pruned"]


def test_the_table_repeats_what_the_runs_say(swept):
    rows = rows_of(swept / "trials.csv")
    assert [row["trial"] for row in rows] == ["1", "2", "3", "4"]
    for row in rows:
        run = swept / f"trial-{row['trial']}"
        metrics = rows_of(run / "metrics.csv")
        best = min(metrics, key=lambda epoch: float(epoch["validation_loss"]))
        assert (row["loss"], row["accuracy"]) == (best["validation_loss"], best["validation_accuracy"])
        assert (row["best_epoch"], row["epochs"]) == (best["epoch"], str(len(metrics)))
        rate = load_recipe(str(run / "recipe.yaml")).training.learning_rate
        assert float(row["training.learning_rate"]) == rate


def test_the_best_recipe_trains_to_the_figures_of_its_trial(swept, clips, tmp_path):
    rows = rows_of(swept / "trials.csv")
    number = min(rows, key=lambda row: float(row["loss"]))["trial"]
    recipe = load_recipe(str(swept / "best.yaml"))
    assert recipe.name == "swept"
    trained = api.train(clips, recipe, run=tmp_path / "again")
    assert rows_of(trained.run / "metrics.csv") == rows_of(swept / f"trial-{number}" / "metrics.csv")
    # Only the best can be measured without training again.
    assert [path.parent.name for path in swept.glob("*/checkpoints")] == [f"trial-{number}"]
    copy = shutil.copytree(swept / f"trial-{number}", tmp_path / "copy")
    assert api.resume(copy).evaluation.to_dict() == trained.evaluation.to_dict()


def test_a_finished_sweep_is_not_repeated_and_another_one_is_refused(swept, clips, tmp_path, capsys):
    folder = shutil.copytree(swept, tmp_path / "copy")
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(TINY))
    command = ["sweep", str(recipe), str(clips), "--folder", str(folder), *EPOCHS]
    before = (folder / "trials.csv").read_bytes()
    (folder / "trials.csv").unlink()  # as if killed between a trial's end and its line here
    cli.main([*command, "--over", OVER[0]])
    out, err = capsys.readouterr()
    assert "4 of 4 trials are done" in " ".join(err.split())
    assert "epoch " not in err
    assert (folder / "trials.csv").read_bytes() == before
    assert "validation clips right" in out
    assert "the test part was not measured" in out
    assert f"muybridge train {clips} --recipe {folder / 'best.yaml'}" in out
    cli.main([*command, "--over", OVER[0], "--json"])
    assert [trial["state"] for trial in json.loads(capsys.readouterr().out)["trials"]] == ["finished"] * 3 + ["pruned"]
    for changed, expected in (
        (["--over", "model.dropout=0.1,0.2"], "over training.learning_rate=0.0001"),
        (["--over", OVER[0], "--seed", "3"], "with --seed 0"),
    ):
        with pytest.raises(SystemExit) as left:
            cli.main([*command, *changed])
        assert left.value.code == 2
        out, err = capsys.readouterr()
        assert expected in " ".join(err.split())
        assert out == ""
    fewer = shutil.copytree(clips, tmp_path / "fewer")
    next((fewer / "dim").iterdir()).unlink()
    with pytest.raises(UserError, match="other clips"):
        api.sweep(fewer, tiny_recipe(*EPOCHS), over=OVER, folder=folder)
    assert (folder / "trials.csv").read_bytes() == before


def test_what_stands_in_the_test_part_changes_nothing(clips, tmp_path):
    """Once with the real test clips and once with rubbish in their place."""
    tables = []
    for name in ("real", "rubbish"):
        data = tmp_path / name
        data.mkdir()
        lines = ["path,label,group,split"]
        for label in ("dim", "bright"):
            for number, clip in enumerate(sorted((clips / label).iterdir())[:8]):
                part = ("train", "train", "validation", "test")[number % 4]
                path = shutil.copy(clip, data / clip.name)
                if part == "test" and name == "rubbish":
                    Path(path).write_bytes(b"rubbish")
                lines.append(f"{path},{label},{label}{number},{part}")
        (data / "clips.csv").write_text("\n".join(lines))
        api.sweep(data, tiny_recipe("--epochs", "1"), over=["size_px=32,40"], folder=tmp_path / f"sweep-{name}")
        tables.append(rows_of(tmp_path / f"sweep-{name}" / "trials.csv"))
    assert tables[0] == tables[1]


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_and_interrupted_it_ends_as_if_nothing_had_happened(swept, clips, tmp_path):
    recipe, folder = tmp_path / "tiny.yaml", tmp_path / "broken"
    recipe.write_text(yaml.safe_dump(TINY))
    command = [sys.executable, "-m", "muybridge", "sweep", str(recipe), str(clips), "--over", OVER[0], *EPOCHS]
    for number, how in ((1, signal.SIGKILL), (3, signal.SIGINT)):
        process = subprocess.Popen(
            [*command, "--folder", str(folder)],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},  # as in these tests
        )
        wait_for(folder / f"trial-{number}" / "checkpoints" / "last.ckpt", process)
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130)
        assert "Traceback" not in errors
    assert "same command again" in errors
    assert not (folder / "sweep.png").exists()
    api.sweep(clips, tiny_recipe(*EPOCHS), over=OVER, folder=folder)
    assert rows_of(folder / "trials.csv") == rows_of(swept / "trials.csv")
    best = load_recipe(str(swept / "best.yaml"))
    assert load_recipe(str(folder / "best.yaml")).to_dict() == best.to_dict() | {"name": "broken"}


def test_a_trial_that_cannot_run_is_told_and_does_not_end_the_others(clips, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = api.sweep(clips, tiny_recipe("--epochs", "1"), over=["size_px=32,16"])
    assert [trial.state for trial in result.trials] == ["finished", "failed"]
    assert "size_px is 16" in result.trials[1].reason
    assert (tmp_path / "runs" / "sweeps" / "tiny-size_px" / "trials.csv").is_file()


def test_when_the_first_trial_cannot_run_that_is_the_answer(clips, tmp_path):
    with pytest.raises(UserError, match="size_px is"):
        api.sweep(clips, tiny_recipe("--epochs", "1"), over=["size_px=8,16"], folder=tmp_path / "sweep")


@pytest.mark.parametrize(
    ("over", "options", "expected"),
    [
        (["model.dropuot=0.1,0.2"], {}, "did you mean 'dropout'"),
        (OVER, {"trials": 0}, "1 or more"),
        (OVER, {"folder": "taken"}, "no sweep"),
    ],
)
def test_errors_come_before_anything_is_written(clips, tmp_path, monkeypatch, over, options, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=expected):
        api.sweep(clips, tiny_recipe(), over=over, **options)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["notes.txt", "taken"]


def test_two_processes_do_not_share_a_sweep(swept, clips):
    with FileLock(swept / "sweep.lock"), pytest.raises(UserError, match="another process"):
        api.sweep(clips, tiny_recipe(*EPOCHS), over=OVER, folder=swept)


def test_without_optuna_the_extra_is_named(clips, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)  # how Python itself marks what cannot be imported
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        cli.main(["sweep", "default", str(clips), "--over", OVER[0]])
    assert left.value.code == 2
    assert "pip install 'muybridge[sweep]'" in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []
