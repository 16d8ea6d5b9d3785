"""Segments: what happens when in long videos, the one table behind every annotation format and every timeline.

Nothing here opens a video.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Segment:
    """A part of a video with one label. Segments of different labels may overlap.

    Attributes:
        video: The video file.
        start_seconds: Where it begins, from the first frame of the file.
        end_seconds: Where it ends; the frame at that time is no longer part of it. Later than the start.
        label: Name of the class.
        score: How sure a model is of it, 0..1; None for an annotation by a person.
        group: Source group that the annotations name; empty: the video itself.
        split: The part (`train`, `validation` or `test`) that the annotations name, or None.
    """

    video: Path
    start_seconds: float
    end_seconds: float
    label: str
    score: float | None = None
    group: str = ""
    split: str | None = None


@dataclass(frozen=True)
class Annotations:
    """The segments of some videos.

    Attributes:
        segments: By video, start, end and label.
        videos: All videos that were looked at, also those without a segment.
        notes: What a user should know about how this table came about, one line each.
        format: The kind of file that they were read from, see `annotations`; empty where they were not.
    """

    segments: tuple[Segment, ...]
    videos: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    format: str = ""

    def of(self, video: Path) -> tuple[Segment, ...]:
        """The segments of one video."""
        return tuple(segment for segment in self.segments if segment.video == video)
