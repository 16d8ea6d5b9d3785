"""What a user says about an annotation file, and what every format gives to the door."""

from dataclasses import dataclass
from typing import Literal, get_args

from muybridge.errors import UserError
from muybridge.text import did_you_mean

TimeUnit = Literal["seconds", "frames"]
"""What the times of a table count."""

MissingVideos = Literal["error", "skip"]
"""What becomes of videos that annotations name and that are not there."""


@dataclass(frozen=True)
class AnnotationRules:
    """What a user says about an annotation file.

    Attributes:
        unit: What the times of a CSV count. Other formats know it themselves.
        tier: The tier of ELAN, the attribute of VIA or the control of Label Studio to read; `*` and `?` stand for
            any characters. Empty: the only one.
        fps: How many frames a second frame numbers count; 0: they count the frames of the file.
        missing: What becomes of videos that are not there.
    """

    unit: TimeUnit = "seconds"
    tier: str = ""
    fps: float = 0.0
    missing: MissingVideos = "error"

    def __post_init__(self) -> None:
        """Check the words.

        Raises:
            UserError: For one that is unknown.
        """
        for key, word, known in (
            ("unit", self.unit, get_args(TimeUnit)),
            ("missing", self.missing, get_args(MissingVideos)),
        ):
            if word not in known:
                raise UserError(f"unknown data.annotation_{key} {word!r}{did_you_mean(word, known)}")

    def unused(self, format: str) -> list[str]:
        """Notes on what was said and means nothing for a format."""
        counts_frames = format in ("label-studio", "cvat") or (format == "csv" and self.unit == "frames")
        said = {
            f"data.annotation_tier {self.tier}": self.tier and format not in ("elan", "via", "label-studio"),
            "data.annotation_unit frames": self.unit == "frames" and format != "csv",
            f"data.annotation_fps {self.fps:g}": self.fps and not counts_frames,
        }
        return [f"{what} means nothing for {format}, and was not used" for what, is_unused in said.items() if is_unused]


Spellings = tuple[str, ...]
"""What a video may be called, the likeliest first: paths, URLs, file names, or names without a suffix."""


@dataclass(frozen=True)
class Stretch:
    """A segment as a file has it.

    Attributes:
        video: What the video may be called.
        start: Where it begins, in seconds or frames from 0.
        end: Where it ends; the frame at that place is no longer part of it.
        label: Name of the class.
        where: Its place in the file, for messages.
        in_frames: Whether start and end count frames.
        fps: How many frames a second these numbers count; 0: the frames of the file.
        score: How sure a model is of it, or None.
        group: Source group, or empty.
        split: The part that the file names, or None.
    """

    video: Spellings
    start: float
    end: float
    label: str
    where: str
    in_frames: bool = False
    fps: float = 0.0
    score: float | None = None
    group: str = ""
    split: str | None = None


@dataclass(frozen=True)
class FileContents:
    """What an annotation file holds.

    Attributes:
        format: Which kind of file it is.
        stretches: Its segments, in its own order.
        videos: All videos that it names, also those without a segment.
        notes: What a user should know, such as what was left out.
    """

    format: str
    stretches: tuple[Stretch, ...]
    videos: tuple[Spellings, ...]
    notes: tuple[str, ...] = ()
