"""None of these, measured: how well a model tells clips of classes that it does not know from those that it knows.

Axes: N known clips, M unknown clips, R bootstrap resamples.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.evaluation.intervals import GroupInterval, percentiles, wilson
from muybridge.inference.predictions import ClipPrediction
from muybridge.text import counted, percent, share_range, shortened

_RESAMPLES = 2000


@dataclass(frozen=True)
class NoneOfThese:
    """How often clips were called none of the classes, and how well unknown clips were told from known ones.

    Clips that do not decode are left out. By folds each model answers for its own known clips and for every unknown
    one, so an unknown clip has as many answers as there are models; an interval counts it once all the same.

    Attributes:
        known: Clips of the model's classes.
        alarms: How many of them were called none of these; None where the model has no limit.
        allowed: The share of them that the limit was set for; None where there is none.
        unknown: Answers for clips of other classes.
        unknown_clips: How many clips these are for.
        caught: How many of these answers were none of these.
        labels: The classes of these clips.
        undecodable: Clips of other classes that do not decode, with the reason.
        area: The area under the ROC curve: how often a known clip is more familiar than an unknown one.
        by_group: Its interval, source groups of both drawn anew.
        known_groups: Source groups of the known clips; 0 where they are not known.
    """

    known: int
    alarms: int | None
    allowed: float | None
    unknown: int = 0
    unknown_clips: int = 0
    caught: int | None = None
    labels: tuple[str, ...] = ()
    undecodable: tuple[str, ...] = ()
    area: float | None = None
    by_group: GroupInterval | None = None
    known_groups: int = 0

    @classmethod
    def of_answers(
        cls,
        known: Sequence[Sequence[ClipPrediction]],
        unknown: Sequence[Sequence[ClipPrediction]],
        *,
        allowed: float | None,
        seed: int = 0,
    ) -> "NoneOfThese | None":
        """Count answers.

        Args:
            known: Of each model, its answers for clips of its classes.
            unknown: Of each model, its answers for clips of other classes, the same ones for all; may be empty.
            allowed: The share of known clips that the limit was set for; None without a limit.
            seed: Of the bootstrap.

        Returns:
            The figures; None where nothing can be said: without a limit and without unknown clips.
        """
        broken = [f"{clip.path}: {clip.error}" for clips in unknown for clip in clips if clip.error is not None]
        undecodable = tuple(dict.fromkeys(broken))
        known = [[clip for clip in clips if clip.familiarity is not None] for clips in known]
        unknown = [[clip for clip in clips if clip.familiarity is not None] for clips in unknown]
        right, wrong = [clip for clips in known for clip in clips], [clip for clips in unknown for clip in clips]
        if not right or (allowed is None and not wrong and not undecodable):
            return None
        alarms = None if allowed is None else sum(clip.none_of_these for clip in right)
        if not wrong:
            return cls(len(right), alarms, allowed, undecodable=undecodable)
        area, by_group, known_groups = _area(known, unknown, seed=seed)
        return cls(
            known=len(right),
            alarms=alarms,
            allowed=allowed,
            unknown=len(wrong),
            unknown_clips=len({clip.clip_id for clip in wrong}),
            caught=None if allowed is None else sum(clip.none_of_these for clip in wrong),
            labels=tuple(sorted({clip.label for clip in wrong})),
            undecodable=undecodable,
            area=area,
            by_group=by_group,
            known_groups=known_groups,
        )

    def lines(self) -> tuple[str, ...]:
        """The figures in words."""
        lines = []
        if self.alarms is not None and self.allowed is not None:
            known = _share(self.alarms, self.known, counted(self.known, "known clip"), clips=self.known)
            lines.append(f"called none of these: {known}, where the limit allows {percent(self.allowed)}")
            if self.caught is not None:
                what = counted(self.unknown_clips, "unknown clip")
                if self.unknown > self.unknown_clips:
                    what = f"{counted(self.unknown, 'answer')} for {what}"
                lines[0] += f"; {_share(self.caught, self.unknown, what, clips=self.unknown_clips)}"
        if self.area is not None and self.by_group is not None:
            between = self.by_group.interval
            groups = f"{self.known_groups} and {self.by_group.groups} source groups"
            reliable = (
                f"no interval: {self.by_group.reason}"
                if between is None
                else f"{100 * between.level:g} %, by {groups}: {between.low:.3f}-{between.high:.3f}"
            )
            lines.append(
                f"known against unknown: AUROC {self.area:.3f} ({reliable}; {counted(self.known, 'known clip')}, "
                f"{counted(self.unknown, 'answer')} for clips of {counted(len(self.labels), 'other class')})"
            )
        if self.undecodable:
            count = counted(len(self.undecodable), "unknown clip")
            lines.append(f"left out, not decoded: {count}: {shortened(self.undecodable, limit=3)}")
        return tuple(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None is what could not be told."""
        between = self.by_group.interval if self.by_group else None
        return {
            "known": self.known,
            "alarms": self.alarms,
            "allowed": self.allowed,
            "unknown": self.unknown,
            "unknown_clips": self.unknown_clips,
            "caught": self.caught,
            "unknown_classes": list(self.labels),
            "unknown_undecodable": list(self.undecodable),
            "auroc": self.area,
            "auroc_by_group": None if between is None else asdict(between),
        }


