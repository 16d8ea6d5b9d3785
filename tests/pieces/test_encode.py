"""Features that are encoded once, and read by trainings in place of the clips."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.helpers.clips import write_clips
from tests.helpers.commands import run
from tests.helpers.many_files import rows_in

from muybridge import UserError, api
from muybridge.dataset.catalog import Clip
from muybridge.pipeline.cache_folder import FRAMES_SUFFIX
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import parse_recipe
from muybridge.training.encoding import FrozenPart

STILL = {"zoom": 0, "flip": False, "rotation_degrees": 0, "shift": 0, "brightness": 0}


def frozen_recipe(head: str = "probe", **model: object) -> Recipe:
    """A small frozen network; clips are taken as they are."""
    values = {
        "name": "frozen",
        "size_px": 32,
        "sampler": {"frames": 4, "jitter": 1},
        "augment": STILL,
        "model": {"width": 0.25, "weights": "none", "trainable": "none", "head": head, "head_widths": [16], **model},
        "training": {"epochs": 2, "workers": 0},
    }
    return parse_recipe(values, source="frozen")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 clips of two classes, and one that is no video."""
    folder = write_clips(tmp_path_factory.mktemp("labelled") / "clips")
    (folder / "dim" / "v_dim_g01_c09.avi").write_text("no video")
    return folder


@pytest.fixture(scope="module")
def features(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The features of `frozen_recipe`. Not to be changed."""
    out = tmp_path_factory.mktemp("features") / "out"
    result = api.encode(frozen_recipe(), labelled, out, part_clips=5)
    assert (result.kind, result.clips, result.undecodable, result.parts) == ("features", 25, 1, 5)
    return out


@pytest.fixture
def nothing_is_encoded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever decodes for a cache of frames, or encodes, fails; the cache is empty."""
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a clip is encoded again")

    decode = FrameCache._decode

    def only_glimpses(cache: FrameCache, clip: Clip) -> None:
        assert cache.suffix != FRAMES_SUFFIX, "a clip is decoded again"
        decode(cache, clip)

    monkeypatch.setattr(FrameCache, "_decode", only_glimpses)
    monkeypatch.setattr(FrozenPart, "__call__", refuse)


@pytest.mark.parametrize("head", ["probe", "bilstm"])
def test_training_on_features_is_training_on_clips(
    head: str, labelled: Path, features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = frozen_recipe(head)
    with monkeypatch.context() as patch:
        patch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "other"))
        plain = api.train(labelled, recipe, run=tmp_path / "plain", refit=False)
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    with monkeypatch.context() as patch:

        def refuse(*arguments: object, **options: object) -> None:
            raise AssertionError("a clip is encoded again")

        patch.setattr(FrozenPart, "__call__", refuse)
        given = api.train(labelled, recipe, run=tmp_path / "given", refit=False, features=features)
    for row, other in zip(given.rows, plain.rows, strict=True):
        assert {name: value for name, value in row.items() if "loss" in name or "accuracy" in name} == pytest.approx(
            {name: value for name, value in other.items() if "loss" in name or "accuracy" in name}, nan_ok=True
        )
    ours, theirs = (api.load(each.run) for each in (given, plain))
    for clip in sorted(labelled.glob("*/*c01.avi")):
        assert dict(ours.predict(clip).ranking) == pytest.approx(dict(theirs.predict(clip).ranking), abs=1e-6)
    undecodable = (tmp_path / "given" / "undecodable.json").read_text()
    assert undecodable == (tmp_path / "plain" / "undecodable.json").read_text()


def test_folds_read_features_too(labelled: Path, features: Path, tmp_path: Path, nothing_is_encoded: None) -> None:
    result = api.train(labelled, frozen_recipe(), run=tmp_path / "run", folds=3, features=features)
    assert result.evaluation is not None
    assert result.evaluation.to_dict()["clips"] == 25


