"""Timelines held against annotated videos: the figures of `segment_metrics`, with intervals by video.

Axes: V videos, R resamples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from muybridge.dataset.segments import Segment
from muybridge.evaluation.intervals import GroupInterval, bootstrap_of_videos
from muybridge.evaluation.segment_metrics import (
    Counts,
    boundary_errors,
    edit_score,
    frame_accuracy,
    frame_labels,
    mean_average_precision,
    segment_counts,
)
from muybridge.text import counted

FRAMES_PER_SECOND = 25.0
"""How finely time is cut for the figures that count frames."""

F1_OVERLAPS = (0.1, 0.25, 0.5)
AP_OVERLAPS = (0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True)
class TruthAndAnswer:
    """One video: what is in it, and what was found.

    Attributes:
        video: The file.
        seconds: How long it is.
        true: The true segments.
        found: The segments that were found, with scores.
    """

    video: Path
    seconds: float
    true: Sequence[Segment]
    found: Sequence[Segment]


@dataclass(frozen=True)
class Figure:
    """A figure and its interval.

    Attributes:
        value: It.
        interval: 95 %, by video; or why there is none.
    """

    value: float
    interval: GroupInterval

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        ends = self.interval.interval
        return {
            "value": self.value,
            "low": None if ends is None else ends.low,
            "high": None if ends is None else ends.high,
            "no_interval": self.interval.reason,
        }


@dataclass(frozen=True)
class SegmentEvaluation:
    """How well timelines match annotations; shares are 0..1.

    Attributes:
        videos: How many videos.
        hours: How long they are together.
        segments: How many true segments there are.
        frame_accuracy: Share of frames with the right label, background included.
        edit: Edit score, the mean over the videos.
        f1: F1 by overlap, counted over all videos.
        average_precision: mAP by tIoU, over all videos.
        border_seconds: The median distance of a true border to the nearest found.
        false_alarms_an_hour: Segments that overlap no true one of their class by a tenth.
        unknown_labels: Labels of the annotations that the model does not know; such time counts as background.
    """

    videos: int
    hours: float
    segments: int
    frame_accuracy: Figure
    edit: Figure
    f1: Mapping[float, Figure]
    average_precision: Mapping[float, float]
    border_seconds: Figure
    false_alarms_an_hour: Figure
    unknown_labels: tuple[str, ...] = ()

    @property
    def mean_average_precision(self) -> float:
        """The mean over the tIoU of 0.3 to 0.7."""
        return mean(self.average_precision.values())

    def details(self) -> list[str]:
        """The figures, a line each."""
        lines = [
            f"frame accuracy {_percent(self.frame_accuracy)}",
            f"edit score {_percent(self.edit)}",
            *(f"F1 at {100 * overlap:.0f} % overlap {_percent(figure)}" for overlap, figure in self.f1.items()),
            f"mAP {100 * self.mean_average_precision:.1f} % (mean over tIoU 0.3 to 0.7: "
            + ", ".join(f"{100 * value:.1f}" for value in self.average_precision.values())
            + ")",
            f"borders {_plain(self.border_seconds, 2)} s off (median)",
            f"false alarms {_plain(self.false_alarms_an_hour, 1)} an hour",
            f"measured on {counted(self.segments, 'segment')} in {counted(self.videos, 'video')}, "
            f"{60 * self.hours:.1f} minutes; "
            "intervals: 95 %, by video",
        ]
        if self.unknown_labels:
            lines.append(f"note: the model knows no {', '.join(self.unknown_labels)}: counted as background")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "videos": self.videos,
            "hours": self.hours,
            "segments": self.segments,
            "frame_accuracy": self.frame_accuracy.to_dict(),
            "edit": self.edit.to_dict(),
            "f1": {str(overlap): figure.to_dict() for overlap, figure in self.f1.items()},
            "average_precision": {str(overlap): value for overlap, value in self.average_precision.items()},
            "mean_average_precision": self.mean_average_precision,
            "border_seconds": self.border_seconds.to_dict(),
            "false_alarms_an_hour": self.false_alarms_an_hour.to_dict(),
            "unknown_labels": list(self.unknown_labels),
        }


@dataclass(frozen=True)
class _Counted:
    """What is counted of one video."""

    seconds: float
    frames: int
    right_frames: float
    edit: float
    counts: Mapping[float, Counts]
    borders: Sequence[float]


def evaluate_segments(answers: Sequence[TruthAndAnswer], *, unknown_labels: Sequence[str] = ()) -> SegmentEvaluation:
    """Measure.

    Args:
        answers: At least one video; there is at least one true segment among them.
        unknown_labels: Passed on.
    """
    each_video = [_count(each) for each in answers]

    def figure(value_of: Callable[[Sequence[_Counted]], float]) -> Figure:
        return Figure(value_of(each_video), bootstrap_of_videos(each_video, value_of))

    true = [segment for each in answers for segment in each.true]
    found = [segment for each in answers for segment in each.found]
    precisions = mean_average_precision(found, true, overlaps=AP_OVERLAPS)
    return SegmentEvaluation(
        videos=len(answers),
        hours=sum(each.seconds for each in answers) / 3600,
        segments=len(true),
        frame_accuracy=figure(lambda some: sum(each.right_frames for each in some) / sum(each.frames for each in some)),
        edit=figure(lambda some: mean(each.edit for each in some)),
        f1={overlap: figure(partial(_f1, overlap)) for overlap in F1_OVERLAPS},
        average_precision=dict(zip(AP_OVERLAPS, np.asarray(precisions).tolist(), strict=True)),
        border_seconds=figure(lambda some: median([error for each in some for error in each.borders] or [0.0])),
        false_alarms_an_hour=figure(
            lambda some: 3600 * sum(each.counts[0.1].wrong for each in some) / sum(each.seconds for each in some)
        ),
        unknown_labels=tuple(unknown_labels),
    )


def _count(answer: TruthAndAnswer) -> _Counted:
    labels, wanted = (
        frame_labels(segments, seconds=answer.seconds, frames_per_second=FRAMES_PER_SECOND)
        for segments in (answer.found, answer.true)
    )
    return _Counted(
        seconds=answer.seconds,
        frames=len(wanted),
        right_frames=frame_accuracy(labels, wanted) * len(wanted),
        edit=edit_score(labels, wanted),
        counts={overlap: segment_counts(labels, wanted, overlap=overlap) for overlap in F1_OVERLAPS},
        borders=boundary_errors(answer.found, answer.true, seconds=answer.seconds),
    )


def _f1(overlap: float, some: Sequence[_Counted]) -> float:
    right, wrong, missed = (sum(numbers) for numbers in zip(*(each.counts[overlap] for each in some), strict=True))
    return Counts(right, wrong, missed).f1


def _percent(figure: Figure) -> str:
    ends = figure.interval.interval
    text = f"{100 * figure.value:.1f} %"
    return text if ends is None else f"{text} ({100 * ends.low:.1f}-{100 * ends.high:.1f})"


def _plain(figure: Figure, digits: int) -> str:
    ends = figure.interval.interval
    text = f"{figure.value:.{digits}f}"
    return text if ends is None else f"{text} ({ends.low:.{digits}f}-{ends.high:.{digits}f})"
