"""Rules that are tuned: better ones are found, and luck on few segments is not taken for one."""

from pathlib import Path

import numpy as np
import pytest

from muybridge.dataset.segments import Segment
from muybridge.evaluation.rule_tuning import least_gain, mean_f1, tuned_rules
from muybridge.inference.timeline.score_track import ScoreTrack
from muybridge.recipes.timeline_rules import SegmentRules


def made(seed: int, *, delay: int = 0, noise: float = 1.0) -> tuple[ScoreTrack, list[Segment]]:
    """Twenty parts of four seconds of three classes and of none; scores come ``delay`` steps late."""
    generator = np.random.default_rng(seed)
    parts = generator.integers(4, size=20)
    state_N = np.roll(np.repeat(parts, 20), delay)
    logits_NK = generator.normal(0, noise, size=(400, 3))
    logits_NK[np.arange(400)[state_N < 3], state_N[state_N < 3]] += 5
    video = Path(f"{seed}.mp4")
    track = ScoreTrack(
        video=video, classes=("a", "b", "c"), logits_NK=logits_NK.astype(np.float32), step_seconds=0.2, seconds=80.0,
        rejection_threshold=3.0,
    )  # fmt: skip
    true: list[Segment] = []
    for number, part in enumerate(parts):
        if part < 3 and number and parts[number - 1] == part:
            true[-1] = Segment(video, true[-1].start_seconds, 4.0 * number + 4, "abc"[part])
        elif part < 3:
            true.append(Segment(video, 4.0 * number, 4.0 * number + 4, "abc"[part]))
    return track, true


@pytest.mark.parametrize("way", ["path", "tracks"])
def test_bad_rules_become_good_ones(way):
    bad = SegmentRules(way=way, none_of_these=6.0)
    tracks = [made(1), made(2)]
    assert mean_f1(tracks, bad) < 0.2
    rules = tuned_rules(tracks, bad)
    assert rules.way == way
    assert mean_f1(tracks, rules) > 0.9
    assert mean_f1([made(3), made(4)], rules) > 0.9  # on videos that chose nothing, too


def test_what_is_not_better_by_more_than_chance_is_not_taken():
    tracks = [made(5, noise=2.5)]
    start = SegmentRules()
    few = tracks[0][1][:3]
    assert least_gain([(tracks[0][0], few)], start) > least_gain(tracks, start) > 0
    good = SegmentRules(lag_seconds=0.0)
    assert tuned_rules([made(6)], good) == good
