"""Two sets of predictions on the same clips: what the second gains, and which clips it repairs and breaks.

The accuracies of two models on the same clips rise and fall together, so their two intervals say little about
the difference. Here the difference itself is resampled, whole source groups at a time.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from muybridge.errors import UserError
from muybridge.evaluation.intervals import GroupInterval, bootstrap_gain_by_group
from muybridge.inference.predictions import Predictions
from muybridge.text import counted, only_in_each, points, shortened


@dataclass(frozen=True)
class Comparison:
    """What changed from one set of predictions to another on the same clips.

    Attributes:
        before: share of clips that were right before, 0..1.
        after: share of clips that are right after, 0..1.
        clips: number of clips.
        repaired: ids of the clips that were wrong before and are right after, sorted.
        broken: ids of the clips that were right before and are wrong after, sorted.
        interval: paired bootstrap interval of the gain over source groups.
    """

    before: float
    after: float
    clips: int
    repaired: tuple[str, ...]
    broken: tuple[str, ...]
    interval: GroupInterval

    @property
    def gain(self) -> float:
        """Accuracy after minus accuracy before, -1..1."""
        return (len(self.repaired) - len(self.broken)) / self.clips

    def summary(self) -> str:
        """The gain in one line, with all it needs to be judged.

        Example: ``gain +3.2 points (8 repaired, 2 broken of 189 clips; 95 %, paired, by 50 source groups -0.5 to
        +6.9)``.
        """
        interval = self.interval.interval
        if interval is None:
            spread = f"no interval: {self.interval.reason}"
        else:
            spread = (
                f"{100 * interval.level:g} %, paired, by {self.interval.groups} source groups "
                f"{points(interval.low)} to {points(interval.high)}"
            )
        return (
            f"gain {points(self.gain)} points ({len(self.repaired)} repaired, {len(self.broken)} broken of "
            f"{counted(self.clips, 'clip')}; {spread})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON; accuracies are 0..1, the gain and its bounds -1..1."""
        return {
            "before": self.before,
            "after": self.after,
            "gain": self.gain,
            "interval": None if self.interval.interval is None else asdict(self.interval.interval),
            "groups": self.interval.groups,
            "interval_absent_because": self.interval.reason,
            "clips": self.clips,
            "repaired": list(self.repaired),
            "broken": list(self.broken),
            "summary": self.summary(),
        }


def compare(
    before: Predictions, after: Predictions, *, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> Comparison:
    """Compare two sets of predictions on the same clips.

    A clip that could not be decoded counts as wrong. Clips and classes are matched by name, so their order does
    not matter.

    Args:
        before: predictions of at least one clip.
        after: predictions of the same clips, over the same classes.
        resamples: of the bootstrap over source groups.
        seed: of the bootstrap.
        level: confidence of the interval.

    Raises:
        UserError: if the clips, their labels or the classes differ, or there are no clips.
    """
    _check_same("classes", before.classes, after.classes)
    _check_same("clips", [clip.clip_id for clip in before.clips], [clip.clip_id for clip in after.clips])
    if not before.clips:
        raise UserError("the predictions to compare hold no clips; measure both on at least one")
    ids = [clip.clip_id for clip in before.clips]
    later = {clip.clip_id: number for number, clip in enumerate(after.clips)}
    order = [later[clip_id] for clip_id in ids]
    relabelled = [clip.clip_id for clip in before.clips if clip.label != after.clips[later[clip.clip_id]].label]
    if relabelled:
        raise UserError(
            f"the two sets of predictions have different labels for the same clips: {shortened(relabelled)}; "
            "measure both on the same catalog"
        )

    was_N, is_N = before.correct_N, after.correct_N[order]
    groups_N = [clip.group for clip in before.clips]
    if None in groups_N:
        interval = GroupInterval.of_unknown(groups_N.count(None), len(groups_N))
    else:
        interval = bootstrap_gain_by_group(was_N, is_N, groups_N, resamples=resamples, seed=seed, level=level)
    return Comparison(
        before=float(was_N.mean()),
        after=float(is_N.mean()),
        clips=len(ids),
        repaired=tuple(sorted(ids[number] for number in np.flatnonzero(~was_N & is_N))),
        broken=tuple(sorted(ids[number] for number in np.flatnonzero(was_N & ~is_N))),
        interval=interval,
    )


def _check_same(what: str, before: Iterable[str], after: Iterable[str]) -> None:
    if difference := only_in_each(before, after):
        raise UserError(
            f"predictions of different {what} cannot be compared (only in the first: {difference[0]}; "
            f"only in the second: {difference[1]}); measure both on the same clips and classes"
        )
