"""A timeline as files: JSON, subtitles, and the formats of annotations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from muybridge.dataset.segments import Segment
from muybridge.errors import UserError
from muybridge.experiment.segment_files import ENDINGS, write_segments
from muybridge.text import did_you_mean

TimelineFormat = Literal[
    "json", "csv", "srt", "vtt", "html", "drawn", "label-studio", "elan", "boris", "activitynet", "cvat"
]
"""What can be written."""


def check_formats(formats: Sequence[str]) -> None:
    """Check the names of formats.

    Raises:
        UserError: There is no such format.
    """
    known = get_args(TimelineFormat)
    for name in formats:
        if name not in known:
            raise UserError(f"unknown format {name!r}{did_you_mean(name, known)}")


def write_files(
    stem: Path, video: Path, segments: Sequence[Segment], values: dict[str, Any], formats: Sequence[str]
) -> tuple[list[Path], list[str]]:
    """Write what was found in one video.

    Args:
        stem: The path of the files without their endings.
        video: The video.
        segments: In order.
        values: What goes into the JSON.
        formats: Of `TimelineFormat`; html and drawn are passed over.

    Returns:
        The files, and what a format could not hold, one line each.
    """
    files: list[Path] = []
    notes: list[str] = []
    for name in formats:
        if name in ("html", "drawn"):  # see `page` and `drawing`
            continue
        path = stem.with_name(stem.name + ENDINGS[name])
        written, more = write_segments(path, name, segments, video=video, values=values)
        files += written
        notes += more
    return files, notes
