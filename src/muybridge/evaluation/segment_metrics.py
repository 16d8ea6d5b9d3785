"""What the field measures of timelines: two traditions, frames with one label each, and segments with scores.

Action segmentation labels every frame: frame accuracy, edit score, and F1 at an overlap. Source: Lea et al., Temporal
Convolutional Networks for Action Segmentation and Detection, CVPR 2017, section 4; as counted by Abu Farha and Gall,
MS-TCN, CVPR 2019. Temporal detection ranks segments: mean average precision at a temporal overlap (tIoU). Source:
Caba Heilbron et al., ActivityNet, CVPR 2015; as counted by the ActivityNet challenge. The figures are those of the
evaluation code of both, on the same inputs (tests).

Axes: N frames, P predicted segments, Q true ones, J overlaps.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from muybridge.dataset.background import BACKGROUND
from muybridge.dataset.segments import Segment


class Stretch(NamedTuple):
    """Consecutive frames of one label; ``end`` is the frame behind the last."""

    label: str
    start: int
    end: int


class Counts(NamedTuple):
    """Segments found and right, found and wrong, and missed."""

    right: int
    wrong: int
    missed: int

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, 0..1; 1 where there is nothing to find and nothing found."""
        total = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / total if total else 1.0


def frame_labels(segments: Iterable[Segment], *, seconds: float, frames_per_second: float) -> list[str]:
    """One label for each frame of a video, the time of which is its middle.

    Where segments overlap, the one with the highest score counts; without scores the one that began last.

    Args:
        segments: Of one video.
        seconds: How long it is.
        frames_per_second: How many frames a second are labelled.
    """
    count = max(1, round(seconds * frames_per_second))
    labels = [BACKGROUND] * count
    # The one that counts is written last.
    for segment in sorted(segments, key=lambda each: (-1.0 if each.score is None else each.score, each.start_seconds)):
        first, end = (
            min(count, max(0, round(at * frames_per_second))) for at in (segment.start_seconds, segment.end_seconds)
        )
        labels[first:end] = [segment.label] * (end - first)
    return labels


def stretches(labels: Sequence[str], *, background: Collection[str] = (BACKGROUND,)) -> list[Stretch]:
    """Consecutive frames of one label, without those of the background."""
    found: list[Stretch] = []
    start = 0
    for at in range(1, len(labels) + 1):
        if at == len(labels) or labels[at] != labels[start]:
            if labels[start] not in background:
                found.append(Stretch(labels[start], start, at))
            start = at
    return found


def frame_accuracy(predicted: Sequence[str], true: Sequence[str]) -> float:
    """The share of frames with the right label, background included, 0..1."""
    return sum(a == b for a, b in zip(predicted, true, strict=True)) / len(true)


def edit_score(predicted: Sequence[str], true: Sequence[str]) -> float:
    """How alike the order of segments is, 0..1: 1 less Levenshtein's distance over the longer of both."""
    found = [stretch.label for stretch in stretches(predicted)]
    wanted = [stretch.label for stretch in stretches(true)]
    longest = max(len(found), len(wanted))
    return 1 - _distance(found, wanted) / longest if longest else 1.0


def segment_counts(predicted: Sequence[str], true: Sequence[str], *, overlap: float) -> Counts:
    """Segments found and missed, one after the other in time.

    Each found segment is held against the true one of its label that it overlaps most. It is right if that overlap
    (intersection over union) reaches ``overlap`` and no segment before it was right there.
    """
    found, wanted = stretches(predicted), stretches(true)
    taken = [False] * len(wanted)
    right = 0
    for stretch in found:
        overlaps = [
            _overlap(stretch.start, stretch.end, other.start, other.end) if other.label == stretch.label else 0.0
            for other in wanted
        ]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best >= 0 and overlaps[best] >= overlap and not taken[best]:
            taken[best] = True
            right += 1
    return Counts(right, len(found) - right, len(wanted) - right)


