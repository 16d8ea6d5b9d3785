"""The clips that a user names: read, kept to some classes, with background and source groups where asked."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from muybridge.checking.look_alike import find_look_alikes
from muybridge.console import STDERR, progress_on
from muybridge.dataset.background import BACKGROUND, with_background
from muybridge.dataset.catalog import Catalog
from muybridge.dataset.group_rule import LOOK_ALIKE
from muybridge.dataset.layouts import read_catalog
from muybridge.errors import UserError, VideoError
from muybridge.experiment.annotated_videos import rules_of, times_of
from muybridge.recipes.cache import CacheConfig
from muybridge.recipes.data import DataConfig
from muybridge.text import counted, shortened


def read_clips(
    clips: str | Path, data: DataConfig, *, cache: CacheConfig | None = None, console: Console = STDERR
) -> Catalog:
    """Read a catalog and keep the classes that the options name.

    Args:
        clips: Where they lie.
        data: Which of them.
        cache: Where frames are kept, for the rule that looks at pictures; default: the usual place.
        console: Where progress is printed.

    Raises:
        UserError: If there is nothing to read, or the options contradict each other.
    """
    catalog = everything = read_catalog(
        Path(clips),
        groups=data.groups,
        alike_labels=data.alike_labels,
        annotations=rules_of(data),
        times_of=times_of,
    )
    if data.classes and data.class_count:
        raise UserError("data.classes and data.class_count exclude each other; leave one of them out")
    # Background joins the classes that are named, and no class covers what is background.
    classes = tuple(name for name in data.classes if data.background == "none" or name != BACKGROUND)
    catalog = catalog.subset(classes or data.class_count or None)
    if data.background != "none":
        ends, failed = _ends(everything.videos)
        if failed:
            listed = shortened([str(error) for error in failed], limit=3)
            note = f"background: not from {counted(len(failed), 'video')} that cannot be decoded: {listed}"
            catalog = replace(catalog, notes=(*catalog.notes, note))
        catalog = with_background(
            catalog,
            everything,
            ends,
            amount=data.background,
            guard_seconds=data.background_guard_seconds,
            seed=data.split_seed,
            groups=data.groups,
        )
    if data.groups != LOOK_ALIKE:
        return catalog
    with progress_on(console) as progress:
        task = progress.add_task("looking for look-alikes", total=len(catalog.clips))
        return find_look_alikes(
            catalog.clips,
            cache=cache or CacheConfig(),
            on_progress=lambda done, total: progress.update(task, completed=done),
        ).grouped(catalog)


def _ends(videos: Sequence[Path]) -> tuple[dict[Path, float], list[VideoError]]:
    """When each video ends, in seconds, and why some do not decode: what learns from their clips leaves these out."""
    ends, failed = {}, []
    for video in videos:
        try:
            ends[video] = times_of(video).end_seconds
        except VideoError as error:
            failed.append(error)
    if failed and not ends:
        raise failed[0]
    return ends, failed
