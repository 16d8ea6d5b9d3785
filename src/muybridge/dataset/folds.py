"""Folds for cross-validation: clips of one source group are always in the same fold, classes evenly over the folds."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from muybridge.dataset.catalog import Catalog, are_guessed
from muybridge.dataset.cutting import drawn
from muybridge.dataset.protocols import cut_validation
from muybridge.dataset.sources import linked_clips
from muybridge.dataset.split import Part, Split
from muybridge.errors import UserError
from muybridge.text import counted, shortened


def cross_validation(
    catalog: Catalog, *, count: int, seed: int = 0, validation_share: float = 0.0
) -> tuple[Split, tuple[Split, ...]]:
    """Divide a catalog into folds, each of which is tested by a model that learns from the others.

    Clips that share a source, as `linked_clips` finds them, are in the same fold.

    Args:
        catalog: The clips.
        count: Number of folds, 2 or more.
        seed: Seed of the draw.
        validation_share: Share of each class's clips outside a fold, whole sources, that validates; 0 for none.

    Returns:
        The whole, with every clip in its test part, and the split of each fold.

    Raises:
        UserError: For fewer than two folds or classes, or more folds than sources.
    """
    if count < 2:
        raise UserError(f"data.folds is {count}; give 2 or more, or 0 for a single test part")
    if len(catalog.classes) < 2:
        raise UserError(f"{catalog.root} has {counted(len(catalog.classes), 'class')}; folds need two or more")
    units = linked_clips(catalog)
    unit_of = {clip.id: min(member.group for member in unit) for unit in units for clip in unit}
    sources = {label: len({unit_of[c.id] for c in catalog.clips if c.label == label}) for label in catalog.classes}
    if len(units) < count or max(sources.values()) < 2:
        raise UserError(
            f"data.folds is {count}, and {catalog.root} has {counted(len(units), 'source')}, at most "
            f"{max(sources.values())} a class; give fewer folds than sources, and two sources of some class"
        )
    places = group_folds(
        [clip.label for clip in catalog.clips], [unit_of[clip.id] for clip in catalog.clips], count=count, seed=seed
    )
    protocol = f"{count} folds"
    splits = tuple(
        _fold(catalog, places, fold, protocol=protocol, seed=seed, validation_share=validation_share)
        for fold in range(count)
    )
    single = [label for label, number in sources.items() if number == 1]
    unknown = sum(not clip.group_known for clip in catalog.clips)
    # Two clips of one recording may be in different folds, unseen.
    by_clip = ""
    if unknown == len(catalog.clips):
        by = "look-alikes and else by clip" if are_guessed(catalog.clips) else "clip"
        by_clip = f", divided by {by}, since source groups are unknown"
    source = "it" if by_clip else "its source, where that is known" if unknown else "its source"
    notes = [f"every clip is tested once, by a model that never saw {source} ({count} folds{by_clip})"]
    if single:
        notes.append(
            f"{counted(len(single), 'class')} with one source, which no model can know when it is tested: "
            f"{shortened(single)}"
        )
    ids = tuple(sorted(catalog.by_id))
    whole = Split(protocol, seed, train=(), validation=(), test=ids, clips=catalog.clips, notes=tuple(notes))
    return whole, splits


def _fold(
    catalog: Catalog, places: Sequence[int], fold: int, *, protocol: str, seed: int, validation_share: float
) -> Split:
    test = {clip.id for clip, place in zip(catalog.clips, places, strict=True) if place == fold}
    parts: dict[Part, set[str]] = {"train": catalog.by_id.keys() - test, "validation": set(), "test": test}
    if validation_share:
        cut_validation(catalog, parts, seed=seed, share=validation_share)
    return Split(
        f"fold {fold + 1} of {protocol}",
        seed,
        train=tuple(sorted(parts["train"])),
        validation=tuple(sorted(parts["validation"])),
        test=tuple(sorted(test)),
        clips=catalog.clips,
    )


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