def mean_average_precision(
    predicted: Sequence[Segment], true: Sequence[Segment], *, overlaps: Sequence[float]
) -> NDArray[np.float64]:
    """The mean over the classes of the truth of the average precision at each temporal overlap (tIoU), 0..1: (J,).

    Args:
        predicted: With scores, of all videos.
        true: Of all videos.
        overlaps: The tIoU that a segment must reach, such as 0.5.

    Raises:
        ValueError: There is no true segment.
    """
    by_label: dict[str, list[Segment]] = defaultdict(list)
    for segment in predicted:
        by_label[segment.label].append(segment)
    labels = sorted({segment.label for segment in true})
    if not labels:
        raise ValueError("no true segment, so no precision")
    each = [
        average_precision(by_label[label], [segment for segment in true if segment.label == label], overlaps=overlaps)
        for label in labels
    ]
    return np.asarray(np.mean(each, axis=0))


def average_precision(
    predicted: Sequence[Segment], true: Sequence[Segment], *, overlaps: Sequence[float]
) -> NDArray[np.float64]:
    """The same for segments of one class; of equal scores the later in the list comes first."""
    order = np.argsort([segment.score or 0.0 for segment in predicted])[::-1]
    by_video: dict[Path, list[int]] = defaultdict(list)
    for number, segment in enumerate(true):
        by_video[segment.video].append(number)
    taken_JQ = np.zeros((len(overlaps), len(true)), dtype=bool)
    right_JP = np.zeros((len(overlaps), len(predicted)), dtype=bool)
    for rank, position in enumerate(order):
        segment = predicted[position]
        candidates = by_video.get(segment.video, [])
        reached = [
            _overlap(segment.start_seconds, segment.end_seconds, true[each].start_seconds, true[each].end_seconds)
            for each in candidates
        ]
        nearest_first = np.argsort(reached)[::-1]
        for which, least in enumerate(overlaps):
            for place in nearest_first:
                if reached[place] < least:
                    break
                if not taken_JQ[which, candidates[place]]:
                    taken_JQ[which, candidates[place]] = right_JP[which, rank] = True
                    break
    return np.array([_area(right_P, len(true)) for right_P in right_JP])


def boundary_errors(predicted: Sequence[Segment], true: Sequence[Segment], *, seconds: float) -> list[float]:
    """Of each true border of one video the time to the nearest border found, whatever its class.

    Where two segments touch there is one border. Where nothing was found, each is off by the length of the video.
    """
    found = sorted({at for segment in predicted for at in (segment.start_seconds, segment.end_seconds)})
    wanted = sorted({at for segment in true for at in (segment.start_seconds, segment.end_seconds)})
    return [min((abs(at - other) for other in found), default=seconds) for at in wanted]


def by_video(segments: Iterable[Segment]) -> Mapping[Path, list[Segment]]:
    """The segments of each video."""
    found: dict[Path, list[Segment]] = defaultdict(list)
    for segment in segments:
        found[segment.video].append(segment)
    return found


def _overlap(start: float, end: float, other_start: float, other_end: float) -> float:
    """Intersection over union of two stretches of time."""
    shared = min(end, other_end) - max(start, other_start)
    return shared / ((end - start) + (other_end - other_start) - shared) if shared > 0 else 0.0


def _distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Levenshtein's: the fewest labels to put in, take out or replace."""
    row = list(range(len(second) + 1))
    for number, label in enumerate(first, start=1):
        before, row[0] = row[0], number
        for at, other in enumerate(second, start=1):
            before, row[at] = row[at], before if label == other else 1 + min(before, row[at], row[at - 1])
    return row[-1]


def _area(right_P: NDArray[np.bool_], wanted: int) -> float:
    """Below precision over recall, each precision raised to the best at a recall as high or higher."""
    if not right_P.any():
        return 0.0
    found_P = np.cumsum(right_P)
    precision_P = found_P / np.arange(1, len(right_P) + 1)
    best_P = np.maximum.accumulate(precision_P[::-1])[::-1]
    return float(best_P[right_P].sum() / wanted)
