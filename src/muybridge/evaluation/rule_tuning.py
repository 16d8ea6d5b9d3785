"""Rules from scores to segments, chosen on annotated videos that the model did not learn from."""

from collections.abc import Iterable, Mapping, Sequence
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

_ROUNDS = 2
_LITTLE = 1e-9

Tracks = Sequence[tuple[ScoreTrack, Sequence[Segment]]]
"""The scores of videos with their true segments."""


def tuned_rules(tracks: Tracks, start: SegmentRules) -> tuple[SegmentRules, float]:
    """Choose the rules with the highest F1 at 50 % overlap, the mean over the videos.

    Of rules with equal F1 those are taken that label more frames right; of these the first tried, and the start first.

    Args:
        tracks: At least one video.
        start: The rules to begin with; their way is kept.

    Returns:
        The rules, and their F1, 0..1.
    """
    best, best_value = start, _value(tracks, start)
    for _ in range(_ROUNDS):
        before = best
        for name, tried in STEPS[start.way].items():
            for rules in _variants(best, name, tried):
                value = _value(tracks, rules)
                if value > (best_value[0] + _LITTLE, 0) or (
                    abs(value[0] - best_value[0]) <= _LITTLE and value[1] > best_value[1] + _LITTLE
                ):
                    best, best_value = rules, value
        if best == before:
            break
    return best, best_value[0]


def mean_f1(tracks: Tracks, rules: SegmentRules) -> float:
    """F1 at 50 % overlap, the mean over the videos, 0..1."""
    return _value(tracks, rules)[0]


def _variants(rules: SegmentRules, name: str, tried: Sequence[Any]) -> Iterable[SegmentRules]:
    for value in tried:
        changed = {name: value}
        # The two thresholds keep their order.
        if name == "off":
            changed["on"] = max(value, rules.on)
        if name == "on":
            changed["off"] = min(value, rules.off)
        yield replace(rules, **changed)


def _value(tracks: Tracks, rules: SegmentRules) -> tuple[float, float]:
    each = []
    for track, true in tracks:
        labels, wanted = (
            frame_labels(segments, seconds=track.seconds, frames_per_second=FRAMES_PER_SECOND)
            for segments in (segments_of(track, rules), true)
        )
        each.append((segment_counts(labels, wanted, overlap=0.5).f1, frame_accuracy(labels, wanted)))
    return mean(f1 for f1, _ in each), mean(accuracy for _, accuracy in each)
