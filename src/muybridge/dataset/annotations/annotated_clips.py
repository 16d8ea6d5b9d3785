"""Segments as a catalog: each one a clip, which is a part of its video."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.group_rule import grouped
from muybridge.dataset.segments import Annotations
from muybridge.errors import UserError
from muybridge.text import counted


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
    clips = [
        Clip(
            each.video,
            label=each.label,
            group=each.group,
            split=each.split,
            start_seconds=each.start_seconds,
            end_seconds=each.end_seconds,
            root=path.parent,
        )
        for each in annotations.segments
    ]
    by_id = Counter(clip.id for clip in clips)
    clips = [replace(clip, known_as=f"{clip.id} {clip.label}") if by_id[clip.id] > 1 else clip for clip in clips]
    found, notes = grouped(clips, rule=groups, naming=None, where=str(path))
    classes = len({clip.label for clip in clips})
    said = (
        f"layout: {annotations.format}, {counted(len(clips), 'segment')} of {counted(classes, 'class')} in "
        f"{counted(len({clip.path for clip in clips}), 'video')}"
    )
    return Catalog(
        root=path.parent,
        layout=annotations.format,
        clips=tuple(found),
        notes=(said, *annotations.notes, *notes),
        videos=annotations.videos,
    )
