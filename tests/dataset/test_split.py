"""Splits: their hash, their leak, and how they are kept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.catalogs import ROOT, catalog_of

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.protocols import make_split
from muybridge.dataset.split import Split
from muybridge.errors import UserError


@pytest.fixture
def catalog() -> Catalog:
    return catalog_of((label, f"{label}{group}") for label in ("walk", "run") for group in range(5) for _ in range(3))


def by_hand(catalog: Catalog, *, train: str, validation: str, test: str) -> Split:
    ids = [clip.id for clip in catalog.clips]
    parts = {
        name: tuple(sorted(ids[int(number)] for number in numbers.split()))
        for name, numbers in {"train": train, "validation": validation, "test": test}.items()
    }
    return Split(protocol="given", seed=0, clips=catalog.clips, **parts)


def test_leak_counts_clips_not_groups() -> None:
    catalog = catalog_of(
        [("a", "1"), ("a", "1"), ("a", "1"), ("a", "2"), ("b", "3"), ("b", "4"), ("b", "4"), ("b", "5")]
    )
    split = by_hand(catalog, train="0 4 5", validation="3 6", test="1 2 7")
    leak = split.leak(catalog)
    assert (leak.test_clips, leak.test_shared, leak.test_in_group, leak.test_identical) == (3, 2, 2, 0)
    assert (leak.validation_clips, leak.validation_shared) == (2, 1)
    assert str(leak) == ("2 of 3 test clips share a source with train; 1 of 2 validation clips do")
    # A source shared with validation is a leak as well: the model was chosen there.
    assert by_hand(catalog, train="0 4", validation="5 3", test="6").leak(catalog).test_shared == 1


def test_leak_counts_identical_bytes(tmp_path: Path) -> None:
    clips = []
    for number, content in enumerate((b"same", b"same", b"else", b"more")):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(content)
        clips.append(Clip(path, label="ab"[number % 2], group=str(number), root=tmp_path))
    catalog = Catalog(tmp_path, "csv", tuple(clips))
    leak = by_hand(catalog, train="0 3", validation="", test="1 2").leak(catalog)
    assert (leak.test_shared, leak.test_in_group, leak.test_identical) == (1, 0, 1)
    assert "1 of 2 test clips share a source with train (1 byte for byte)" in str(leak)


def test_leak_of_other_clips_is_refused(catalog: Catalog) -> None:
    with pytest.raises(UserError, match="made from other clips"):
        make_split(catalog).leak(catalog.subset(["walk"]))


def test_hash_names_clips_parts_and_labels_only(catalog: Catalog) -> None:
    split = make_split(catalog, protocol="grouped")
    same = replace(split, protocol="given", seed=5, notes=("other",))
    assert same.hash == split.hash
    moved = replace(split, train=split.train[1:], test=tuple(sorted((*split.test, split.train[0]))))
    assert moved.hash != split.hash
    relabelled = replace(split, clips=(replace(split.clips[0], label="other"), *split.clips[1:]))
    assert relabelled.hash != split.hash


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    clips = [
        Clip(ROOT / "caf\udce9 é.avi", label="café", group="caf\udce9", root=ROOT),
        Clip(ROOT / "b.mp4", label="run", group="2", start_seconds=0.1, end_seconds=2.0, root=ROOT),
        Clip(ROOT / "b.mp4", label="run", group="2", start_seconds=2.0, root=ROOT),
        Clip(Path("/elsewhere/c.mp4"), label="run", group="3", root=ROOT),
    ]
    catalog = Catalog(ROOT, "csv", tuple(clips))
    split = replace(by_hand(catalog, train="0 1", validation="2", test="3"), notes=("a note",))
    path = tmp_path / "deep" / "split.json"
    split.save(path)
    assert Split.load(path) == split
    assert Split.load(path).clips_of("train")[0].path in {clip.path for clip in clips}
    recorded = json.loads(path.read_text())
    assert recorded["hash"] == split.hash
    assert set(recorded["test"][0]) >= {"path", "label", "group"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("walk/0000", "walk/9999", 1),
        lambda text: text.replace('"label": "walk"', '"label": "run"', 1),
        lambda text: text.replace('"test"', '"tset"', 1),
        lambda text: "[]",
        lambda text: '{"root": 3}',
    ],
)
def test_a_damaged_split_is_told(tmp_path: Path, catalog: Catalog, damage) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "split.json"
    make_split(catalog).save(path)
    text = path.read_text()
    assert damage(text) != text
    path.write_text(damage(text))
    with pytest.raises(UserError, match=r"split\.json is damaged"):
        Split.load(path)


def test_a_missing_split_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no split at"):
        Split.load(tmp_path / "split.json")
