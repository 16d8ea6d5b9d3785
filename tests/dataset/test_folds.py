"""Folds for cross-validation: no source on two sides, classes evenly spread."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.folds import cross_validation, group_folds
from muybridge.errors import UserError

CLIPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=1, max_size=60)


@given(CLIPS, st.integers(2, 6), st.integers(0, 3))
def test_a_group_is_in_one_fold_and_the_folds_are_a_function_of_the_clips(clips, count, seed):
    labels, groups = [label for label, _ in clips], [f"{label}{group}" for label, group in clips]
    folds = group_folds(labels, groups, count=count, seed=seed)
    assert folds == group_folds(labels, groups, count=count, seed=seed)
    assert len({(group, fold) for group, fold in zip(groups, folds, strict=True)}) == len(set(groups))
    assert set(folds) == set(range(min(count, len(set(groups)))))


def test_classes_are_spread_evenly():
    labels = [label for label in "abc" for _ in range(20)]
    groups = [f"{label}{number // 2}" for label in "abc" for number in range(20)]
    table = Counter(zip(labels, group_folds(labels, groups, count=5, seed=0), strict=True))
    assert set(table.values()) == {4}


def catalog_of(*sources: tuple[str, str, int]):
    """A catalog without files: of each (label, group) so many clips."""
    clips = [
        Clip(path=Path(f"{label}/{group}-{number}.avi"), label=label, group=group)
        for label, group, count in sources
        for number in range(count)
    ]
    return Catalog(root=Path(), layout="folders", clips=tuple(clips))


def test_each_clip_is_in_the_test_part_of_one_fold():
    catalog = catalog_of(*((label, f"{label}{group}", 3) for label in "ab" for group in range(6)))
    whole, folds = cross_validation(catalog, count=3, validation_share=0.25)
    assert sorted(id for fold in folds for id in fold.test) == list(whole.test) == sorted(catalog.by_id)
    for fold in folds:
        assert fold.leak(catalog).test_shared == fold.leak(catalog).validation_shared == 0
        assert fold.validation and not set(fold.train) & set(fold.validation)
        assert len(fold.train) + len(fold.validation) + len(fold.test) == len(catalog.clips)


def test_a_class_with_one_source_is_named():
    catalog = catalog_of(("a", "a1", 2), ("a", "a2", 2), ("b", "b1", 2))
    whole, folds = cross_validation(catalog, count=2)
    assert any("1 class with one source" in note and "b" in note for note in whole.notes)
    assert all(fold.classes == ("a", "b") for fold in folds)


@pytest.mark.parametrize("count", [1, 9])
def test_too_few_or_too_many_folds_are_refused(count):
    with pytest.raises(UserError, match=f"data.folds is {count}"):
        cross_validation(catalog_of(("a", "a1", 1), ("a", "a2", 1), ("b", "b1", 1)), count=count)
