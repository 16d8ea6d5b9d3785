"""The clips of a run, where their files lie now: by place and content, and renamed ones by content alone."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.protocols import make_split
from muybridge.dataset.recorded import with_contents
from muybridge.dataset.run_clips import found_under, require_files
from muybridge.dataset.split import Split
from muybridge.errors import UserError

RUN = Path("runs/a")


@pytest.fixture
def split(tmp_path: Path) -> Split:
    for label in ("walk", "run"):
        for number in range(6):
            path = tmp_path / "old" / label / f"clip{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{label} {number}".encode())
    made = make_split(read_catalog(tmp_path / "old"))
    return made.with_clips(with_contents(made.clips))


def moved(split: Split, root: Path) -> Split:
    return found_under(split, root, run=RUN)


def test_a_moved_folder_is_found_with_ids_hash_and_labels_as_they_were(split: Split, tmp_path: Path) -> None:
    (tmp_path / "old").rename(tmp_path / "new")
    found = moved(split, tmp_path / "new")
    assert [clip.id for clip in found.clips] == [clip.id for clip in split.clips]
    assert all(clip.path.is_file() and tmp_path / "new" in clip.path.parents for clip in found.clips)
    assert found.hash == split.hash
    found.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == found


def test_renamed_files_are_found_by_what_they_hold(split: Split, tmp_path: Path) -> None:
    flat = tmp_path / "flat" / "deep"
    flat.mkdir(parents=True)
    for number, clip in enumerate(split.clips):
        shutil.move(clip.path, flat / f"{number}.bin")
    found = moved(split, tmp_path / "flat")
    assert [clip.path.name for clip in found.clips] == [f"{number}.bin" for number in range(12)]
    assert found.clips_of("test") == tuple(clip for clip in found.clips if clip.id in split.test)
    found.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == found


def test_two_clips_that_changed_places_are_told_apart(split: Split, tmp_path: Path) -> None:
    (tmp_path / "old").rename(tmp_path / "new")
    one, other = (tmp_path / "new" / label / "clip0.mp4" for label in ("walk", "run"))
    first = one.read_bytes()
    one.write_bytes(other.read_bytes() + b" ")
    other.write_bytes(first)
    (tmp_path / "new" / "run" / "copy.mp4").write_bytes(b"run 0")
    found = {clip.id: clip.path for clip in moved(split, tmp_path / "new").clips}
    assert found["walk/clip0.mp4"] == other
    assert found["run/clip0.mp4"].name == "copy.mp4"


def test_a_changed_clip_is_refused(split: Split, tmp_path: Path) -> None:
    (tmp_path / "old").rename(tmp_path / "new")
    (tmp_path / "new" / "walk" / "clip3.mp4").write_bytes(b"other!")
    with pytest.raises(UserError, match=r"1 clip of runs/a under .* hold other bytes .*walk/clip3.mp4"):
        moved(split, tmp_path / "new")


def test_a_clip_that_did_not_move_along_is_looked_for_where_it_was(split: Split, tmp_path: Path) -> None:
    (tmp_path / "old" / "run").rename(tmp_path / "run")
    found = moved(split, tmp_path)
    assert {clip.path.parent for clip in found.clips} == {tmp_path / "run", tmp_path / "old" / "walk"}
    (tmp_path / "old" / "walk" / "clip1.mp4").unlink()
    with pytest.raises(UserError, match=r"1 of 12 clips of runs/a cannot be found, .*walk/clip1.mp4.*run.clips_root"):
        require_files(moved(split, tmp_path / "run").clips, run=RUN)


def test_a_run_without_a_record_is_found_by_place_alone(split: Split, tmp_path: Path) -> None:
    bare = split.with_clips(replace(clip, size_bytes=None, sha256=None) for clip in split.clips)
    (tmp_path / "old").rename(tmp_path / "new")
    assert all(clip.path.is_file() for clip in moved(bare, tmp_path / "new").clips)
    with pytest.raises(UserError, match=r"none of the 12 clips .*did not record"):
        moved(bare, tmp_path / "new" / "walk")
    assert moved(split, tmp_path / "new" / "walk").clips[-1].path.is_file()


def test_a_folder_that_is_none_or_holds_nothing(split: Split, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for root, words in ((tmp_path / "nowhere", "is no folder"), (tmp_path / "empty", "none of the 12 clips of runs/a")):
        with pytest.raises(UserError, match=words):
            moved(split, root)
