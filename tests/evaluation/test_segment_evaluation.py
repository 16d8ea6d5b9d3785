"""Figures of several videos, and their intervals by video."""

from pathlib import Path

import pytest

from muybridge.dataset.segments import Segment
from muybridge.evaluation.intervals import bootstrap_of_videos
from muybridge.evaluation.segment_evaluation import TruthAndAnswer, evaluate_segments


def answer(name: str, *, right: bool) -> TruthAndAnswer:
    video = Path(name)
    found = [Segment(video, 0, 5, "a" if right else "b", 0.9), Segment(video, 5, 10, "b", 0.8)]
    return TruthAndAnswer(video, 10.0, [Segment(video, 0, 5, "a"), Segment(video, 5, 10, "b")], found)


def test_figures_are_counted_over_all_videos_and_have_intervals():
    found = evaluate_segments([answer(str(number), right=number != 0) for number in range(4)])
    assert found.segments == 8
    assert found.frame_accuracy.value == pytest.approx(7 / 8)
    # Of the bad video one segment covers both, and half of it is right.
    assert found.f1[0.5].value == pytest.approx(2 * 7 / (2 * 7 + 0 + 1))
    assert found.edit.value == pytest.approx((0.5 + 3) / 4)
    ends = found.f1[0.5].interval.interval
    assert 0.5 < ends.low < found.f1[0.5].value <= ends.high
    assert found.border_seconds.value == 0
    assert found.border_seconds.interval.reason == "the same in all videos"
    assert found.to_dict()["f1"]["0.5"]["low"] == ends.low
    assert any(line.startswith("F1 at 50 % overlap 93.3 % (") for line in found.details())


def test_an_interval_is_that_of_drawn_videos():
    values = [0.0, 1.0, 1.0, 1.0]
    found = bootstrap_of_videos(values, lambda some: sum(some) / len(some))
    assert (found.interval.low, found.interval.high) == (0.25, 1.0)
    assert bootstrap_of_videos([1.0], sum).interval is None
