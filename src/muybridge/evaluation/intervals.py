"""How far an accuracy can be trusted: 95 % intervals that need no assumption hidden from the reader.

There are two intervals, because they answer different questions. `wilson` treats clips as
independent draws. They are not: clips cut from one source video succeed and fail together, so
`bootstrap_by_group` resamples whole source groups and is usually the wider and the more honest one. Where the
data cannot carry an interval there is none, and the reason is given instead.

Legend: N clips, G source groups, R bootstrap resamples.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from muybridge.text import counted

# Below so many source groups a bootstrap over them is noticeably too narrow.
FEW_GROUPS = 20
# Cells of one block of resampled group indices: bounds memory to a few MB whatever the number of groups.
_BLOCK_CELLS = 1_000_000

_Video = TypeVar("_Video")


@dataclass(frozen=True)
class Interval:
    """A confidence interval at the confidence ``level``: ``low`` and ``high`` in 0..1, of a gain in -1..1."""

    low: float
    high: float
    level: float


@dataclass(frozen=True)
class GroupInterval:
    """A bootstrap interval over source groups, or the reason why there is none.

    Attributes:
        interval: the interval, or None.
        groups: number of distinct source groups that were resampled; 0 where they are not known.
        reason: why ``interval`` is None, in words for the user; None when there is an interval.
    """

    interval: Interval | None
    groups: int
    reason: str | None

    @classmethod
    def of_unknown(cls, unknown: int, clips: int) -> "GroupInterval":
        """None, since the source group of some clips is unknown."""
        if unknown == clips:
            return cls(None, 0, "source groups unknown")
        return cls(None, 0, f"the source group of {counted(unknown, 'clip')} is unknown")

    @property
    def groups_unknown(self) -> bool:
        """Whether there is no interval because the source groups are not known."""
        return self.groups == 0

    @property
    def too_narrow(self) -> bool:
        """Whether there is an interval, but from so few groups that it claims too much."""
        return self.interval is not None and self.groups < FEW_GROUPS


def wilson(correct: int, total: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for a binomial share, without continuity correction.

    It stays inside 0..1, is not empty at 0 or all correct, and covers well from a handful of clips on, which
    the textbook interval (p plus or minus 1.96 standard errors) does not.

    Args:
        correct: number of successes.
        total: number of trials, at least 1.
        level: confidence, between 0 and 1.

    Raises:
        ValueError: if the counts or the level are impossible.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
    (1927) 209-212; recommended by Brown, Cai and DasGupta, "Interval estimation for a binomial proportion",
    Statistical Science 16 (2001) 101-133.

    Example:
        >>> wilson(81, 263).low.__round__(4), wilson(81, 263).high.__round__(4)
        (0.2553, 0.3662)
    """
    _check_level(level)
    if total < 1 or not 0 <= correct <= total:
        raise ValueError(f"an interval needs 0 <= correct <= total and total >= 1, got {correct} of {total}")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = correct / total
    denominator = 1 + z**2 / total
    centre = (share + z**2 / (2 * total)) / denominator
    half_width = z * (share * (1 - share) / total + z**2 / (4 * total**2)) ** 0.5 / denominator
    # At 0 and at all correct the bound is exactly 0 or 1; rounding would leave 1e-17.
    return Interval(
        low=0.0 if correct == 0 else max(0.0, centre - half_width),
        high=1.0 if correct == total else min(1.0, centre + half_width),
        level=level,
    )


