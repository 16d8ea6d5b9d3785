"""What a run records of its files: size and SHA-256."""

import hashlib
import os

from muybridge.dataset.catalog import Clip
from muybridge.dataset.recorded import changed_clips, with_contents
from muybridge.dataset.split import Split


def clips(folder, **contents):
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [Clip(folder / name, "wave", name, root=folder) for name in contents]


def test_size_and_hash_are_those_of_the_file_and_survive_split_json(tmp_path):
    known = with_contents([*clips(tmp_path, a=b"one"), Clip(tmp_path / "missing", "jump", "m", root=tmp_path)])
    assert (known[0].size_bytes, known[0].sha256) == (3, hashlib.sha256(b"one").hexdigest())
    assert (known[1].size_bytes, known[1].sha256) == (None, None)
    split = Split("given", 0, train=("a", "missing"), validation=(), test=(), clips=known)
    split.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json").clips == known


def test_a_changed_file_is_named_also_when_its_size_stayed(tmp_path):
    known = with_contents(clips(tmp_path, a=b"one", b=b"two", c=b"six"))
    assert changed_clips(known) == ()
    (tmp_path / "a").write_bytes(b"longer")
    (tmp_path / "b").write_bytes(b"owt")
    (tmp_path / "c").unlink()
    assert [clip.id for clip in changed_clips(known)] == ["a", "b"]


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    [clip] = with_contents([Clip(tmp_path / "pipe", "wave", "pipe", root=tmp_path)])
    assert clip.sha256 is None


def test_a_split_of_an_older_version_has_groups_that_are_known(tmp_path):
    split = Split("given", 0, train=("a",), validation=(), test=(), clips=tuple(clips(tmp_path, a=b"one")))
    assert "sha256" not in split.to_dict()["train"][0]
    split.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json").clips[0].group_known
