"""Protocols: what must hold of every split, on drawn catalogs and on the real lists."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.catalogs import ROOT, catalog_of

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.protocols import make_split
from muybridge.dataset.split import Split
from muybridge.errors import UserError

# Catalogs whose groups lie within one class (as HMDB-51's and UCF101's): for each class its groups' sizes.
class_sizes = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=12), min_size=2, max_size=5)
seeds = st.integers(0, 1000)
# Catalogs whose groups may hold clips of several classes.
mixed_clips = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("0123456789")), min_size=2, max_size=80)


def by_sizes(sizes: list[list[int]]) -> Catalog:
    return catalog_of(
        (f"class{label}", f"class{label}_{group}")
        for label, groups in enumerate(sizes)
        for group, size in enumerate(groups)
        for _ in range(size)
    )


def groups_of(split: Split, part: str, label: str | None = None) -> set[str]:
    return {clip.group for clip in split.clips_of(part) if label in (None, clip.label)}  # type: ignore[arg-type]


def assert_disjoint_and_complete(split: Split, catalog: Catalog) -> None:
    ids = [*split.train, *split.validation, *split.test]
    assert sorted(ids) == [clip.id for clip in catalog.clips]
    assert split.clips == catalog.clips


@given(sizes=class_sizes, seed=seeds)
def test_grouped_keeps_groups_whole_and_every_part_served(sizes: list[list[int]], seed: int) -> None:
    catalog = by_sizes(sizes)
    split = make_split(catalog, protocol="grouped", seed=seed)
    assert_disjoint_and_complete(split, catalog)
    train, validation, test = (groups_of(split, part) for part in ("train", "validation", "test"))
    assert not (train & validation or train & test or validation & test)
    leak = split.leak(catalog)
    assert (leak.test_shared, leak.validation_shared) == (0, 0)
    for label, groups in enumerate(sizes):
        served = tuple(bool(groups_of(split, part, f"class{label}")) for part in ("train", "validation", "test"))
        expected = {1: (True, False, False), 2: (True, False, True)}
        assert served == expected.get(len(groups), (True, True, True))


@given(sizes=st.lists(st.lists(st.integers(1, 9), min_size=6, max_size=20), min_size=2, max_size=4), seed=seeds)
def test_grouped_is_stratified(sizes: list[list[int]], seed: int) -> None:
    split = make_split(by_sizes(sizes), protocol="grouped", seed=seed)
    for label, groups in enumerate(sizes):
        count = {part: sum(c.label == f"class{label}" for c in split.clips_of(part)) for part in ("validation", "test")}
        # Whole groups cannot come nearer than half a group, or than the one group a part gets at least.
        assert abs(count["test"] - 0.2 * sum(groups)) <= max(max(groups) / 2, min(groups))
        rest = sum(groups) - count["test"]
        assert abs(count["validation"] - 0.2 * rest) <= max(max(groups) / 2, max(groups) - 0.2 * rest)


@given(clips=mixed_clips, seed=seeds)
def test_groups_across_classes_stay_whole(clips: list[tuple[str, str]], seed: int) -> None:
    catalog = catalog_of(clips)
    if len(catalog.classes) < 2:
        return
    split = make_split(catalog, protocol="grouped", seed=seed)
    assert_disjoint_and_complete(split, catalog)
    assert (split.leak(catalog).test_shared, split.leak(catalog).validation_shared) == (0, 0)
    assert {clip.label for clip in split.clips_of("train")} == set(catalog.classes)


@given(sizes=class_sizes, seed=seeds, protocol=st.sampled_from(["grouped", "random"]), data=st.data())
def test_a_split_depends_on_the_seed_alone(
    sizes: list[list[int]], seed: int, protocol: str, data: st.DataObject
) -> None:
    catalog = by_sizes(sizes)
    shuffled = Catalog(ROOT, "csv", tuple(data.draw(st.permutations(catalog.clips))))
    assert make_split(catalog, protocol=protocol, seed=seed) == make_split(shuffled, protocol=protocol, seed=seed)


@pytest.mark.parametrize("protocol", ["grouped", "random"])
def test_other_seeds_give_other_splits(protocol: str) -> None:
    catalog = by_sizes([[3] * 10, [2] * 12])
    assert len({make_split(catalog, protocol=protocol, seed=seed).hash for seed in range(20)}) >= 19


def test_a_seed_gives_this_very_split_for_ever() -> None:
    split = make_split(by_sizes([[2, 3, 1, 2], [1, 1, 1, 4]]), protocol="grouped", seed=7)
    assert split.hash == "522e1f9f7a83730cd14799bf12ee1566bae5ec54ae03df96cf2279cdc48d8221"


@given(sizes=class_sizes, seed=seeds)
def test_random_has_the_reports_shares_in_every_class(sizes: list[list[int]], seed: int) -> None:
    catalog = by_sizes(sizes)
    split = make_split(catalog, protocol="random", seed=seed)
    assert_disjoint_and_complete(split, catalog)
    for label, groups in enumerate(sizes):
        n = sum(groups)
        test, validation = (
            sum(c.label == f"class{label}" for c in split.clips_of(part)) for part in ("test", "validation")
        )
        assert abs(test - 0.2 * n) <= 0.5 or (n > 1 and test == 1)
        assert abs(validation - 0.33 * (n - test)) <= 0.5 or (n - test > 1 and validation == 1)


@given(sizes=class_sizes, seed=seeds, share=st.sampled_from([0.0, 0.1, 0.5, 0.9]))
@settings(max_examples=50)
def test_any_share_leaves_something_to_train_on(sizes: list[list[int]], seed: int, share: float) -> None:
    catalog = by_sizes(sizes)
    split = make_split(catalog, protocol="grouped", seed=seed, test_share=share, validation_share=share)
    assert_disjoint_and_complete(split, catalog)
    assert {clip.label for clip in split.clips_of("train")} == set(catalog.classes)
    if share == 0:
        assert split.train == tuple(clip.id for clip in catalog.clips)


def test_small_classes_are_named() -> None:
    split = make_split(by_sizes([[4], [3, 3], [2, 2, 2]]), protocol="grouped")
    assert "no test clips for 1 class: class0" in split.notes
    assert "no validation clips for 2 classes: class0, class1" in split.notes
    split = make_split(by_sizes([[4], [3]]), protocol="grouped")
    assert {"the test part is empty", "the validation part is empty"} <= set(split.notes)


# Byte-identical twins.


@pytest.fixture
def twins(tmp_path: Path) -> Catalog:
    """Two classes of six groups of two clips; one file of walk_0 is the twin of one of walk_1."""
    clips = []
    for label in ("walk", "run"):
        for number in range(12):
            path = tmp_path / label / f"{number}.mp4"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"twin" if (label, number) in [("walk", 1), ("walk", 2)] else f"{label}{number}".encode())
            clips.append(Clip(path, label=label, group=f"{label}_g{number // 2}", root=tmp_path))
    return Catalog(tmp_path, "csv", tuple(clips))


def test_twins_never_stand_on_both_sides(twins: Catalog) -> None:
    sides = set()
    for seed in range(30):
        split = make_split(twins, protocol="grouped", seed=seed)
        together = [part for part in ("train", "validation", "test") if groups_of(split, part) & {"walk_g0", "walk_g1"}]
        assert len(together) == 1
        assert split.leak(twins).test_identical == 0
        sides.update(together)
    assert "test" in sides and len(sides) > 1


def test_random_counts_the_twins_it_parts(twins: Catalog) -> None:
    counts = {make_split(twins, protocol="random", seed=seed).leak(twins).test_identical for seed in range(30)}
    assert counts == {0, 1}


def test_named_groups_are_the_test_part_and_their_twins_leave_train(twins: Catalog) -> None:
    split = make_split(twins, test_groups=["walk_g0", "g3"])
    assert groups_of(split, "test") == {"walk_g0", "walk_g3", "run_g3"}
    assert set(twins.by_id) - {clip.id for clip in split.clips} == {"walk/2.mp4"}
    assert any("1 clip left out of train" in note and "walk/2.mp4" in note for note in split.notes)
    assert split.leak(twins).test_shared == 0
    assert groups_of(split, "validation") and not groups_of(split, "validation") & groups_of(split, "train")


def test_parts_of_one_file_stay_together() -> None:
    clips = [
        Clip(ROOT / f"{n}.mp4", label=label, group=f"{label}{n}", start_seconds=start, root=ROOT)
        for n in range(8)
        for label, start in (("walk", 0.0), ("run", 1.0))
    ]
    split = make_split(Catalog(ROOT, "csv", tuple(clips)), protocol="grouped")
    files = [{clip.path for clip in split.clips_of(part)} for part in ("train", "validation", "test")]
    assert sum(map(len, files)) == len(set.union(*files)) == 8


# Given splits and mistakes.


def given_catalog(*parts: str | None) -> Catalog:
    clips = [
        Clip(ROOT / label / f"{n}.mp4", label=label, group=f"{label}{n}", split=part, root=ROOT)
        for label in ("walk", "run")
        for n, part in enumerate(parts)
    ]
    return Catalog(ROOT, "csv", tuple(clips))


def test_a_given_split_is_taken_as_it_is() -> None:
    catalog = given_catalog("train", "validation", "test", None, "train")
    split = make_split(catalog)
    assert split.protocol == "given"
    for part in ("train", "validation", "test"):
        assert getattr(split, part) == tuple(clip.id for clip in catalog.clips if clip.split == part)
    assert split.notes == ("2 clips in no part of the given split: left out",)
    assert make_split(catalog, protocol="grouped").protocol == "grouped"


def test_a_given_split_without_validation_gets_one_from_train() -> None:
    catalog = given_catalog("train", "train", "train", "test")
    split = make_split(catalog)
    assert split.test == ("run/3.mp4", "walk/3.mp4")
    assert Counter(clip.label for clip in split.clips_of("validation")) == {"walk": 1, "run": 1}
    assert any("no validation part" in note for note in split.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "groupd"}, "unknown protocol 'groupd'; did you mean 'grouped'"),
        ({"protocol": "given"}, "has no split of its own"),
        ({"protocol": "random", "test_groups": ["g1"]}, "test_groups goes with protocol grouped"),
        ({"test_groups": ["class0_9"]}, "no clip of /nowhere has the source group 'class0_9'; did you mean"),
        (
            {"test_groups": ["class0_0", "class0_1", "class0_2"]},
            r"no clips to train on for 1 class \(class0\)",
        ),
        ({"test_share": 1.0}, "test_share is 1"),
        ({"validation_share": -0.1}, "validation_share is -0.1"),
        ({"protocol": "official-1"}, r"no official lists for split 1.*put HMDB-51's \*_test_split1"),
    ],
)
def test_impossible_wishes_are_told(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_split(by_sizes([[2, 2, 2], [2, 2, 2]]), **options)  # type: ignore[arg-type]


def test_one_class_cannot_be_split() -> None:
    with pytest.raises(UserError, match="1 class; a split needs two"):
        make_split(by_sizes([[2, 2, 2]]))


# The real lists.


@pytest.mark.parametrize("number", [1, 2, 3])
def test_hmdb51_official(hmdb51: Catalog, shared: Path, number: int) -> None:
    split = make_split(hmdb51, protocol=f"official-{number}", lists=shared / "splits")
    assert (len(split.train) + len(split.validation), len(split.test)) == (3570, 1530)
    assert set(Counter(clip.label for clip in split.clips_of("test")).values()) == {30}
    assert set(Counter(clip.label for clip in split.clips if clip.id not in split.test).values()) == {70}
    assert "1666 clips left out: marked as unused by the official list" in split.notes
    leak = split.leak(hmdb51)
    assert (leak.test_shared, leak.validation_shared) == (0, 0)
    assert str(leak) == "0 of 1530 test clips share a source with train"


@pytest.mark.parametrize(("number", "train", "test"), [(1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696)])
def test_ucf101_official(ucf101: Catalog, shared: Path, number: int, train: int, test: int) -> None:
    split = make_split(ucf101, protocol=f"official-{number}", lists=shared / "splits" / "ucf101")
    assert (len(split.train) + len(split.validation), len(split.test)) == (train, test)
    assert (split.leak(ucf101).test_shared, split.leak(ucf101).validation_shared) == (0, 0)


def test_the_random_protocol_leaks_on_hmdb51_as_measured_before(hmdb51: Catalog) -> None:
    """The share of test clips with a sibling outside the test part was measured independently as 82.5 %."""
    leaks = [make_split(hmdb51, protocol="random", seed=seed).leak(hmdb51) for seed in range(5)]
    assert sum(leak.test_shared for leak in leaks) / sum(leak.test_clips for leak in leaks) == pytest.approx(
        0.825, abs=0.01
    )


def test_grouped_on_hmdb51(hmdb51: Catalog) -> None:
    split = make_split(hmdb51, protocol="grouped")
    assert_disjoint_and_complete(split, hmdb51)
    assert (split.leak(hmdb51).test_shared, split.leak(hmdb51).validation_shared) == (0, 0)
    assert len(split.test) / len(hmdb51.clips) == pytest.approx(0.2, abs=0.01)
    assert split.notes == ()


def test_the_given_real_clips(shared: Path) -> None:
    catalog = read_catalog(shared / "data" / "ucf101-10")
    split = make_split(catalog, test_groups=["g08", "g09", "g10", "g11", "g12"])
    assert len(split.test) == 189
    assert str(split.leak(catalog)) == "0 of 189 test clips share a source with train"
    official = make_split(catalog, protocol="official-1", lists=shared / "splits")
    assert (len(official.train) + len(official.validation), len(official.test)) == (659, 0)
    assert "the test part is empty" in official.notes
