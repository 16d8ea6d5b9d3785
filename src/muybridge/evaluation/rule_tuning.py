"""Rules from scores to segments, chosen on annotated videos that the model did not learn from."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

from muybridge.dataset.segments import Segment
from muybridge.evaluation.segment_metrics import frame_accuracy, frame_labels, segment_counts
from muybridge.inference.timeline.score_track import ScoreTrack
from muybridge.inference.timeline.segmenting import segments_of
from muybridge.recipes.timeline_rules import SegmentRules

FRAMES_PER_SECOND = 10.0
"""How finely frames are labelled where segments are held against each other."""

STEPS: dict[str, Mapping[str, Sequence[Any]]] = {
    "path": {
        "none_of_these": (-3.0, -2.0, -1.5, -1.0, -0.75, -0.5, -0.25, 0.0, 0.5),
        "change_cost": (2.0, 4.0, 6.0, 8.0, 12.0, 20.0),
        "least_seconds": (0.6, 1.0, 1.4),
        "lag_seconds": (0.0, 0.1, 0.2, 0.3),
    },
    "tracks": {
        "none_of_these": (-4.0, -2.0, -1.0, -0.5, 0.0),
        "off": (0.3, 0.45, 0.6, 0.75),
        "on": (0.5, 0.8, 0.9),
        "smoothing_seconds": (0.6, 1.0, 2.0),
        "least_seconds": (0.6, 1.0, 1.4),
        "lag_seconds": (0.0, 0.2),
    },
}
"""The values that are tried, one rule after the other, twice; fewer than a grid, so that few videos do."""

OVERLAPS = (0.25, 0.5, 0.75)
"""F1 at one overlap jumps with every segment; the mean of three, and of the frame accuracy, says more of few videos."""

_ROUNDS = 2
_LITTLE = 1e-9

Tracks = Sequence[tuple[ScoreTrack, Sequence[Segment]]]
"""The scores of videos with their true segments."""


def tuned_rules(tracks: Tracks, start: SegmentRules) -> SegmentRules:
    """Choose the rules that are best on some videos, if they are better than the first by more than chance.

    Best is the highest mean of F1 at three overlaps and frame accuracy. Few segments do not tell good rules from lucky
    ones: the best must gain a standard error of F1, `least_gain`, else the first stay. (On ten made videos, rules tuned
    on two of them were worse on the others than the defaults, unless they had gained that much.)

    Args:
        tracks: At least one video.
        start: The rules to begin with; their way is kept.
    """
    first = _value(tracks, start)
    best, best_value = start, first
    for _ in range(_ROUNDS):
        before = best
        for name, tried in STEPS[start.way].items():
            for rules in _variants(best, name, tried):
                value = _value(tracks, rules)
                if value > best_value + _LITTLE:
                    best, best_value = rules, value
        if best == before:
            break
    return best if best_value - first > least_gain(tracks, start) else start


def least_gain(tracks: Tracks, rules: SegmentRules) -> float:
    """The standard error of an F1 of so many segments, from the share that is right; at least that of one segment."""
    segments = max(1, sum(len(true) for _, true in tracks))
    share = min(max(mean_f1(tracks, rules), 1 / (segments + 1)), segments / (segments + 1))
    return math.sqrt(share * (1 - share) / segments)


def mean_f1(tracks: Tracks, rules: SegmentRules) -> float:
    """F1 at 50 % overlap, the mean over the videos, 0..1."""
    return mean(segment_counts(*both, overlap=0.5).f1 for both in _labels(tracks, rules))


def _variants(rules: SegmentRules, name: str, tried: Sequence[Any]) -> Iterable[SegmentRules]:
    for value in tried:
        changed = {name: value}
        # The two thresholds keep their order.
        if name == "off":
            changed["on"] = max(value, rules.on)
        if name == "on":
            changed["off"] = min(value, rules.off)
        yield replace(rules, **changed)


def _value(tracks: Tracks, rules: SegmentRules) -> float:
    each = []
    for labels, wanted in _labels(tracks, rules):
        f1 = [segment_counts(labels, wanted, overlap=overlap).f1 for overlap in OVERLAPS]
        each.append(mean([*f1, frame_accuracy(labels, wanted)]))
    return mean(each)


def _labels(tracks: Tracks, rules: SegmentRules) -> Iterator[tuple[list[str], list[str]]]:
    """Of each video the labels found and the true ones."""
    for track, true in tracks:
        found = segments_of(track, rules)
        yield (
            frame_labels(found, seconds=track.seconds, frames_per_second=FRAMES_PER_SECOND),
            frame_labels(true, seconds=track.seconds, frames_per_second=FRAMES_PER_SECOND),
        )
