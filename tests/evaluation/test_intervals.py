import numpy as np
import pytest

from muybridge.evaluation.intervals import bootstrap_by_group, bootstrap_class_mean, wilson


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [  # R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_values(correct: int, total: int, low: float, high: float) -> None:
    interval = wilson(correct, total)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    mirrored = wilson(total - correct, total)
    assert mirrored.low == pytest.approx(1 - interval.high)
    assert mirrored.high == pytest.approx(1 - interval.low)


def test_wilson_bounds_are_the_roots_of_the_score_equation() -> None:
    interval = wilson(7, 30, level=0.9)
    for bound in (interval.low, interval.high):
        assert abs(7 / 30 - bound) / (bound * (1 - bound) / 30) ** 0.5 == pytest.approx(1.6448536, abs=1e-6)


def test_wilson_at_the_ends_is_exact_and_not_empty() -> None:
    assert wilson(0, 5).low == 0.0 < wilson(0, 5).high < 1
    assert wilson(5, 5).high == 1.0 > wilson(5, 5).low > 0


@pytest.mark.parametrize(("correct", "total", "level"), [(1, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)])
def test_wilson_refuses_impossible_counts(correct: int, total: int, level: float) -> None:
    with pytest.raises(ValueError, match=r"interval needs|confidence level"):
        wilson(correct, total, level)


def test_bootstrap_of_two_groups_gives_the_exact_distribution() -> None:
    # Groups of 1 clip (right) and 3 clips (wrong): resampling gives 1 (1/4), 1/4 (1/2), 0 (1/4).
    correct_N = np.array([True, False, False, False])
    result = bootstrap_by_group(correct_N, ["a", "b", "b", "b"], level=0.4)
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == (0.25, 0.25)  # quantiles .3 and .7
    wide = bootstrap_by_group(correct_N, ["a", "b", "b", "b"], level=0.6).interval
    assert wide is not None
    assert (wide.low, wide.high) == (0.0, 1.0)  # quantiles .2 and .8


def test_bootstrap_takes_every_group_name_for_what_it_is_whatever_the_order() -> None:
    rng = np.random.default_rng(1)
    groups_N = [f"g{index // 5}" for index in range(200)]
    correct_N = rng.random(200) < 0.7
    order = rng.permutation(200)
    first = bootstrap_by_group(correct_N, groups_N)
    again = bootstrap_by_group(correct_N, groups_N)
    shuffled = bootstrap_by_group(correct_N[order], [groups_N[index] for index in order])
    assert first == again
    assert first.groups == shuffled.groups == 40
    assert first.interval is not None
    assert shuffled.interval is not None
    assert shuffled.interval.low == pytest.approx(first.interval.low, abs=0.01)


def test_bootstrap_is_the_same_in_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    correct_N, groups_N = rng.random(60) < 0.5, list(np.arange(60) // 3)
    whole = bootstrap_by_group(correct_N, groups_N, resamples=1000)
    monkeypatch.setattr("muybridge.evaluation.intervals._BLOCK_CELLS", 37)
    assert bootstrap_by_group(correct_N, groups_N, resamples=1000) == whole


@pytest.mark.parametrize(
    ("correct", "groups", "reason"),
    [
        ([True, False], ["a", "a"], "1 source group, at least 2"),
        ([True, True], ["a", "b"], "the same accuracy"),
        ([True, False, True, False], ["a", "a", "b", "b"], "the same accuracy"),
    ],
)
def test_bootstrap_says_why_there_is_no_interval(correct: list[bool], groups: list[str], reason: str) -> None:
    result = bootstrap_by_group(np.array(correct), groups)
    assert result.interval is None
    assert result.reason is not None
    assert reason in result.reason


def test_bootstrap_refuses_lists_of_different_length() -> None:
    with pytest.raises(ValueError, match="2 results but 3 groups"):
        bootstrap_by_group(np.array([True, False]), ["a", "b", "c"])


def test_group_interval_covers_where_wilson_does_not() -> None:
    """Clips of one source share their fate (beta-binomial): the truth lies inside 95 times in 100."""
    rng = np.random.default_rng(3)
    trials, groups, truth = 400, 50, 0.75
    covered_wilson = covered_group = 0
    for _ in range(trials):
        sizes_G = rng.integers(2, 7, size=groups)
        share_G = rng.beta(1.5, 0.5, size=groups)  # mean 0.75, clips of a group correlated by 1/3
        correct_N = rng.random(sizes_G.sum()) < np.repeat(share_G, sizes_G)
        result = bootstrap_by_group(correct_N, np.repeat(np.arange(groups), sizes_G).tolist(), resamples=1000)
        assert result.interval is not None
        covered_group += result.interval.low <= truth <= result.interval.high
        independent = wilson(int(correct_N.sum()), len(correct_N))
        covered_wilson += independent.low <= truth <= independent.high
    # One standard error of a share of 0.95 in 400 trials is 0.011.
    assert 0.91 <= covered_group / trials <= 0.985
    assert covered_wilson / trials < 0.89


def test_class_mean_interval_keeps_to_the_classes() -> None:
    # Class a is always right and large, class b is half right and small: only b can vary.
    labels_N = ["a"] * 40 + ["b"] * 8
    groups_N = [f"a{index // 4}" for index in range(40)] + [f"b{index}" for index in range(8)]
    correct_N = np.array([True] * 40 + [True, False] * 4)
    result = bootstrap_class_mean(correct_N, labels_N, groups_N)
    assert result.interval is not None
    assert result.groups == 18
    # Class b resamples to Binomial(8, 1/2) / 8 with 2.5 % quantiles 1/8 and 7/8; the mean is (1 + that) / 2.
    assert (result.interval.low, result.interval.high) == ((1 + 1 / 8) / 2, (1 + 7 / 8) / 2)


def test_class_mean_interval_says_why_there_is_none() -> None:
    single = bootstrap_class_mean(np.array([True, False, True]), ["a", "a", "b"], ["1", "2", "3"])
    assert single.interval is None
    assert single.reason == "class b has a single source group"
    uniform = bootstrap_class_mean(np.array([True, True]), ["a", "a"], ["1", "2"])
    assert uniform.interval is None
    assert "same accuracy" in str(uniform.reason)