def test_the_rows_name_their_clips(labelled: Path, features: Path) -> None:
    rows = {row["clip"]: row for row in rows_in(features)}
    assert len(rows) == 25
    row = rows["bright/v_bright_g02_c01.avi"]
    assert (row["label"], row["group_known"], row["frame_count"]) == ("bright", True, 4)
    assert len(row["features"]) == np.prod(row["shape"])
    assert np.isfinite(np.array(row["features"], dtype=float)).all()
    assert [name for name, row in rows.items() if row["error"]] == ["dim/v_dim_g01_c09.avi"]


def test_other_clips_are_encoded_as_ever(
    labelled: Path, features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    more = Path(shutil.copytree(labelled, tmp_path / "more"))
    write_clips(tmp_path / "new", groups=1, per_group=1)
    for path in (tmp_path / "new").rglob("*.avi"):
        path.with_name(path.name.replace("g01", "g77")).write_bytes(path.read_bytes() + b"\0")
        shutil.copyfile(path.with_name(path.name.replace("g01", "g77")), more / path.parent.name / "v_x_g77_c01.avi")
    result = api.train(more, frozen_recipe(), run=tmp_path / "run", folds=3, features=features)
    err = " ".join(capsys.readouterr().err.split())
    assert "features: 24 clips taken" in err
    assert "2 clips not among them" in err
    assert "frames: 2 clips decoded" in err
    assert result.evaluation is not None


def test_features_of_another_encoder_are_refused(labelled: Path, features: Path, tmp_path: Path) -> None:
    options = {"run": tmp_path / "run", "features": features}
    with pytest.raises(UserError, match="are of another encoder, other weights, or another precision"):
        api.train(labelled, frozen_recipe(width=0.5), **options)
    with pytest.raises(UserError, match="this one learns"):
        api.train(labelled, frozen_recipe("bilstm", trainable="all"), **options)
    with pytest.raises(UserError, match="changes them at random"):
        api.train(labelled, frozen_recipe(), **options, augment={"flip": True})
    with pytest.raises(UserError, match="holds no features to the end"):
        api.train(labelled, frozen_recipe(), run=tmp_path / "run", features=tmp_path / "nothing")
    assert not (tmp_path / "run").exists()


def test_damaged_features_are_said(labelled: Path, features: Path, tmp_path: Path, nothing_is_encoded: None) -> None:
    broken = Path(shutil.copytree(features, tmp_path / "broken"))
    part = sorted(broken.glob("part-*"))[2]
    table = pq.read_table(part)
    shapes = [[9, 9]] * table.num_rows
    place = table.schema.get_field_index("shape")
    pq.write_table(table.set_column(place, "shape", pa.array(shapes, table.schema.field("shape").type)), part)
    with pytest.raises(UserError, match=rf"{part.name} is damaged"):
        api.train(labelled, frozen_recipe(), run=tmp_path / "run", features=broken)
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(UserError, match=rf"{part.name} is damaged or cannot be read"):
        api.train(labelled, frozen_recipe(), run=tmp_path / "other", features=broken)


def test_the_command_line(labelled: Path, features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "frozen.yaml"
    recipe.write_text(json.dumps(frozen_recipe().to_dict()))
    words = ("encode", recipe, labelled, tmp_path / "out", "--part-clips", 5)
    code, out, err = run(*words, capsys=capsys)
    assert code == 0, err
    assert "features: 25 clips in 5 files" in out
    for part in features.glob("part-*"):
        assert (tmp_path / "out" / part.name).read_bytes() == part.read_bytes()
    words = ("train", labelled, "--recipe", recipe, "--features")
    code, out, err = run(*words, tmp_path / "out", "--run", tmp_path / "run", capsys=capsys)
    assert code == 0, err
    code, _, err = run("encode", tmp_path / "run", labelled, tmp_path / "of-run", "--part-clips", 5, capsys=capsys)
    assert code == 0, err
    assert rows_in(tmp_path / "of-run") == rows_in(features)
    code, _, err = run(*words, tmp_path / "run", "--run", tmp_path / "other", capsys=capsys)
    assert (code, "holds no features to the end" in err) == (2, True), err
