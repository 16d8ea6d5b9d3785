"""What an annotation file says, and the same segments in another format."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.dataset.annotations.annotation_files import SUFFIXES, AnnotationFormat
from muybridge.dataset.annotations.rules import MissingVideos, TimeUnit
from muybridge.dataset.segments import Annotations
from muybridge.errors import UserError
from muybridge.experiment.annotated_videos import read_annotated, write_annotated
from muybridge.recipes.data import DataConfig
from muybridge.text import aligned, counted, did_you_mean, printable

_LISTED = 8
"""So many new files are named on the terminal."""


@dataclass(frozen=True)
class AnnotationsResult:
    """What an annotation file holds, and where it was written in another format.

    Attributes:
        annotations: Its segments, its videos, and notes on what was left out.
        files: The files that were written; none where no format was asked for.
        notes: What the new format does not hold, one line each.
    """

    annotations: Annotations
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        read = self.annotations
        lines = [f"{read.format}: {counted(len(read.segments), 'segment')} in {counted(len(read.videos), 'video')}"]
        lines += [f"note: {note}" for note in read.notes]
        seconds: defaultdict[str, float] = defaultdict(float)
        for each in read.segments:
            seconds[each.label] += each.end_seconds - each.start_seconds
        numbers = Counter(each.label for each in read.segments)
        rows = [["class", "segments", "seconds"]]
        rows += [[label, str(number), f"{seconds[label]:.1f}"] for label, number in sorted(numbers.items())]
        lines += aligned(rows, right=(1, 2)) if numbers else []
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"written: {printable(str(file))}" for file in self.files[:_LISTED]]
        if len(self.files) > _LISTED:
            lines.append(f"and {len(self.files) - _LISTED} more, one a video")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "format": self.annotations.format,
            "videos": [printable(str(video)) for video in self.annotations.videos],
            "segments": [
                {
                    "video": printable(str(each.video)),
                    "start_seconds": each.start_seconds,
                    "end_seconds": each.end_seconds,
                    "label": each.label,
                    "score": each.score,
                    "group": each.group or None,
                    "split": each.split,
                }
                for each in self.annotations.segments
            ],
            "notes": [*self.annotations.notes, *self.notes],
            "written": [printable(str(file)) for file in self.files],
        }


def annotations(
    file: str | Path,
    *,
    to: AnnotationFormat | None = None,
    out: str | Path | None = None,
    annotation_unit: TimeUnit = "seconds",
    annotation_tier: str = "",
    annotation_fps: float = 0.0,
    annotation_missing: MissingVideos = "error",
) -> AnnotationsResult:
    """Read the annotations of long videos from any known format, and write them in another one.

    Args:
        file: CSV, Label Studio, ELAN, BORIS, ActivityNet, CVAT or VIA 3; or a folder of ELAN's or CVAT's files.
        to: Write ``csv``, ``label-studio``, ``elan``, ``boris``, ``activitynet`` or ``cvat``, too.
        out: The new file; default: next to the old one, with the format's suffix. Nothing that is there is replaced.
        annotation_unit: What the times of a CSV are, as ``data.annotation_unit`` of a recipe.
        annotation_tier: Which tier has the labels, as ``data.annotation_tier``.
        annotation_fps: Frames a second that frame numbers count, as ``data.annotation_fps``.
        annotation_missing: What becomes of videos that are not there, as ``data.annotation_missing``.

    Raises:
        UserError: If the file is none, is damaged, videos are missing, or the new file is there already.
        VideoError: If frames are counted and a video does not decode.
    """
    if to is not None and to not in SUFFIXES:
        raise UserError(f"unknown annotation format {to!r}{did_you_mean(to, SUFFIXES)}")
    if to is None and out is not None:
        raise UserError(f"in which format shall {out} be written? choose to from {', '.join(SUFFIXES)}")
    data = DataConfig(
        annotation_unit=annotation_unit,
        annotation_tier=annotation_tier,
        annotation_fps=annotation_fps,
        annotation_missing=annotation_missing,
    )
    file = Path(file)
    read = read_annotated(file, data)
    if to is None:
        return AnnotationsResult(read)
    place = Path(out) if out else file.parent / f"{file.stem}{SUFFIXES[to]}"
    written = write_annotated(read, place, to, replace_files=False)
    return AnnotationsResult(read, written.files, written.notes)