def bootstrap_by_group(
    correct_N: NDArray[np.bool_] | NDArray[np.float64],
    groups_N: Sequence[Hashable],
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> GroupInterval:
    """Percentile interval of an accuracy from a cluster bootstrap over source groups.

    Each resample draws as many groups as there are, with replacement, takes every clip of a drawn group, and
    divides the correct clips by all clips (a ratio, since groups differ in size).

    Args:
        correct_N: whether each clip was classified correctly; or of each clip the share of models that were right.
        groups_N: the source group of each clip; equal names mean the same source.
        resamples: number of bootstrap resamples.
        seed: of the resampling; the same input and seed return the same interval.
        level: confidence, between 0 and 1.

    Returns:
        The interval; without one when there are fewer than two groups, or when all groups have the same
        accuracy (all correct, say): resampling then sees no variation, and a width of zero would claim a
        certainty that is not there.

    Note:
        With few groups a percentile bootstrap is too narrow. On simulated clips whose group members agree (a
        correlation of 1/3), the 95 % interval held the truth in 81, 88, 92 and 95 % of the cases with 5, 10,
        20 and 50 groups (Wilson's interval: 79 to 83 %). Below `FEW_GROUPS` the report says so.

    Source: Davison and Hinkley, "Bootstrap Methods and their Application" (1997), section 3.8; Field
    and Welsh, "Bootstrapping clustered data", JRSS B 69 (2007) 369-390.
    """
    _check_level(level)
    _, group_N = _distinct(groups_N)
    if len(correct_N) != len(group_N):
        raise ValueError(f"{len(correct_N)} results but {len(group_N)} groups")
    clips_G = np.bincount(group_N)
    correct_G = np.bincount(group_N, weights=np.asarray(correct_N, dtype=np.float64))
    if (reason := _too_uniform(correct_G, clips_G)) is not None:
        return GroupInterval(None, len(clips_G), reason)
    rng = np.random.default_rng(seed)
    shares_R = _resampled_shares(correct_G, clips_G, resamples, rng)
    return GroupInterval(percentiles(shares_R, level), len(clips_G), None)


def bootstrap_class_mean(
    correct_N: NDArray[np.bool_],
    labels_N: Sequence[Hashable],
    groups_N: Sequence[Hashable],
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> GroupInterval:
    """Percentile interval of the mean class accuracy: `bootstrap_by_group` within each class, then averaged.

    Groups are resampled within their class (stratified), because the classes are fixed and not drawn at
    random.

    Args:
        correct_N: whether each clip was classified correctly.
        labels_N: the true class of each clip.
        groups_N: the source group of each clip.
        resamples: number of bootstrap resamples.
        seed: of the resampling.
        level: confidence, between 0 and 1.

    Returns:
        The interval; without one when some class has a single group (its own variation is then unknown), or
        when no class varies between its groups. ``groups`` counts the groups of all classes.
    """
    _check_level(level)
    correct_N = np.asarray(correct_N, dtype=bool)
    classes, label_N = _distinct(labels_N)
    counts = []
    for index in range(len(classes)):
        member_N = label_N == index
        _, group_M = _distinct([group for group, member in zip(groups_N, member_N, strict=True) if member])
        counts.append(_counts(correct_N[member_N], group_M))
    groups = sum(len(clips_G) for _, clips_G in counts)
    for name, (_, clips_G) in zip(classes, counts, strict=True):
        if len(clips_G) < 2:
            return GroupInterval(None, groups, f"class {name} has a single source group")
    if all(_too_uniform(correct_G, clips_G) is not None for correct_G, clips_G in counts):
        return GroupInterval(None, groups, "within each class all source groups have the same accuracy")
    rng = np.random.default_rng(seed)
    sum_R = np.zeros(resamples)
    for correct_G, clips_G in counts:
        sum_R += _resampled_shares(correct_G, clips_G, resamples, rng)
    return GroupInterval(percentiles(sum_R / len(classes), level), groups, None)


def bootstrap_gain_by_group(
    before_N: NDArray[np.bool_],
    after_N: NDArray[np.bool_],
    groups_N: Sequence[Hashable],
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> GroupInterval:
    """Percentile interval of a gain in accuracy on the same clips: a paired bootstrap over source groups.

    The resampling of `bootstrap_by_group`, applied to each clip's difference (1 repaired, -1 broken, else 0). Both
    accuracies are taken from the same resample, so what is hard for both cancels out, and the interval is
    narrower than two separate ones would suggest.

    Args:
        before_N: whether each clip was right before.
        after_N: whether each clip, in the same order, is right after.
        groups_N: the source group of each clip.
        resamples: number of bootstrap resamples.
        seed: of the resampling.
        level: confidence, between 0 and 1.

    Returns:
        The interval of the gain, bounds in -1..1; without one when there are fewer than two groups or all groups
        gain the same (nothing changed, say).
    """
    _check_level(level)
    _, group_N = _distinct(groups_N)
    _, clips_G = _counts(before_N, group_N)
    gain_G = _counts(after_N, group_N)[0] - _counts(before_N, group_N)[0]
    if (reason := _too_uniform(gain_G, clips_G, figure="gain")) is not None:
        return GroupInterval(None, len(clips_G), reason)
    shares_R = _resampled_shares(gain_G, clips_G, resamples, np.random.default_rng(seed))
    return GroupInterval(percentiles(shares_R, level), len(clips_G), None)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, got {level}")


def _distinct(names: Sequence[Hashable]) -> tuple[list[Hashable], NDArray[np.int64]]:
    """The distinct names in order of appearance, and the position of each name among them."""
    positions: dict[Hashable, int] = {}
    index = [positions.setdefault(name, len(positions)) for name in names]
    return list(positions), np.asarray(index, dtype=np.int64)


def _counts(correct_N: NDArray[np.bool_], group_N: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Correct clips and all clips of each group."""
    if len(correct_N) != len(group_N):
        raise ValueError(f"{len(correct_N)} results but {len(group_N)} groups")
    clips_G = np.bincount(group_N)
    correct_G = np.bincount(group_N[correct_N], minlength=len(clips_G))
    return correct_G.astype(np.int64), clips_G.astype(np.int64)


def _too_uniform(correct_G: NDArray[Any], clips_G: NDArray[np.int64], *, figure: str = "accuracy") -> str | None:
    """Why resampling these groups says nothing, or None if it does."""
    if len(clips_G) < 2:
        return f"{len(clips_G)} source group{'' if len(clips_G) == 1 else 's'}, at least 2 are needed"
    if np.all(correct_G * clips_G.sum() == clips_G * correct_G.sum()):
        return f"all source groups have the same {figure}"
    return None


def _resampled_shares(
    correct_G: NDArray[Any], clips_G: NDArray[np.int64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The accuracy of each resample of whole groups, length R."""
    groups = len(clips_G)
    rows = max(1, _BLOCK_CELLS // groups)
    shares = []
    for start in range(0, resamples, rows):
        drawn_RG = rng.integers(groups, size=(min(rows, resamples - start), groups))
        shares.append(correct_G[drawn_RG].sum(axis=1) / clips_G[drawn_RG].sum(axis=1))
    return np.concatenate(shares)


def percentiles(values_R: NDArray[np.float64], level: float) -> Interval:
    """The middle share ``level`` of resampled figures."""
    low, high = np.quantile(values_R, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)


def bootstrap_of_videos(
    videos: Sequence[_Video],
    value_of: Callable[[Sequence[_Video]], float],
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> GroupInterval:
    """Percentile interval of any figure of some videos: whole videos are drawn, with replacement.

    Args:
        videos: What is counted of each.
        value_of: The figure of some of them.
        resamples: Number of bootstrap resamples.
        seed: Of the resampling.
        level: Confidence, between 0 and 1.

    Returns:
        The interval; without one of fewer than two videos, or where the figure is the same in every resample.
    """
    _check_level(level)
    if len(videos) < 2:
        return GroupInterval(None, len(videos), "1 video, at least 2 are needed")
    rng = np.random.default_rng(seed)
    drawn_RV = rng.integers(len(videos), size=(resamples, len(videos)))
    values_R = np.array([value_of([videos[each] for each in drawn_V]) for drawn_V in drawn_RV])
    if np.ptp(values_R) == 0:
        return GroupInterval(None, len(videos), "the same in all videos")
    return GroupInterval(percentiles(values_R, level), len(videos), None)
