"""Cutting a part of given size off a set of clips, in whole units and evenly over the classes.

Draws are made by hashing names with the seed rather than by a random generator: the result is the same on
every machine and Python version and in whatever order the clips are listed, and it changes little when clips
are added.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable

from muybridge.dataset.catalog import Clip

Unit = tuple[Clip, ...]
"""Clips that belong together: they share sources with each other and with no clip outside."""


def drawn(names: Iterable[str], *, seed: int) -> list[str]:
    """The names in an order drawn by the seed."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())


def cut_units(units: Iterable[Unit], *, share: float, spare: int, seed: int) -> list[Unit]:
    """Choose units that hold about a share of each class's clips.

    In the order drawn, a unit is taken when it brings the classes' numbers of clips nearer to the share, so a
    class ends within half of its largest unit of its share. A class that got nothing then gets the unit that
    fits best.

    Args:
        units: What to choose from; no source may be in two of them.
        share: Share of each class's clips to take; 0 takes nothing.
        spare: Number of units that each class keeps, if it has so many and one more; at least one always.
        seed: Seed of the draw.

    Returns:
        The units chosen, which may be none.
    """
    if share == 0:
        return []
    by_name = {min(clip.group for clip in unit): unit for unit in units}
    order = drawn(by_name, seed=seed)
    sizes = {name: Counter(clip.label for clip in by_name[name]) for name in order}
    owed: Counter[str] = Counter()  # units per class not taken yet
    wanted: dict[str, float] = {}
    for size in sizes.values():
        owed.update(size.keys())
        for label, clips in size.items():
            wanted[label] = wanted.get(label, 0.0) + share * clips
    kept = {label: max(1, min(spare, number - 1)) for label, number in owed.items()}
    missing = dict(wanted)  # clips per class still to take; below 0 when too many were
    taken: list[str] = []

    def gain(name: str) -> float:
        """By how much nearer to the shares the classes come with this unit."""
        return sum(abs(missing[label]) - abs(missing[label] - clips) for label, clips in sizes[name].items())

    def allowed(name: str) -> bool:
        return all(owed[label] > kept[label] for label in sizes[name])

    def take(name: str) -> None:
        taken.append(name)
        for label, clips in sizes[name].items():
            missing[label] -= clips
            owed[label] -= 1

    for name in order:
        if gain(name) > 0 and allowed(name):
            take(name)
    for label in sorted(wanted):
        if not any(label in sizes[name] for name in taken):
            candidates = [name for name in order if label in sizes[name] and allowed(name)]
            if candidates:
                take(max(candidates, key=gain))
    return [by_name[name] for name in taken]
