"""Segments as a catalog: each one a clip, which is a part of its video."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.group_rule import grouped
from muybridge.dataset.segments import Annotations
from muybridge.errors import UserError
from muybridge.text import counted


def told_apart(clips: Sequence[Clip]) -> list[Clip]:
    """The clips, the ids of those that are the same part of the same video with their labels at the end."""
    numbers = Counter(clip.id for clip in clips)
    return [replace(clip, known_as=f"{clip.id} {clip.label}") if numbers[clip.id] > 1 else clip for clip in clips]


def annotated_catalog(path: Path, annotations: Annotations, *, groups: str) -> Catalog:
    """The catalog of the segments that an annotation file holds.

    Segments with the same times and different labels are different clips, whose ids end in their labels.

    Args:
        path: The file.
        annotations: What it holds.
        groups: What says each clip's source group, see `group_rule`; `auto`: what the file says, else the video.

    Raises:
        UserError: If it holds no segment.
    """
    if not annotations.segments:
        listed = counted(len(annotations.videos), "video")
        raise UserError(f"{path} has no segment of its {listed}; annotate some, with a label and two times each")
    root = path if path.is_dir() else path.parent
    clips = [
        Clip(
            each.video,
            label=each.label,
            group=each.group,
            split=each.split,
            start_seconds=each.start_seconds,
            end_seconds=each.end_seconds,
            root=root,
        )
        for each in annotations.segments
    ]
    same = len(clips) - len({clip.id for clip in clips})
    clips = told_apart(clips)
    found, notes = grouped(clips, rule=groups, naming=None, where=str(path))
    classes = len({clip.label for clip in clips})
    said = (
        f"layout: {annotations.format}, {counted(len(clips), 'segment')} of {counted(classes, 'class')} in "
        f"{counted(len({clip.path for clip in clips}), 'video')}"
    )
    if same:
        said += f"; {same} more than once at the same times: a clip for each label, since a clip has one"
    return Catalog(
        root=root,
        layout=annotations.format,
        clips=tuple(found),
        notes=(said, *annotations.notes, *notes),
        videos=annotations.videos,
    )
