"""What the writers of all formats share: how a time, a label and a video are put down."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from muybridge.dataset.segments import Segment
from muybridge.text import counted, printable


@dataclass(frozen=True)
class WrittenAnnotations:
    """What was written, and what the format could not hold.

    Attributes:
        files: The files.
        notes: What is not in them, or must be known to use them, one line each.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def milliseconds(seconds: float) -> int:
    """A time in whole milliseconds, rounded down: the first frame at or after it stays the same one.

    A millisecond that a float holds a little too small is still that one.

    Example:
        >>> milliseconds(1.001), milliseconds(2 / 30), milliseconds(0.57 * 3)
        (1001, 66, 1710)
    """
    return math.floor(seconds * 1000 + 1e-6)


def lasting(segments: Sequence[Segment]) -> tuple[list[Segment], list[str]]:
    """The segments that are not of one and the same millisecond, and a note on the others."""
    kept = [each for each in segments if milliseconds(each.start_seconds) < milliseconds(each.end_seconds)]
    left_out = len(segments) - len(kept)
    return kept, [f"left out, {counted(left_out, 'segment')} shorter than a millisecond"] if left_out else []


def name_of_video(video: Path, folder: Path) -> str:
    """How a file in a folder names a video: relative to the folder where it lies below it, else by its whole path."""
    video, folder = video.absolute(), folder.absolute()
    return (video.relative_to(folder) if video.is_relative_to(folder) else video).as_posix()


def url_of_video(video: Path) -> str:
    """A video as a URL of a local file, with nothing escaped, as ELAN writes it."""
    return f"file:///{video.absolute().as_posix().lstrip('/')}"


def lanes(segments: Iterable[Segment]) -> list[list[Segment]]:
    """Segments in as few lists as it takes so that none in a list overlaps another, each by time."""
    made: list[list[Segment]] = []
    for segment in sorted(segments, key=lambda each: (each.start_seconds, each.end_seconds, each.label)):
        for lane in made:
            if milliseconds(lane[-1].end_seconds) <= milliseconds(segment.start_seconds):
                lane.append(segment)
                break
        else:
            made.append([segment])
    return made


def without(segments: Sequence[Segment], format_name: str, *, scores: bool = False) -> list[str]:
    """Notes on what a format does not hold of these segments.

    Args:
        segments: The segments.
        format_name: The format, for the note.
        scores: Whether it holds scores.
    """
    lost = []
    if not scores and any(each.score is not None for each in segments):
        lost.append("scores")
    if any(each.group for each in segments):
        lost.append("source groups")
    if any(each.split for each in segments):
        lost.append("the split")
    return [f"{format_name} does not hold {' and '.join(lost)}: left out"] if lost else []


def label_text(label: str) -> str:
    """A label as one line of text that every format holds."""
    return printable(label)
