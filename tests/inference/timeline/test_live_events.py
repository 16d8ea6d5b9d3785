"""Events of a stream against the segments of the whole: the same where the rules can be kept online."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from muybridge.inference.timeline import live_events
from muybridge.inference.timeline.live_events import LiveSegmenter
from muybridge.inference.timeline.online_path import OnlinePath
from muybridge.inference.timeline.score_track import ScoreTrack
from muybridge.inference.timeline.segmenting import cheapest_path, log_likelihoods, segments_of
from muybridge.recipes.timeline_rules import SegmentRules

CLASSES = ("a", "background", "c")
STEP = 0.2


def wandering_logits(seed: int, steps: int = 300) -> np.ndarray:
    """A few seconds of one class, then of another or of none, with noise."""
    rng = np.random.default_rng(seed)
    logits = []
    while len(logits) < steps:
        state, length = rng.integers(4), rng.integers(1, 30)
        row = np.zeros(3) if state == 3 else 4 * np.eye(3)[state]
        logits += [row + rng.normal(0, 1.2, 3) for _ in range(length)]
    return np.asarray(logits[:steps], np.float32)


def online(logits_NK: np.ndarray, rules: SegmentRules, *, threshold: float | None = 3.0, stretch: int = 1, step=STEP):
    segmenter = LiveSegmenter(
        CLASSES, rules, step_seconds=step, first_seconds=0, not_before=0, rejection_threshold=threshold
    )
    events = []
    for at in range(0, len(logits_NK), stretch):
        events += segmenter.push(logits_NK[at : at + stretch])
    return events + segmenter.finish(len(logits_NK) * step)


def ended(events):
    ends = [each for each in events if each.state == "end"]
    return sorted(ends, key=lambda each: (each.start_seconds, each.end_seconds, each.label))


def whole(logits_NK: np.ndarray, rules: SegmentRules, *, threshold: float | None = 3.0, step=STEP):
    seconds = step * len(logits_NK)
    track = ScoreTrack(
        video=Path("a.mp4"),
        classes=CLASSES,
        logits_NK=logits_NK,
        step_seconds=step,
        seconds=seconds,
        rejection_threshold=threshold,
    )
    return segments_of(track, rules)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("threshold", [3.0, None])
@pytest.mark.parametrize(
    "rules",
    [
        SegmentRules(change_cost=3.0),
        SegmentRules(change_cost=3.0, gap_seconds=1.0, least_seconds=0.4, lag_seconds=0),
        SegmentRules(way="tracks", on=0.7, off=0.5, overlap_sigma=1000, least_seconds=0.6),
        SegmentRules(way="tracks", on=0.7, off=0.5, overlap_sigma=1000, smoothing_seconds=0, use_none_of_these=False),
    ],
    ids=["path", "path-gaps", "tracks", "tracks-raw"],
)
def test_events_are_the_segments_of_the_whole(monkeypatch, seed, threshold, rules):
    monkeypatch.setattr(live_events, "LONGEST_DELAY_SECONDS", 1000.0)
    logits_NK = wandering_logits(seed)
    events = online(logits_NK, rules, threshold=threshold)
    ends, expected = ended(events), whole(logits_NK, rules, threshold=threshold)
    assert len(expected) > 5
    # Not thinned out is what overlaps: with a sigma this large no score falls far enough for it.
    assert [each.label for each in ends] == [each.label for each in expected]
    for field, tolerance in (("start_seconds", 1e-6), ("end_seconds", 1e-6), ("score", 0.02)):
        values = [[getattr(each, field) for each in row] for row in (ends, expected)]
        np.testing.assert_allclose(*values, atol=tolerance)
    # Each begins before it ends, with the same start and label, and events of one class follow each other.
    for label in CLASSES:
        own = [each for each in events if each.label == label]
        assert [each.state for each in own] == ["begin", "end"] * (len(own) // 2)
        for begin, end in zip(own[::2], own[1::2], strict=True):
            assert (begin.start_seconds, begin.end_seconds) == (end.start_seconds, None)
        for before, after in pairwise(own[1::2]):
            assert before.end_seconds <= after.start_seconds
    assert {each.label for each in events} == {"a", "c"}  # background is no event


def test_a_change_costs_online_what_it_costs_in_the_whole_where_steps_are_long(monkeypatch):
    monkeypatch.setattr(live_events, "LONGEST_DELAY_SECONDS", 1000.0)
    logits_NK, rules = wandering_logits(4), SegmentRules(change_cost=20.0)
    ends, expected = ended(online(logits_NK, rules, step=1.0)), whole(logits_NK, rules, step=1.0)
    assert [(each.label, each.start_seconds) for each in ends] == [
        (each.label, each.start_seconds) for each in expected
    ]
    assert len(expected) > len(whole(logits_NK, rules))


def test_the_stretches_in_which_scores_come_change_nothing():
    logits_NK = wandering_logits(9)
    assert online(logits_NK, SegmentRules(), stretch=7) == online(logits_NK, SegmentRules())


@pytest.mark.parametrize("seed", range(5))
def test_an_online_path_is_the_cheapest_one_where_there_is_time(seed):
    logs_NS = log_likelihoods(wandering_logits(seed), SegmentRules(), rejection_threshold=3.0)
    path = OnlinePath(change_cost=4.0, longest_delay=1000)
    found, waits = [], []
    for step, logs_S in enumerate(logs_NS):
        found += path.push(logs_S)
        waits.append(step + 1 - len(found))
    assert np.median(waits) <= 5  # decided long before the end
    assert [*found, *path.finish()] == cheapest_path(logs_NS, change_cost=4.0).tolist()


def test_an_online_path_decides_in_time_even_where_it_cannot_know():
    path, decided, waits = OnlinePath(change_cost=50.0, longest_delay=4), [], []
    for step in range(30):
        decided += path.push(np.log(np.array([0.5, 0.5])))
        waits.append(step + 1 - len(decided))
    assert max(waits) == 4
    assert len(set(decided + path.finish())) == 1


def test_few_events_differ_for_being_told_in_time():
    rules, same, count = SegmentRules(), 0, 0
    for seed in range(20):
        logits_NK = wandering_logits(seed)
        expected, found = (
            {(each.label, round(each.start_seconds, 3), round(each.end_seconds, 3)) for each in events}
            for events in (whole(logits_NK, rules), ended(online(logits_NK, rules)))
        )
        same, count = same + len(expected & found), count + len(expected)
    assert count > 100
    assert same / count > 0.95


def test_evidence_that_outweighs_a_change_only_slowly_is_told_late_and_not_never():
    """Each score gains half a nat for the class: the cost of six takes longer than the longest delay."""
    logits_NK = np.asarray([[0, 0, 0]] * 30 + [[6, 0, 0]] * 60, np.float32)
    rules = SegmentRules(off=0.6, change_cost=12.0)
    events = online(logits_NK, rules, threshold=None)
    assert [(each.state, each.label) for each in events] == [("begin", "a"), ("end", "a")]
    (expected,) = whole(logits_NK, rules, threshold=None)
    assert expected.start_seconds <= events[0].start_seconds <= expected.start_seconds + 12 / 0.5 * STEP
    assert events[1].end_seconds == pytest.approx(expected.end_seconds)
