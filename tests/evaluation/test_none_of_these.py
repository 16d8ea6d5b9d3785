"""Known against unknown in an evaluation: counts, the area against its definition, and what is said of them."""

import numpy as np
import pytest

from muybridge.evaluation.none_of_these import NoneOfThese
from muybridge.inference.predictions import ClipPrediction
from muybridge.training.leaving_classes_out import area_under_roc


def answers(familiarities, *, label: str, limit: float = 0.0, groups: int | None = 4) -> list[ClipPrediction]:
    """Answers for clips of one class, those below the limit called none of these."""
    return [
        ClipPrediction(
            f"{label}/{number}",
            f"{label}/{number}.avi",
            label,
            None if groups is None else f"{label}-{number % groups}",
            np.array([0.5, 0.5]),
            familiarity=float(value),
            none_of_these=bool(value < limit),
        )
        for number, value in enumerate(familiarities)
    ]


def test_the_area_is_that_of_all_pairs_and_lies_within_its_interval():
    generator = np.random.default_rng(0)
    known, strange = generator.integers(0, 9, 40), generator.integers(-2, 6, 30)
    found = NoneOfThese.of_answers([answers(known, label="a")], [answers(strange, label="x")], allowed=0.05)
    assert found is not None and found.area is not None and found.by_group is not None
    assert found.area == pytest.approx(area_under_roc(known.astype(float), strange.astype(float)))
    assert found.by_group.interval is not None
    assert found.by_group.interval.low < found.area < found.by_group.interval.high
    assert (found.known, found.alarms, found.unknown, found.caught) == (40, 0, 30, int((strange < 0).sum()))
    counts, area = found.lines()
    known_clips = "called none of these: 0 of 40 known clips (0.0 %, Wilson 0.0-8.8), where the limit allows 5.0 %; "
    assert counts.startswith(known_clips)
    assert f"AUROC {found.area:.3f} (95 %, by 4 and 4 source groups: " in area
    assert "30 answers for clips of 1 other class" in area


def test_models_of_folds_are_compared_each_with_its_own_clips():
    # The second model's scores are all higher; within each model every known clip is the more familiar one.
    known = [answers([1, 2], label="a"), answers([11, 12], label="b")]
    strange = [answers([0, 0.5], label="x"), answers([10, 10.5], label="x")]
    found = NoneOfThese.of_answers(known, strange, allowed=None)
    assert found is not None
    assert found.area == 1.0
    assert (found.known, found.unknown, found.alarms, found.caught) == (4, 4, None, None)
    assert len(found.lines()) == 1  # without a limit nothing is called none of these


def test_the_interval_draws_whole_groups():
    # One group of known clips is as strange as unknown ones: how often it is drawn decides.
    known = answers([5, 5, 5, 0] * 5, label="a", groups=4)
    strange = answers(np.linspace(-1, 1, 20), label="x", groups=20)
    found = NoneOfThese.of_answers([known], [strange], allowed=0.05)
    assert found is not None and found.by_group is not None and found.by_group.interval is not None
    alone = NoneOfThese.of_answers([answers([5, 5, 5, 0] * 5, label="a", groups=20)], [strange], allowed=0.05)
    assert alone is not None and alone.by_group is not None and alone.by_group.interval is not None
    assert found.by_group.interval.low < alone.by_group.interval.low - 0.05


def test_unknown_sources_leave_no_interval():
    known, strange = answers([3, 4], label="a", groups=None), answers([1, 2], label="x")
    found = NoneOfThese.of_answers([known], [strange], allowed=0.05)
    assert found is not None
    assert "no interval: the source group of 2 clips is unknown" in found.lines()[1]


def test_nothing_is_said_where_nothing_was_tried():
    assert NoneOfThese.of_answers([answers([1, 2], label="a")], [[]], allowed=None) is None
    bare = [ClipPrediction("a", "a.avi", "a", "g", np.array([1.0]))]  # an ensemble's answer
    assert NoneOfThese.of_answers([bare], [[]], allowed=0.05) is None
    known = NoneOfThese.of_answers([answers([-1, 2], label="a")], [[]], allowed=0.05)
    assert known is not None and known.lines() == (
        "called none of these: 1 of 2 known clips (50.0 %, Wilson 9.5-90.5), where the limit allows 5.0 %",
    )
    assert known.to_dict()["auroc"] is None


def test_answers_of_several_models_for_a_clip_make_its_interval_no_narrower():
    known, strange = answers([1, 2], label="a"), answers([-1, -1, 1, 1], label="x")
    once = NoneOfThese.of_answers([known], [strange], allowed=0.05)
    thrice = NoneOfThese.of_answers([known] * 3, [strange] * 3, allowed=0.05)
    assert once is not None and thrice is not None
    assert once.lines()[0].endswith("; 2 of 4 unknown clips (50.0 %, Wilson 15.0-85.0)")
    assert thrice.lines()[0].endswith("; 6 of 12 answers for 4 unknown clips (50.0 %, Wilson 15.0-85.0)")


def test_unknown_clips_that_do_not_decode_are_named():
    known, strange = answers([3, 4], label="a"), answers([1, 2], label="x")
    bad = ClipPrediction("x/9", "x/9.avi", "x", "g", None, "empty file")
    some = NoneOfThese.of_answers([known] * 2, [[*strange, bad]] * 2, allowed=0.05)
    none = NoneOfThese.of_answers([known], [[bad]], allowed=None)
    for found, count in ((some, 4), (none, 0)):
        assert found is not None and found.unknown == count
        assert found.lines()[-1] == "left out, not decoded: 1 unknown clip: x/9.avi: empty file"
        assert found.to_dict()["unknown_undecodable"] == ["x/9.avi: empty file"]
