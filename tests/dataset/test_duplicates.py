"""Byte-identical files."""

import hashlib
from pathlib import Path

from muybridge.dataset.duplicates import find_duplicates
from muybridge.files import content_hash


def test_content_hash_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(data)
    assert content_hash(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_twins_are_found_among_files_of_equal_size(tmp_path: Path) -> None:
    contents = {"a": b"one", "b": b"two", "c": b"one", "d": b"three", "e": b"one", "f": b"two", "g": b"six"}
    paths = [tmp_path / name for name in contents]
    for path in paths:
        path.write_bytes(contents[path.name])
    expected = [tuple(tmp_path / name for name in names) for names in ("ace", "bf")]
    assert find_duplicates(reversed(paths)) == expected
    assert find_duplicates(paths + paths, workers=1) == expected


def test_missing_empty_and_unreadable_files_are_nobodys_twins(tmp_path: Path) -> None:
    for name in ("empty1", "empty2"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    assert find_duplicates([*tmp_path.iterdir(), tmp_path / "missing1", tmp_path / "missing2"]) == []


def test_the_twins_of_the_real_clips(shared: Path) -> None:
    clips = shared / "data" / "ucf101-10" / "clips"
    dog = clips / "WalkingWithDog"
    assert find_duplicates(clips.rglob("*.mp4")) == [
        (dog / "v_WalkingWithDog_g19_c05.mp4", dog / "v_WalkingWithDog_g23_c03.mp4")
    ]
