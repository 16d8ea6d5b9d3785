"""How well a probe tells clips of classes that it never saw from those of classes that it knows.

Some classes are left out, a probe is fitted on clips of the others, and the familiarity of clips that it was not fitted
on (see ``inference.rejection``) is compared: known classes against those left out. Each class is left out once.

Axes: N clips, D features, K classes.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from muybridge.dataset.cutting import drawn
from muybridge.dataset.folds import group_folds
from muybridge.models.heads.probe import ProbeHead
from muybridge.training.penalty_choice import FOLDS
from muybridge.training.probe_solving import solve

LEFT_OUT = 2
"""Classes left out together. Two must be left to tell apart."""

LEAST_KNOWN = 20
"""With fewer known clips to try, over all sets, the figure would be chance."""


@dataclass(frozen=True)
class UnknownFigures:
    """How clips of known and of unknown classes were told apart.

    Attributes:
        areas: The area under the ROC curve of each set of classes left out: how often a clip of a known class is more
            familiar than one of a class left out; 0.5 is chance.
        left_out: The names of the classes of each set.
    """

    areas: tuple[float, ...]
    left_out: tuple[tuple[str, ...], ...]

    @property
    def area(self) -> float:
        """The mean over the sets."""
        return float(np.mean(self.areas))

    def __str__(self) -> str:
        return (
            f"known against unknown: AUROC {self.area:.3f} (mean of {len(self.areas)}, {min(self.areas):.3f} to "
            f"{max(self.areas):.3f}; {LEFT_OUT} classes left out at a time, clips of new sources)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        sets = [{"left_out": list(names), "auroc": area} for names, area in zip(self.left_out, self.areas, strict=True)]
        return {"auroc": self.area, "sets": sets}


def leave_classes_out(
    head: ProbeHead,
    means_ND: Tensor,
    labels_N: Tensor,
    groups: Sequence[str],
    *,
    classes: Sequence[str],
    penalty: float,
    seed: int,
) -> UnknownFigures | None:
    """Leave out each class once, in sets of two.

    Args:
        head: A probe's head; not changed.
        means_ND: The mean features of clips, float64.
        labels_N: Their class numbers.
        groups: Their source groups.
        classes: Names of the classes.
        penalty: Of the probe.
        seed: Of the sets and of the folds: a set's probe never saw the sources of the known clips it is tried on.

    Returns:
        The figures; None with fewer than four classes, or with too few sources to hold enough clips back.
    """
    if len(classes) < LEFT_OUT + 2:
        return None
    order = drawn(classes, seed=seed)
    sets = [tuple(order[start : start + LEFT_OUT]) for start in range(0, len(order), LEFT_OUT)]
    folds_N = np.array(group_folds([classes[k] for k in labels_N.tolist()], groups, count=FOLDS, seed=seed))
    areas, left_out, tried = [], [], 0
    for number, names in enumerate(sets):
        unknown_N = np.isin(labels_N.numpy(), [classes.index(name) for name in names])
        tried_N = folds_N == number % FOLDS
        fitted, known = ~tried_N & ~unknown_N, tried_N & ~unknown_N
        if not known.any() or len(set(labels_N[fitted].tolist())) < 2:
            continue
        tried += int(known.sum())
        own = copy.deepcopy(head)
        own.standardise(means_ND[fitted])
        weights_KD, bias_K = solve(own.normal(means_ND[fitted]), labels_N[fitted], penalty, class_count=len(classes))
        present = sorted(set(labels_N[fitted].tolist()))
        logits_NK = functional.linear(own.normal(means_ND), weights_KD[present], bias_K[present])
        familiar_N = logits_NK.max(dim=1).values.numpy()
        areas.append(area_under_roc(familiar_N[known], familiar_N[unknown_N]))
        left_out.append(names)
    return UnknownFigures(tuple(areas), tuple(left_out)) if tried >= LEAST_KNOWN else None


def area_under_roc(higher: NDArray[np.float64], lower: NDArray[np.float64]) -> float:
    """How often a value of the first kind exceeds one of the second; ties count half."""
    ordered = np.sort(lower)
    below = np.searchsorted(ordered, higher, side="left") + np.searchsorted(ordered, higher, side="right")
    return float(below.mean() / 2 / len(lower))