def _share(some: int, of: int, what: str, *, clips: int) -> str:
    """A count with its share and interval, such as "9 of 189 known clips (4.8 %, Wilson 2.5-8.8)"."""
    interval = wilson(round(some / of * clips), clips)
    return f"{some} of {what} ({percent(some / of)}, Wilson {share_range(interval.low, interval.high)})"


def _area(
    known: Sequence[Sequence[ClipPrediction]], unknown: Sequence[Sequence[ClipPrediction]], *, seed: int
) -> tuple[float, GroupInterval, int]:
    """The area over the pairs of each model, its interval, and the number of known source groups."""
    clips = [clip for each in known for clip in each]
    others = [clip for each in unknown for clip in each]
    models = [_Pairs(_familiar(own), _familiar(strange)) for own, strange in zip(known, unknown, strict=True)]
    once = [(np.ones(pairs.known), np.ones(pairs.unknown)) for pairs in models]
    area = _won(models, once)
    ungrouped = sum(clip.group is None for clip in (*clips, *others))
    if ungrouped:
        return area, GroupInterval.of_unknown(ungrouped, len(clips) + len(others)), 0
    groups_N, groups_M = (
        np.unique([str(clip.group) for clip in some], return_inverse=True)[1] for some in (clips, others)
    )
    known_groups, unknown_groups = int(groups_N.max()) + 1, int(groups_M.max()) + 1
    if min(known_groups, unknown_groups) < 2:
        reason = "at least 2 source groups of each kind are needed"
        return area, GroupInterval(None, unknown_groups, reason), known_groups
    rng = np.random.default_rng(seed)
    own_ends = np.cumsum([pairs.known for pairs in models])[:-1]
    other_ends = np.cumsum([pairs.unknown for pairs in models])[:-1]
    areas = []
    for _ in range(_RESAMPLES):
        times_N = np.bincount(rng.integers(known_groups, size=known_groups), minlength=known_groups)[groups_N]
        times_M = np.bincount(rng.integers(unknown_groups, size=unknown_groups), minlength=unknown_groups)[groups_M]
        parts = zip(np.split(times_N, own_ends), np.split(times_M, other_ends), strict=True)
        areas.append(_won(models, list(parts)))
    return area, GroupInterval(percentiles(np.array(areas), 0.95), unknown_groups, None), known_groups


def _familiar(clips: Sequence[ClipPrediction]) -> NDArray[np.float64]:
    return np.array([clip.familiarity for clip in clips], dtype=np.float64)


class _Pairs:
    """The familiarities of one model's known and unknown clips, ordered once for all resamples."""

    def __init__(self, known_N: NDArray[np.float64], unknown_M: NDArray[np.float64]) -> None:
        self.known, self.unknown = len(known_N), len(unknown_M)
        self.order_M = np.argsort(unknown_M)
        ordered_M = unknown_M[self.order_M]
        self.below_N = np.searchsorted(ordered_M, known_N, side="left")
        self.not_above_N = np.searchsorted(ordered_M, known_N, side="right")

    def won(self, times_N: NDArray[Any], times_M: NDArray[Any]) -> float:
        """The pairs in which the known clip is the more familiar one, ties half; each clip counts so many times."""
        sums = np.concatenate([[0.0], np.cumsum(times_M[self.order_M])])
        return float(times_N @ (sums[self.below_N] + sums[self.not_above_N]) / 2)


def _won(models: Sequence[_Pairs], times: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    """The share of all pairs that were won."""
    won = sum(pairs.won(own_N, other_M) for pairs, (own_N, other_M) in zip(models, times, strict=True))
    return won / sum(float(own_N.sum()) * float(other_M.sum()) for own_N, other_M in times)
