"""Evaluating a model on clips of classes that it does not know."""

import json
import shutil
from pathlib import Path

import pytest
from tests.helpers.clips import tiny_recipe, write_clip
from tests.helpers.commands import run

from muybridge import api
from muybridge.errors import UserError


@pytest.fixture(scope="module")
def folded(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validation of a probe on dim and bright clips. Not to be changed."""
    return api.train(
        clips, tiny_recipe("--model.head", "probe", "--folds", "3"), run=tmp_path_factory.mktemp("folds") / "run"
    ).run


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey clips, whose class no model knows, and one dim clip, whose class it knows."""
    folder = tmp_path_factory.mktemp("strange") / "clips"
    for group in (1, 2, 3):
        write_clip(folder / "grey" / f"v_grey_g{group:02}_c01.avi", level=125, seed=group)
    write_clip(folder / "dim" / "v_dim_g20_c01.avi", level=70, seed=9)
    return folder


def test_unknown_clips_are_told_from_those_of_each_fold(
    folded: Path, strange: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run("evaluate", folded, "--unknown", strange, "--out", tmp_path / "out", capsys=capsys)
    assert code == 0
    assert "known against unknown: AUROC " in out
    assert "24 known clips, 9 answers for clips of 1 other class" in out
    assert "left out of the unknown clips, the model knows their classes: 1 clip" in out
    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert figures["clips"] == 24  # the accuracy is that of the known clips alone
    told = figures["none_of_these"]
    assert (told["known"], told["unknown"], told["unknown_classes"]) == (24, 9, ["grey"])
    # Grey lies between the two classes, so that the highest logit of most grey clips is the lower one.
    assert 0.5 < told["auroc"] < 1


def test_no_unknown_class_is_an_error(
    folded: Path, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run("evaluate", folded, "--unknown", clips, "--out", tmp_path / "out", capsys=capsys)
    assert code == 2
    assert "the model knows every class of" in err and "bright" in err
    assert not (tmp_path / "out").exists()


def test_an_ensemble_has_no_limit_to_try(tiny_run: Path, strange: Path, tmp_path: Path) -> None:
    members = [tiny_run, shutil.copytree(tiny_run, tmp_path / "other")]
    ensemble = api.ensemble(members, run=tmp_path / "ensemble").run
    with pytest.raises(UserError, match="an ensemble has no limit for none of these"):
        api.evaluate(ensemble, unknown=strange)
