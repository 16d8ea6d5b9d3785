"""Ensembles of real, tiny runs, through the command line."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.clips import tiny_recipe
from tests.helpers.commands import run

import muybridge
from muybridge import api
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.inference.predictions import Predictions
from muybridge.verbs.ensemble import job

ENSEMBLE_FILES = [
    "ensemble.json",
    "comparison.json",
    "split.json",
    "leak.json",
    "environment.json",
    "predictions.csv",
    "per_class.csv",
    "confusion_matrix.png",
    "evaluation.json",
    "report.html",
    "model/model.json",
]


@pytest.fixture(scope="module")
def runs(clips, tiny_run, tmp_path_factory) -> Path:
    """A folder of runs: one, two (another size, sampler and number of epochs), random-0 and random-1."""
    folder = tmp_path_factory.mktemp("members")
    shutil.copytree(tiny_run, folder / "one", ignore=shutil.ignore_patterns("checkpoints"))
    for name, flags in {
        "two": ["--size-px", "40", "--sampler.frames", "3", "--training.epochs", "1"],
        "random-0": ["--protocol", "random", "--training.epochs", "1"],
        "random-1": ["--protocol", "random", "--data.split-seed", "1", "--training.epochs", "1"],
    }.items():
        api.train(clips, tiny_recipe(*flags), run=folder / name)
    return folder


@pytest.fixture(scope="module")
def made(runs) -> Path:
    """The average of one and two. Not to be changed."""
    return api.ensemble([runs / "one", runs / "two"], run=runs / "made").run


def correct(folder: Path) -> dict[str, bool]:
    """Whether each clip is right, by a predictions.csv."""
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        return {row["clip"]: row["correct"] == "1" for row in csv.DictReader(file)}


def test_an_ensemble_is_a_run_like_any_other(runs, clips, tmp_path, capsys):
    made = tmp_path / "made"
    code, out, err = run("ensemble", runs / "one", runs / "two", "--run", made, capsys=capsys)
    assert code == 0
    assert "0 of 4 test clips share a source with train" in err
    assert "one (validation" in out
    assert "ensemble, average of probabilities: top-1 " in out
    assert "on 4 validation clips: gain " in out
    assert "repaired: " in out
    assert "broken: " in out
    assert [name for name in ENSEMBLE_FILES if not (made / name).is_file()] == []
    assert list(tmp_path.iterdir()) == [made]

    # Averaged by hand, from what predict says of each member.
    videos = sorted((clips / "dim").iterdir())[:3]
    members = [muybridge.load(runs / name, device="cpu") for name in ("one", "two")]
    for prediction in muybridge.load(made, device="cpu").predict_files(videos):
        by_hand = np.mean([dict(m.predict(prediction.path).ranking)["dim"] for m in members])
        assert dict(prediction.ranking)["dim"] == pytest.approx(by_hand, abs=1e-12)

    code, out, _ = run("predict", made, *videos, "--json", capsys=capsys)
    assert code == 0
    assert len(json.loads(out)) == 3
    code, out, _ = run("evaluate", made, "--out", tmp_path / "again", "--json", capsys=capsys)
    assert code == 0
    assert (tmp_path / "again" / "predictions.csv").read_text() == (made / "predictions.csv").read_text()
    assert json.loads(out)["top1"] == json.loads((made / "evaluation.json").read_text())["top1"]
    code, out, _ = run("evaluate", made, clips, "--out", tmp_path / "all", capsys=capsys)
    assert "leak: 20 of 24 clips share a source with the run's training clips" in out
    code, out, _ = run("report", made, "--out", tmp_path / "report.html", capsys=capsys)
    assert code == 0


def test_the_result_can_be_worked_out_from_its_files(runs, made):
    saved, comparison = (json.loads((made / name).read_text()) for name in ("ensemble.json", "comparison.json"))
    together = correct(made)
    assert Split.load(made / "split.json").hash == Split.load(runs / "one" / "split.json").hash
    assert correct(made / "members" / "one") == correct(runs / "one")
    for name in ("one", "two"):
        alone = correct(made / "members" / name)
        gain = comparison["gains"][name]
        assert gain["repaired"] == sorted(clip for clip in alone if together[clip] and not alone[clip])
        assert gain["broken"] == sorted(clip for clip in alone if alone[clip] and not together[clip])
        assert gain["gain"] == (sum(together.values()) - sum(alone.values())) / len(alone)
    assert [member["name"] for member in saved["members"]] == ["one", "two"]
    by_validation = sorted(
        saved["members"], key=lambda m: (m["validation"]["correct"], -m["validation"]["negative_log_likelihood"])
    )
    assert saved["best"] == comparison["best"] == by_validation[-1]["name"]
    assert Path(saved["members"][1]["run"]) == runs / "two"


def test_weights_and_temperatures_are_fitted_on_validation(runs, tmp_path, capsys):
    made = tmp_path / "made"
    arguments = ["ensemble", runs / "one", runs / "two", "--rule", "weighted", "--calibrate", "--run", made, "--json"]
    code, out, _ = run(*arguments, capsys=capsys)
    assert code == 0
    result = json.loads(out)
    assert "weights and temperatures fitted on 4 validation clips" in result["notes"][0]
    assert result["members_on_test"].keys() == result["comparison"]["gains"].keys() == {"one", "two"}
    saved = json.loads((made / "ensemble.json").read_text())
    assert sum(saved["weights"]) == pytest.approx(1)
    assert saved["calibrated"]
    # No worse on validation than any member, and used as saved.
    for member in saved["members"]:
        alone = member["validation"]["negative_log_likelihood"]
        assert saved["validation"]["negative_log_likelihood"] <= alone + 1e-4
    combination = muybridge.load(made).combination
    assert combination.to_dict() == {key: saved[key] for key in ("rule", "weights", "temperatures")}


def test_one_run_can_be_calibrated(runs, tmp_path, capsys):
    made = tmp_path / "made"
    code, out, _ = run("ensemble", runs / "two", "--calibrate", "--run", made, capsys=capsys)
    assert code == 0
    assert "calibrated: top-1" in out
    assert "temperatures fitted on 4 validation clips" in out
    assert "expected calibration error on the test clips, by the temperatures: two " in out
    saved = json.loads((made / "ensemble.json").read_text())
    [temperature] = saved["temperatures"]
    assert temperature != 1
    before, after = (Predictions.read_csv(folder / "predictions.csv") for folder in (runs / "two", made))
    assert (before.predicted_N == after.predicted_N).all()
    powers_NK = before.probabilities_NK ** (1 / temperature)
    np.testing.assert_allclose(after.probabilities_NK, powers_NK / powers_NK.sum(axis=1, keepdims=True), atol=1e-9)
    assert saved["expected_calibration_error"] == saved["members"][0]["expected_calibration_error"]


def test_members_of_different_random_splits_are_refused(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("ensemble", runs / "random-0", runs / "random-1", capsys=capsys)
    assert code == 2
    assert out == ""
    first, second = (Split.load(runs / name / "split.json") for name in ("random-0", "random-1"))
    leaked = sorted(set(first.test) & {*second.train, *second.validation})
    assert leaked
    assert f"was fitted on {len(leaked)} of the {len(first.test)} test clips" in err
    assert ", ".join(leaked[:5]) in err
    assert "--data.split-seed" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["one"], "two or more runs"),
        (["one", "one"], "named twice"),
        (["one", "nowhere"], "nowhere is not a run"),
        (["one", "unfinished"], "muybridge train --resume"),
        (["one", "two", "--rule", "vote", "--calibrate"], "changes no vote"),
        (["one", "two", "--rule", "best"], "best"),
        (["one", "other-classes"], "only one has: dim; only other-classes has: dark"),
        (["one", "damaged"], "split.json is damaged"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(runs, tmp_path, capsys, monkeypatch, arguments, message):
    for name in ("unfinished", "other-classes", "damaged"):
        shutil.copytree(runs / "two", tmp_path / name)
    shutil.rmtree(tmp_path / "unfinished" / "model")
    (tmp_path / "damaged" / "split.json").write_text("{}")
    description = tmp_path / "other-classes" / "model" / "model.json"
    content = json.loads(description.read_text().replace('"dim"', '"dark"'))
    del content["checksum"]  # the change is meant
    description.write_text(json.dumps(content))
    paths = [runs / word if word in ("one", "two") else word for word in arguments]
    monkeypatch.chdir(tmp_path)
    code, out, err = run("ensemble", *paths, capsys=capsys)
    assert code == 2
    assert out == ""
    assert err.startswith("error:")
    assert message in err
    assert not (tmp_path / "runs").exists()


def test_missing_clips_are_named(runs, clips, tmp_path, capsys):
    """A run whose clips were moved; one of them got lost."""
    shutil.copytree(clips, tmp_path / "moved")
    shutil.copytree(runs / "two", tmp_path / "run")
    path = tmp_path / "run" / "split.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"root": str(tmp_path / "moved")}))
    members = [runs / "one", tmp_path / "run"]
    assert run("ensemble", *members, "--run", tmp_path / "whole", capsys=capsys)[0] == 0
    gone = Split.load(path).clips_of("test")[0]
    gone.path.unlink()
    code, _, err = run("ensemble", *reversed(members), "--run", tmp_path / "made", capsys=capsys)
    assert code == 2
    assert f"clips of {tmp_path / 'run'} cannot be found, for example {gone.path}" in err
    assert "--clips-root" in err
    assert not (tmp_path / "made").exists()


def test_a_folder_that_holds_something_is_left_alone(runs, tmp_path, capsys):
    (tmp_path / "mine").write_text("keep")
    code, _, err = run("ensemble", runs / "one", runs / "two", "--run", tmp_path, capsys=capsys)
    assert code == 2
    assert "already there" in err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, UserError])
def test_a_failure_near_the_end_leaves_nothing(runs, tmp_path, monkeypatch, failure):
    def fail(*_arguments, **_options):
        raise failure("stop")

    monkeypatch.setattr(job, "report", fail)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(failure):
        api.ensemble([runs / "one", runs / "two"])
    assert list((tmp_path / "runs").iterdir()) == []


def test_an_ensemble_is_no_member_and_cannot_be_resumed(runs, made, capsys):
    for arguments in (["ensemble", made, runs / "two"], ["train", "--resume", made]):
        code, _, err = run(*arguments, capsys=capsys)
        assert code == 2
        assert "made is an ensemble" in err


def test_runs_of_the_same_name_and_the_numbered_folder(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(runs / "two", tmp_path / "other" / "one")
    result = api.ensemble([runs / "one", tmp_path / "other" / "one"], rule="logits")
    assert result.run == Path("runs/ensemble-1")
    assert [member.name for member in result.members] == ["one", "one-2"]
