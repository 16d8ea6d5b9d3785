import json
import shutil

import pytest
from tests.helpers.clips import tiny_recipe, write_clips
from tests.helpers.commands import run

from muybridge import UserError, api


@pytest.fixture
def cache(clips, tmp_path, monkeypatch):
    """A cache of two data sets that share half of their clips, and what else may lie in such a folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(folder))
    frozen = ["--model.trainable", "none", "--epochs", "1", "--cache.variants", "1"]
    api.train(clips, tiny_recipe(*frozen), run=tmp_path / "one")
    other = write_clips(tmp_path / "other", groups=3)
    api.train(other, tiny_recipe("--epochs", "1"), run=tmp_path / "two")
    for name in ("notes.txt", "ab/picture.png", "ab/notes.frames", "abc/ab12.frames"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    (folder / "ab" / f"ab{'0' * 38}.frames").write_text("of a version before")
    return folder


STRANGERS = ["notes.txt", "ab/picture.png", "ab/notes.frames", "abc/ab12.frames"]


def entries(folder):
    return {path for path in folder.glob("??/*") if len(path.stem) == 40}


def test_the_cache_says_what_it_holds_per_data_set(cache, clips, tmp_path, capsys):
    code, out, err = run("cache", capsys=capsys)
    assert code == 0
    assert "budget 20 GB" in out
    assert str(cache) in out
    assert "muybridge cache --clear DATASET" in err
    code, out, _ = run("cache", "--json", capsys=capsys)
    found = json.loads(out)
    held = {one["dataset"]: one for one in found["datasets"]}
    assert set(held) == {str(clips.resolve()), str((tmp_path / "other").resolve()), "unknown"}
    first, second = held[str(clips.resolve())], held[str((tmp_path / "other").resolve())]
    split = json.loads((tmp_path / "one" / "split.json").read_text())
    assert first["clips"] == first["features"] == len(split["train"]) + len(split["validation"])
    assert second["features"] == 0
    assert held["unknown"]["clips"] == 1
    assert found["size_bytes"] == sum(path.stat().st_size for path in entries(cache))


def test_clearing_a_data_set_leaves_others_and_strangers(cache, clips, tmp_path, capsys):
    before = {one.dataset: one for one in api.cache_contents().datasets}
    size = api.cache_contents().size_bytes
    cleared = api.clear_cache(clips.name)
    after = {one.dataset: one for one in api.cache_contents().datasets}
    assert cleared.datasets == (str(clips.resolve()),)
    assert cleared.kept > 0
    assert size - cleared.size_bytes == api.cache_contents().size_bytes
    assert after == {name: held for name, held in before.items() if name != str(clips.resolve())}
    # What is left is what the other training needs: it decodes nothing.
    modified = {path: path.stat().st_ino for path in entries(cache)}
    api.train(tmp_path / "other", tiny_recipe("--epochs", "1"), run=tmp_path / "three")
    assert {path: path.stat().st_ino for path in entries(cache)} == modified
    code, out, _ = run("cache", "--clear", "unknown", capsys=capsys)
    assert code == 0
    assert "deleted: 1 file of unknown" in out
    code, out, _ = run("cache", "--clear", capsys=capsys)
    assert code == 0
    assert entries(cache) == set()
    assert all((cache / name).read_text() == "mine" for name in STRANGERS)
    assert "cache is empty" in run("cache", capsys=capsys)[1]
    assert "cache was empty" in run("cache", "--clear", capsys=capsys)[1]
    api.train(clips, tiny_recipe("--epochs", "1"), run=tmp_path / "four")
    assert len(api.cache_contents().datasets) == 1


def test_a_link_is_not_followed(cache, tmp_path):
    outside = tmp_path / "outside.frames"
    outside.write_text("mine")
    (cache / "ab" / f"ab{'1' * 38}.frames").symlink_to(outside)
    api.clear_cache()
    assert outside.read_text() == "mine"


def test_a_damaged_record_makes_its_entries_unknown(cache):
    for record in (cache / "datasets").glob("*.json"):
        record.write_text("{")
    assert [one.dataset for one in api.cache_contents().datasets] == ["unknown"]


def test_a_data_set_that_is_not_there_is_named(cache, tmp_path, capsys):
    code, _, err = run("cache", "--clear", "othr", capsys=capsys)
    assert code == 2
    assert "holds nothing of data set othr" in err
    with pytest.raises(UserError, match="no folder"):
        api.cache_contents(folder=tmp_path / "nowhere")
    code, _, err = run("cache", "other", capsys=capsys)
    assert code == 2
    assert "cache --clear other" in err
    shutil.rmtree(cache)
    assert api.cache_contents().datasets == ()


def test_pieces_of_shards_are_counted_and_go_with_everything(cache, capsys):
    (cache / "shards").mkdir()
    for name in ("a", "b"):
        (cache / "shards" / f"{name}.piece").write_bytes(bytes(1000))
    (cache / "shards" / "mine.txt").write_text("mine")
    code, out, _ = run("cache", capsys=capsys)
    assert code == 0
    assert "pieces of shards from a bucket: 2.0 KB" in out
    before = api.cache_contents()
    assert before.pieces_bytes == 2000
    api.clear_cache("unknown")
    assert api.cache_contents().pieces_bytes == 2000
    cleared = api.clear_cache()
    assert cleared.size_bytes > 2000
    assert [path.name for path in (cache / "shards").iterdir()] == ["mine.txt"]
