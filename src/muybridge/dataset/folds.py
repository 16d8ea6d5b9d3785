"""Folds for cross-validation: clips of one source group are always in the same fold, classes evenly over the folds."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from muybridge.dataset.cutting import drawn


def group_folds(labels: Sequence[str], groups: Sequence[str], *, count: int, seed: int) -> list[int]:
    """Assign each clip to a fold.

    Groups are taken from the largest to the smallest, those of one size in an order drawn by the seed; each goes to
    the fold that has the fewest clips of its classes so far, then the fewest clips.

    Args:
        labels: The class of each clip.
        groups: The source group of each clip.
        count: Number of folds; with fewer groups there are fewer folds.
        seed: Seed of the draw.

    Returns:
        The fold of each clip, from 0 on.
    """
    clips_of: defaultdict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        clips_of[group].append(index)
    order = sorted(drawn(clips_of, seed=seed), key=lambda group: -len(clips_of[group]))
    sizes = [Counter[str]() for _ in range(min(count, len(clips_of)))]
    folds = [0] * len(labels)
    for group in order:
        own = Counter(labels[index] for index in clips_of[group])
        crowding = [sum(size[label] * clips for label, clips in own.items()) for size in sizes]
        fold = min(range(len(sizes)), key=lambda f: (crowding[f], sizes[f].total(), f))
        sizes[fold].update(own)
        for index in clips_of[group]:
            folds[index] = fold
    return folds
