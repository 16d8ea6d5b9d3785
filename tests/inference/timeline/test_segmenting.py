"""From scores to segments, on scores that are written by hand."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from muybridge.dataset.segments import Segment
from muybridge.errors import UserError
from muybridge.inference.timeline.score_track import ScoreTrack
from muybridge.inference.timeline.segmenting import (
    cheapest_path,
    hysteresis,
    segments_of,
    smoothed,
    without_gaps,
    without_overlaps,
)
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig

VIDEO = Path("a.mp4")
PLAIN = SegmentRules(lag_seconds=0, none_of_these=0)


def track(
    logits_NK, *, threshold: float | None = 2.0, classes=("a", "b"), seconds: float | None = None, step: float = 0.2
) -> ScoreTrack:
    logits_NK = np.asarray(logits_NK, dtype=np.float32)
    return ScoreTrack(
        video=VIDEO,
        classes=classes,
        logits_NK=logits_NK,
        step_seconds=step,
        seconds=step * len(logits_NK) if seconds is None else seconds,
        rejection_threshold=threshold,
    )


def scores(text: str) -> list[list[float]]:
    """``a`` and ``b``: the class is sure; ``.``: neither is familiar; ``?``: both are, equally."""
    return [{"a": [6, 0], "b": [0, 6], ".": [-1, -1], "?": [5, 5]}[letter] for letter in text]


def spans(found: list[Segment]) -> list[tuple[str, float, float]]:
    return [(each.label, round(each.start_seconds, 6), round(each.end_seconds, 6)) for each in found]


@pytest.mark.parametrize("way", ["path", "tracks"])
def test_stretches_of_each_class_and_of_none(way):
    rules = SegmentRules(way=way, lag_seconds=0, none_of_these=0, smoothing_seconds=0)
    found = segments_of(track(scores("." * 10 + "a" * 10 + "." * 10 + "b" * 10)), rules)
    assert spans(found) == [("a", 2.0, 4.0), ("b", 6.0, 8.0)]
    assert min(each.score for each in found) > 0.99


def test_the_path_ignores_a_moment_of_doubt_and_splits_at_a_change():
    found = segments_of(track(scores("a" * 10 + "b" + "a" * 10 + "b" * 12 + "." + "b" * 3)), PLAIN)
    assert spans(found) == [("a", 0.0, 4.2), ("b", 4.2, 7.4)]


@pytest.mark.parametrize("cost", [1.0, 6.0, 30.0])
def test_a_change_costs_the_same_however_many_scores_there_are(cost):
    rules = SegmentRules(lag_seconds=0, none_of_these=0, least_seconds=0, gap_seconds=0, change_cost=cost)
    parts = "a" * 5 + "b" + "a" * 3 + "b" * 4
    fine = segments_of(track(scores("".join(5 * letter for letter in parts))), rules)
    coarse = segments_of(track(scores(parts), step=1.0), rules)
    assert spans(fine) == spans(coarse)
    assert len(coarse) == {1.0: 4, 6.0: 4, 30.0: 2}[cost]  # a second of b gains 30 over a


@pytest.mark.parametrize("cost", [0.0, 0.5, 2.0])
def test_the_path_is_the_best_of_all(cost):
    logs_NS = np.log(np.random.default_rng(3).dirichlet([0.5] * 3, size=7))

    def worth(path):
        return sum(logs_NS[step, state] for step, state in enumerate(path)) - cost * np.count_nonzero(np.diff(path))

    best = max(itertools.product(range(3), repeat=7), key=worth)
    assert cheapest_path(logs_NS, change_cost=cost).tolist() == list(best)


def test_the_models_threshold_decides_what_is_familiar():
    half_familiar = [[1.5, -1.0]] * 20
    assert segments_of(track(half_familiar), PLAIN) == []
    assert spans(segments_of(track(half_familiar), SegmentRules(lag_seconds=0, none_of_these=-1))) == [("a", 0, 4)]
    without = SegmentRules(lag_seconds=0, none_of_these=0, use_none_of_these=False)
    assert spans(segments_of(track(half_familiar), without)) == [("a", 0, 4)]


def test_without_a_threshold_a_class_must_be_probable():
    rules = SegmentRules(change_cost=0, lag_seconds=0, off=0.6)  # the first ten steps have 0.55
    found = segments_of(track([[0.2, 0.0]] * 10 + [[3.0, 0.0]] * 10, threshold=None), rules)
    assert spans(found) == [("a", 2, 4)]


def test_background_never_becomes_a_segment():
    found = segments_of(track(scores("a" * 10 + "b" * 10), classes=("background", "b")), PLAIN)
    assert spans(found) == [("b", 2.0, 4.0)]


def test_gaps_are_filled_and_what_is_too_short_is_dropped():
    rules = SegmentRules(way="tracks", smoothing_seconds=0, gap_seconds=0.4, least_seconds=1.0, lag_seconds=0)
    assert spans(segments_of(track(scores("aaa..aaa...aaa...bb")), rules)) == [("a", 0.0, 1.6)]
    assert without_gaps([(0, 3), (5, 8), (11, 14)], steps=2) == [(0, 8), (11, 14)]
    assert without_gaps([], steps=2) == []


def test_hysteresis_begins_and_ends_low_but_must_reach_high():
    values = np.array([0.1, 0.5, 0.9, 0.5, 0.1, 0.5, 0.6, 0.1, 0.8])
    assert hysteresis(values, on=0.8, off=0.5) == [(1, 4), (8, 9)]


def test_smoothing_is_a_centred_mean_that_is_shorter_at_the_ends():
    values = np.array([[0.0], [3.0], [6.0], [0.0]])
    assert smoothed(values, steps=3)[:, 0].tolist() == [1.5, 3.0, 3.0, 3.0]
    assert smoothed(values, steps=1) is values


def test_borders_are_set_earlier_but_not_the_ends_of_the_video():
    rules = SegmentRules(lag_seconds=0.3, none_of_these=0)
    found = segments_of(track(scores("a" * 10 + "b" * 10), seconds=3.9), rules)
    assert spans(found) == [("a", 0.0, 1.7), ("b", 1.7, 3.9)]


def test_overlapping_segments_of_two_classes_are_kept_when_both_are_good():
    good, same = Segment(VIDEO, 0, 10, "a", 0.9), Segment(VIDEO, 0, 10, "b", 0.8)
    beside, partly = Segment(VIDEO, 10, 20, "b", 0.8), Segment(VIDEO, 8, 18, "b", 0.8)
    assert without_overlaps([good, same], sigma=0.3, least=0.5) == [good]
    assert without_overlaps([good, beside], sigma=0.3, least=0.5) == [good, beside]
    [_, lowered] = without_overlaps([partly, good], sigma=0.3, least=0.5)
    assert lowered.score == pytest.approx(0.8 * np.exp(-((2 / 18) ** 2) / 0.3))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"on": 0.4, "off": 0.5}, "0 < off <= on <= 1"),
        ({"least_seconds": -1.0}, "rules.least_seconds is -1"),
        ({"gap_seconds": float("nan")}, "rules.gap_seconds is nan"),
        ({"change_cost": -2.0}, "rules.change_cost is -2"),
        ({"way": "majority"}, "give path or tracks"),
        ({"overlap_sigma": 0.0}, "rules.overlap_sigma is 0"),
    ],
)
def test_rules_that_make_no_sense_are_told(values, said):
    with pytest.raises(UserError, match=said):
        SegmentRules(**values)


def test_windows_that_make_no_sense_are_told():
    for values in ({"window_seconds": 0.0}, {"hop_seconds": float("nan")}, {"frames_per_second": -1.0}):
        with pytest.raises(UserError, match=next(iter(values))):
            WindowConfig(**values)
