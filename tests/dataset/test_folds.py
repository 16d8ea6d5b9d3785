"""Folds for cross-validation: no source on two sides, classes evenly spread."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from muybridge.dataset.folds import group_folds

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
