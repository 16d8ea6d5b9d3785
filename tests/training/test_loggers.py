"""Loggers by what they leave on disk; a package that is missing is named."""

import sqlite3
from importlib.util import find_spec

import pytest
from tests.helpers.clips import tiny_recipe
from tests.helpers.commands import run

from muybridge import UserError, api
from muybridge.training import loggers
from muybridge.training.loggers import check_logger

EPOCHS = ["--epochs", "2"]
FIGURES = {"train_loss", "train_accuracy", "validation_loss", "validation_accuracy"}


def needs(name):
    return pytest.mark.skipif(find_spec(name) is None, reason=f"needs pip install 'muybridge[{name}]'")


def test_a_logger_that_is_unknown_or_missing_is_named_before_anything_is_done(tmp_path, monkeypatch, capsys):
    check_logger("csv")
    with pytest.raises(UserError, match=r"logger tensorbord is unknown; did you mean 'tensorboard'\?"):
        check_logger("tensorbord")
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    for name in ("tensorboard", "wandb", "mlflow"):
        code, _, err = run("train", "nothing", "--logger", name, capsys=capsys)
        assert code == 2
        assert f"pip install 'muybridge[{name}]'" in err


@needs("tensorboard")
def test_tensorboard_gets_the_figures_of_every_epoch(clips, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = api.train(clips, tiny_recipe(*EPOCHS), run=tmp_path / "run", logger="tensorboard")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert set(events.Tags()["scalars"]) >= FIGURES
    for name in FIGURES:
        assert [event.value for event in events.Scalars(name)] == pytest.approx([row[name] for row in result.rows])
    assert (tmp_path / "run" / "metrics.csv").is_file()


@needs("mlflow")
def test_mlflow_gets_the_figures_of_every_epoch(clips, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    result = api.train(clips, tiny_recipe(*EPOCHS), run=tmp_path / "runs" / "run", logger="mlflow")
    with sqlite3.connect(tmp_path / "runs" / "mlflow.db") as store:
        found = list(store.execute("select key, value from metrics order by step"))
        names = [name for (name,) in store.execute("select name from runs")]
        options = dict(store.execute("select key, value from params"))
    assert names == ["run"]
    for name in FIGURES:
        values = [value for key, value in found if key == name]
        assert values == pytest.approx([row[name] for row in result.rows])
    assert options["training/epochs"] == "2"


@needs("wandb")
def test_wandb_writes_offline_and_is_finished(clips, tmp_path, monkeypatch):
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("one", "two"):
        api.train(clips, tiny_recipe(*EPOCHS), run=tmp_path / name, logger="wandb")
        assert wandb.run is None
        assert list((tmp_path / name / "wandb").glob("offline-run-*/run-*.wandb"))
