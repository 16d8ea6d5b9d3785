"""Clips, catalogs and their subsets."""

import copy
import hashlib
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest

from muybridge.dataset.catalog import Catalog, Clip, matches_group
from muybridge.errors import UserError

ROOT = Path("/data")


def clip(name: str, label: str = "walk", group: str = "g", **times: float) -> Clip:
    return Clip(ROOT / name, label=label, group=group, root=ROOT, **times)


@pytest.mark.parametrize(
    ("times", "id"),
    [
        ({}, "walk/a.mp4"),
        ({"start_seconds": 0.0}, "walk/a.mp4#0-"),
        ({"end_seconds": 2.5}, "walk/a.mp4#-2.5"),
        ({"start_seconds": 1.0, "end_seconds": 1234567.25}, "walk/a.mp4#1-1234567.25"),
    ],
)
def test_id_is_relative_to_the_root_and_tells_parts_of_a_file_apart(times: dict[str, float], id: str) -> None:
    assert clip("walk/a.mp4", **times).id == id


def test_id_outside_the_root_is_the_whole_path() -> None:
    assert Clip(Path("/elsewhere/a.mp4"), label="walk", group="g", root=ROOT).id == "/elsewhere/a.mp4"


def test_names_that_are_not_unicode_become_printable() -> None:
    odd = clip("walk/caf\udce9.avi", label="caf\udce9", group="caf\udce9")
    assert (odd.id, odd.label, odd.group) == ("walk/caf\\xe9.avi", "caf\\xe9", "caf\\xe9")
    assert odd.path == ROOT / "walk/caf\udce9.avi"


def test_catalog_sorts_its_clips_and_refuses_the_same_clip_twice() -> None:
    a, b, c = clip("a.mp4"), clip("b.mp4", "run"), clip("c.mp4")
    catalog = Catalog(ROOT, "folders", (c, a, b))
    assert catalog.clips == (a, b, c)
    assert catalog == Catalog(ROOT, "folders", (b, c, a))
    assert catalog.classes == ("run", "walk")
    with pytest.raises(UserError, match=r"a\.mp4 is listed more than once"):
        Catalog(ROOT, "folders", (a, b, clip("a.mp4", "run")))


@pytest.fixture
def four_classes() -> Catalog:
    return Catalog(ROOT, "folders", tuple(clip(f"{name}/1.mp4", name) for name in ("walk", "jump", "run", "clap")))


def test_subset_by_number_takes_the_first_in_the_alphabet(four_classes: Catalog) -> None:
    assert four_classes.subset(2).classes == ("clap", "jump")
    assert "2 of 4 classes kept: clap, jump" in four_classes.subset(2).notes
    assert four_classes.subset(4).clips == four_classes.clips
    assert four_classes.subset(None) is four_classes


def test_subset_by_name(four_classes: Catalog) -> None:
    assert [clip.id for clip in four_classes.subset(["walk", "clap"]).clips] == ["clap/1.mp4", "walk/1.mp4"]


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["wlak", "run"], "unknown class 'wlak' in /data; did you mean 'walk'?"),
        (["xyz"], "unknown class 'xyz' in /data; choose from clap, jump, run, walk"),
        (["run", "run"], "class 'run' is named twice"),
        ([], "keeps no clips"),
        (0, "cannot take 0 classes"),
        (5, "it has 4"),
    ],
)
def test_impossible_subsets_are_told(four_classes: Catalog, classes: list[str] | int, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        four_classes.subset(classes)


@pytest.mark.parametrize(
    ("group", "pattern", "expected"),
    [
        ("Basketball_g08", "g08", True),
        ("Basketball_g08", "Basketball_g08", True),
        ("Basketball_g18", "g08", False),
        ("Biking_g08", "Basketball_g08", False),
        ("game_3", "3", False),
        ("g08", "g08", True),
        ("Basketball_g08", "g0", False),
    ],
)
def test_matches_group(group: str, pattern: str, expected: bool) -> None:
    assert matches_group(clip("a.mp4", group=group), pattern) is expected


def test_a_packed_clip_is_the_clip_that_the_constructor_makes():
    values = {"label": "a", "group": "g", "group_known": True, "split": "test", "size_bytes": 7, "sha256": "f" * 64}
    times = {"start_seconds": 1.0, "end_seconds": None}
    place, id = "shard-000000.tar/512+7/0-a.mp4", "a/a.mp4#1-"
    packed = Clip.packed(ROOT, place, id=id, **values, **times)
    made = Clip(ROOT / place, root=ROOT, known_as=id, **values, **times)
    for clip in (packed, pickle.loads(pickle.dumps(packed)), copy.deepcopy(packed), replace(packed)):
        assert clip == made and hash(clip) == hash(made) and repr(clip) == repr(made)
        assert clip.id == made.id and clip.file_id == made.file_id == "a/a.mp4" and clip.stem == "a"
        assert clip.is_packed and made.is_packed and clip.path == made.path
    labelled = replace(packed, known_as="a#b.mp4#1- x#1")
    assert labelled.file_id == "a#b.mp4" and labelled.stem == "a#b"
    assert Clip(ROOT / "x#-y.mp4", label="a", group="g", root=ROOT).file_id == "x#-y.mp4"
    fresh = Clip.packed(ROOT, place, id=id, **values, **times)
    assert "path" not in vars(fresh) and fresh.is_packed and "path" not in vars(fresh)
    with pytest.raises(AttributeError, match="no attribute 'paht'"):
        _ = fresh.paht
    assert replace(fresh, path=ROOT / "b.mp4").path == ROOT / "b.mp4"


def test_twins_and_contradictions_of_packed_clips_are_those_of_files(tmp_path):
    files = {"a/1.mp4": b"one", "a/2.mp4": b"two", "b/3.mp4": b"one", "b/4.mp4": b"two", "b/5.mp4": b"", "a/6.mp4": b""}
    plain, packed = [], []
    (tmp_path / "shard-000000.tar").write_bytes(b"".join(files.values()))
    offset = 0
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
        # Of file 2, one part; of its twin 4, the same one and another.
        for times in {"a/2.mp4": [(0.0, 1.0)], "b/4.mp4": [(0.0, 1.0), (1.0, 2.0)]}.get(name, [(None, None)]):
            clip = Clip(tmp_path / name, name[0], "g", start_seconds=times[0], end_seconds=times[1], root=tmp_path)
            plain.append(clip)
            packed.append(
                Clip.packed(
                    tmp_path,
                    f"shard-000000.tar/{offset}+{len(data)}/{name[2:]}",
                    id=clip.id,
                    label=clip.label,
                    group="g",
                    group_known=True,
                    split=None,
                    start_seconds=times[0],
                    end_seconds=times[1],
                    size_bytes=len(data),
                    sha256=hashlib.sha256(data).hexdigest(),
                )
            )
        offset += len(data)
    of_files, of_shards = Catalog(tmp_path, "folders", tuple(plain)), Catalog(tmp_path, "shards", tuple(packed))
    said = [
        (
            sorted(sorted(clip.id for clip in each.clips_in(twins)) for twins in each.duplicates),
            sorted([clip.id for clip in clips] for clips in each.contradictions),
        )
        for each in (of_files, of_shards)
    ]
    assert said[0] == said[1]
    assert said[1][1] == [["a/1.mp4", "b/3.mp4"], ["a/2.mp4#0-1", "b/4.mp4#0-1"]]
