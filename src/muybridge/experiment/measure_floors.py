"""The floors of an accuracy, from the clips that a model learned from and those that it was tested on."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from muybridge.console import progress_on
from muybridge.dataset.catalog import Clip
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.evaluation.colours import colours_of, nearest
from muybridge.evaluation.floors import Floor, Floors
from muybridge.file_parts import is_there
from muybridge.pipeline.glimpses import Seen, look_at
from muybridge.recipes.cache import CacheConfig
from muybridge.recipes.store import read_values
from muybridge.runs import RunFolder
from muybridge.schemas import convert
from muybridge.text import counted

Parts = tuple[Sequence[Clip], Sequence[Clip]]
"""Training clips, and the test clips of the model that learned from them."""


def floors_of_split(split: Split, *, cache: CacheConfig, console: Console) -> Floors:
    """The floors of a split's test part."""
    return summed(each_of([(split.clips_of("train"), split.clips_of("test"))], cache=cache, console=console))


def each_of(parts: Sequence[Parts], *, cache: CacheConfig, console: Console) -> list[Floors]:
    """The floors of each division; a clip that several have is looked at once.

    Args:
        parts: Training and test clips. A test clip that does not decode counts as wrong.
        cache: Where tiny frames of the clips are kept.
        console: Where progress is printed.
    """
    if not all(train and test for train, test in parts):
        return [Floors(absent="no training clips to take a class from") for _ in parts]
    majorities = [_majority(train, test) for train, test in parts]
    colours, absent = _colours(parts, cache=cache, console=console)
    return [
        Floors(majority, label, nearest_colours, absent)
        for (majority, label), nearest_colours in zip(majorities, colours, strict=True)
    ]


def summed(found: Sequence[Floors]) -> Floors:
    """The floors of several models' test clips as one."""
    if len(found) == 1:
        return found[0]
    labels = {floors.majority_class for floors in found}
    return Floors(
        majority=_sum([floors.majority for floors in found]),
        majority_class=labels.pop() if len(labels) == 1 else "",
        colours=_sum([floors.colours for floors in found]),
        absent=next((floors.absent for floors in found if floors.absent), ""),
    )


def cache_of(run: Path) -> CacheConfig:
    """Where a run keeps frames; the usual place for one without a recipe, an ensemble."""
    recipe = RunFolder(run).recipe
    # Not checked against today's options, so that the run of an older version is measured, too.
    values = read_values(str(recipe))[0].get("cache", {}) if recipe.is_file() else {}
    return convert(values, CacheConfig, where=str(recipe), hint="correct its section cache")


def _sum(floors: Sequence[Floor | None]) -> Floor | None:
    known = [floor for floor in floors if floor is not None]
    if len(known) < len(floors):
        return None
    return Floor(sum(floor.correct for floor in known), sum(floor.clips for floor in known))


def _majority(train: Sequence[Clip], test: Sequence[Clip]) -> tuple[Floor, str]:
    """The most frequent class of the training clips, the first in the alphabet of equals."""
    counts = Counter(clip.label for clip in train)
    label = min(counts, key=lambda label: (-counts[label], label))
    return Floor(sum(clip.label == label for clip in test), len(test)), label


def _colours(parts: Sequence[Parts], *, cache: CacheConfig, console: Console) -> tuple[list[Floor | None], str]:
    """The floor of the nearest colours for each division, and why there is none."""
    none: list[Floor | None] = [None] * len(parts)
    gone = {clip.path for train, _ in parts for clip in train if not is_there(clip.path)}
    if gone:
        return none, f"no colours, {counted(len(gone), 'training file')} cannot be found (for example {min(gone)})"
    try:
        # Apart, since a clip of another data set may have the name of a training clip.
        values = _look(_distinct([train for train, _ in parts]), cache, console)
        tested = _look(_distinct([test for _, test in parts]), cache, console)
    except (UserError, OSError) as error:
        return none, f"no colours, {error}"
    if not all(any(clip.id in values.values for clip in train) for train, _ in parts):
        return none, "no colours, no training clip decodes"
    return [_nearest(train, test, values, tested) for train, test in parts], ""


def _distinct(parts: Sequence[Sequence[Clip]]) -> list[Clip]:
    """The clips of all parts, each once."""
    return list({clip.id: clip for part in parts for clip in part}.values())


def _look(clips: Sequence[Clip], cache: CacheConfig, console: Console) -> Seen:
    with progress_on(console) as progress:
        task = progress.add_task("colours alone", total=len(clips))
        return look_at(
            clips, colours_of, cache=cache, on_progress=lambda done, total: progress.update(task, completed=done)
        )


def _nearest(train: Sequence[Clip], test: Sequence[Clip], known: Seen, asked: Seen) -> Floor:
    train = [clip for clip in train if clip.id in known.values]
    decoded = [clip for clip in test if clip.id in asked.values]
    if not decoded:
        return Floor(0, len(test))
    found_M = nearest(
        np.stack([known.values[clip.id] for clip in train]), np.stack([asked.values[clip.id] for clip in decoded])
    )
    right = sum(clip.label == train[n].label for clip, n in zip(decoded, found_M, strict=True))
    return Floor(right, len(test))
