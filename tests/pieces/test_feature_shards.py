"""Features in shards: packed as `encode` makes them, and read by trainings in place of the clips."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.helpers.commands import run
from tests.helpers.many_files import rows_in
from tests.pieces.test_encode import features, frozen_recipe, labelled, nothing_is_encoded

from muybridge import UserError, api
from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.shard_index import read_index, write_index
from muybridge.recipes.store import save_recipe
from muybridge.training.encoding import FrozenPart
from muybridge.verbs.pack import job

__all__ = ["features", "labelled", "nothing_is_encoded"]  # fixtures


@pytest.fixture(scope="module")
def shards(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The features of `frozen_recipe` in three shards. Not to be changed."""
    out = tmp_path_factory.mktemp("packed") / "shards"
    result = api.pack(labelled, out, kind="features", recipe=frozen_recipe(), shard_size_gb=0.00003)
    assert (result.kind, result.clips, result.samples) == ("features", 24, 24)
    assert list(result.undecodable) == ["dim/v_dim_g01_c09.avi"]
    assert result.shards > 1
    return out


def test_a_recipe_is_named_on_the_command_line(labelled, tmp_path, capsys):
    recipe = tmp_path / "frozen.yaml"
    save_recipe(recipe, frozen_recipe())
    given = ("pack", labelled, tmp_path / "out", "--recipe", recipe)
    code, out, err = run(*given, "--kind", "features", capsys=capsys)
    assert code == 0, err
    assert "packed: 24 clips" in out
    code, _, err = run("pack", labelled, tmp_path / "other", "--recipe", recipe, capsys=capsys)
    assert (code, "no other kind takes one" in err) == (2, True)


def test_shards_hold_the_arrays_that_encode_writes(shards, features):
    expected = {row["clip"]: row for row in rows_in(features)}
    seen = {}
    for file in sorted(shards.glob("shard-*.tar")):
        with tarfile.open(file) as tar:
            members = tar.getmembers()
            for array, text in zip(members[::2], members[1::2], strict=True):
                assert array.name == f"{text.name.removesuffix('.json')}.npy"
                about = json.load(tar.extractfile(text))
                seen[about["id"]] = np.load(io.BytesIO(tar.extractfile(array).read())), about
    assert len(seen) == 24
    for id, (array, about) in seen.items():
        row = expected[id]
        assert array.dtype == np.float16
        np.testing.assert_array_equal(array.ravel(), row["features"])
        assert list(array.shape) == row["shape"]
        assert (about["label"], about["frame_count"], about["feature_name"]) == (row["label"], 4, row["key"])
    assert not list(shards.glob(".encoded"))


@pytest.mark.parametrize("head", ["probe", "bilstm"])
def test_training_on_shards_of_features_is_training_on_features(
    head, labelled, features, shards, tmp_path, monkeypatch, nothing_is_encoded, capsys
):
    runs = []
    for name, place in (("files", features), ("shards", shards)):
        monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / f"cache-{name}"))
        # The clip that is no video is in no shard, so it is looked at.
        clips = [clip for clip in read_catalog(labelled).clips if "c09" not in clip.id]
        table = tmp_path / "clips.csv"
        table.write_text("path,label,group\n" + "".join(f"{clip.path},{clip.label},{clip.group}\n" for clip in clips))
        recipe = frozen_recipe(head)
        options = {"features": str(place)}
        runs.append(api.train(table, recipe, run=tmp_path / name, **options).run)
        assert "clips taken from" in capsys.readouterr().err
    one, two = ((run / "model" / "model.safetensors").read_bytes() for run in runs)
    assert one == two


def test_clips_that_are_streamed_take_them_too(labelled, shards, tmp_path, nothing_is_encoded, capsys):
    clips = shutil.copytree(labelled, tmp_path / "clips")
    (clips / "dim" / "v_dim_g01_c09.avi").unlink()
    packed = api.pack(clips, tmp_path / "packed").folder
    result = api.train(
        packed, frozen_recipe(), run=tmp_path / "run", features=str(shards), data={"streaming": "on"}, refit=False
    )
    said = " ".join(capsys.readouterr().err.split())
    assert "streaming: 24 clips are read from their shards once" in said
    assert "features: 20 clips taken from" in said
    assert result.evaluation is not None


def test_check_and_unpack_know_them(shards, tmp_path, capsys):
    code, out, _ = run("check", shards, capsys=capsys)
    assert code == 0
    assert "checked: the features of 24 clips, all as they were packed" in " ".join(out.split())
    unpacked = api.unpack(shards, tmp_path / "unpacked")
    assert (unpacked.clips, unpacked.videos) == (24, 24)
    array = np.load(tmp_path / "unpacked" / "dim" / "v_dim_g01_c01.avi.npy")
    assert array.dtype == np.float16
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in shards.iterdir():
        if file.is_file():
            (damaged / file.name).write_bytes(file.read_bytes())
    row = pq.read_table(damaged / "index.parquet").to_pylist()[3]
    with (damaged / row["shard"]).open("r+b") as file:
        file.seek(row["offset"] + row["size_bytes"] - 4)
        file.write(b"\xff\xff\xff\xff")
    assert list(api.check_features(damaged).damaged) == [row["id"]]


def test_a_packing_that_is_called_again_goes_on_and_another_recipe_is_refused(labelled, shards):
    (shards / ".encoded").mkdir()  # as where a call was killed when all shards were there
    again = api.pack(labelled, shards, kind="features", recipe=frozen_recipe(), shard_size_gb=0.00003)
    assert again.kept == again.shards
    assert not (shards / ".encoded").exists()
    with pytest.raises(UserError, match=r"was begun with other clips or options"):
        api.pack(labelled, shards, kind="features", recipe=frozen_recipe(width=0.5), shard_size_gb=0.00003)


def test_a_packing_that_was_killed_encodes_nothing_again(labelled, shards, tmp_path, monkeypatch):
    out = tmp_path / "out"
    options = {"kind": "features", "recipe": frozen_recipe(), "shard_size_gb": 0.00003}

    def die(*arguments, **values):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, "write_shards", die)
        with pytest.raises(KeyboardInterrupt):
            api.pack(labelled, out, **options)
    assert not (out / "index.parquet").exists()

    def refuse(*arguments, **values):
        raise AssertionError("a clip is encoded again")

    monkeypatch.setattr(FrozenPart, "__call__", refuse)
    assert api.pack(labelled, out, **options).clips == 24
    for file in shards.glob("*.tar"):
        assert (out / file.name).read_bytes() == file.read_bytes()


def test_an_index_that_does_not_say_what_its_features_are_is_refused(shards, tmp_path):
    index = read_index(shards)
    write_index(tmp_path, index.table, kind="features", shards=index.shards)
    with pytest.raises(UserError, match="does not say what its features are"):
        read_index(tmp_path)


def test_what_makes_no_sense_is_refused(labelled, shards, tmp_path):
    with pytest.raises(UserError, match=r"kind features needs a recipe"):
        api.pack(labelled, tmp_path / "out", kind="features")
    with pytest.raises(UserError, match=r"no other kind takes one"):
        api.pack(labelled, tmp_path / "out", recipe=frozen_recipe())
    with pytest.raises(UserError, match=r"holds features, not clips; name the clips, and .* as cache.features_from"):
        api.train(shards, frozen_recipe(), run=tmp_path / "run")
    with pytest.raises(UserError, match=r"of another encoder, other weights"):
        api.train(labelled, frozen_recipe(width=0.5), run=tmp_path / "run", features=str(shards))
