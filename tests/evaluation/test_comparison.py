import json

import numpy as np
import pytest

from muybridge.errors import UserError
from muybridge.evaluation.comparison import compare
from muybridge.evaluation.intervals import bootstrap_by_group, bootstrap_gain_by_group
from muybridge.inference.predictions import ClipPrediction, Predictions


def predictions(
    right: list[bool | None], groups: list[str | None] | None = None, *, classes: tuple[str, str] = ("a", "b")
) -> Predictions:
    """Clips 0, 1, ... of class a, classified right or wrong; None: undecodable."""
    clips = []
    for number, answer in enumerate(right):
        group = groups[number] if groups else f"g{number}"
        score = None if answer is None else [float(answer), float(not answer)][:: 1 if classes[0] == "a" else -1]
        clips.append(ClipPrediction(f"{number}", f"{number}.avi", "a", group, score, None if score else "broken"))
    return Predictions(classes, tuple(clips))


def test_what_was_repaired_and_what_was_broken() -> None:
    comparison = compare(
        predictions([True, True, False, False, None, True, None]),
        predictions([True, False, True, False, True, None, None]),
    )
    assert comparison.repaired == ("2", "4")
    assert comparison.broken == ("1", "5")
    assert comparison.gain == 0
    assert (comparison.before, comparison.after, comparison.clips) == (3 / 7, 3 / 7, 7)
    values = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert values["repaired"] == ["2", "4"]
    assert values["gain"] == 0


def test_clips_and_classes_are_matched_by_name() -> None:
    before = predictions([True, False, False], classes=("b", "a"))
    after = predictions([True, True, False])
    shuffled = Predictions(after.classes, tuple(reversed(after.clips)))
    comparison = compare(before, shuffled)
    assert comparison.repaired == ("1",)
    assert comparison.broken == ()
    assert comparison.gain == comparison.after - comparison.before == pytest.approx(1 / 3)
    assert compare(before, after) == comparison


def test_the_interval_is_the_exact_distribution_of_two_groups() -> None:
    # Group x: one clip repaired of 1. Group y: one of 3 broken. Resamples: 1 (1/4), 0 (1/2), -1/3 (1/4).
    comparison = compare(
        predictions([False, True, True, True], ["x", "y", "y", "y"]),
        predictions([True, False, True, True], ["x", "y", "y", "y"]),
        level=0.6,
    )
    assert comparison.interval.groups == 2
    assert comparison.interval.interval is not None
    assert comparison.interval.interval.low == pytest.approx(-1 / 3)
    assert comparison.interval.interval.high == 1
    assert "gain +0.0 points (1 repaired, 1 broken of 4 clips; 60 %, paired, by 2 source groups" in comparison.summary()


def test_what_is_hard_for_both_cancels_out() -> None:
    rng = np.random.default_rng(0)
    groups_N = [f"g{number // 4}" for number in range(200)]
    before_N = np.repeat(rng.random(50) < 0.7, 4)
    after_N = before_N | (rng.random(200) < 0.2)
    gain = bootstrap_gain_by_group(before_N, after_N, groups_N).interval
    alone = bootstrap_by_group(before_N, groups_N).interval
    assert gain is not None
    assert alone is not None
    assert gain.low > 0  # nothing was broken
    assert gain.low < after_N.mean() - before_N.mean() < gain.high
    assert gain.high - gain.low < (alone.high - alone.low) / 2


def test_the_gain_from_nothing_is_the_accuracy() -> None:
    rng = np.random.default_rng(1)
    groups_N = [f"g{number // 3}" for number in range(60)]
    after_N = rng.random(60) < 0.6
    assert bootstrap_gain_by_group(np.zeros(60, bool), after_N, groups_N) == bootstrap_by_group(after_N, groups_N)


@pytest.mark.parametrize(
    ("before", "after", "groups", "reason"),
    [
        ([True, False], [True, False], ["x", "y"], "all source groups have the same gain"),
        ([True, False], [True, True], ["x", "x"], "1 source group"),
        ([True, False], [True, True], ["x", None], "the source group of 1 clip is unknown"),
    ],
)
def test_no_interval_without_a_reason(before, after, groups, reason) -> None:
    comparison = compare(predictions(before, groups), predictions(after, groups))
    assert comparison.interval.interval is None
    assert reason in str(comparison.interval.reason)
    assert reason in comparison.summary()


def test_only_the_same_clips_and_classes_are_compared() -> None:
    with pytest.raises(UserError, match=r"different clips .*first: none; only in the second: 2"):
        compare(predictions([True, True]), predictions([True, True, False]))
    with pytest.raises(UserError, match=r"different classes .*first: b; only in the second: c"):
        compare(predictions([True]), predictions([True], classes=("a", "c")))
    with pytest.raises(UserError, match="no clips"):
        compare(predictions([]), predictions([]))
    relabelled = Predictions(("a", "b"), (ClipPrediction("0", "0.avi", "b", "g0", np.array([1.0, 0.0])),))
    with pytest.raises(UserError, match="different labels for the same clips: 0"):
        compare(predictions([True]), relabelled)
