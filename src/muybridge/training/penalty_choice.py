"""The penalty of a probe, chosen by cross-validation over source groups.

Axes: N clips, C of them that count, D features, K classes, P penalties.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from muybridge.dataset.folds import group_folds
from muybridge.training.calibrating import smoothed_temperature
from muybridge.training.probe_solving import solve_path

PENALTIES = tuple(float(value) for value in np.logspace(-6, -1, 11))
"""Half of one times the squared weights is added to a clip's mean loss. From next to nothing to all but constant."""
WITHOUT_FOLDS = 1e-4
"""The penalty where no class has two source groups to choose it by."""
FOLDS = 5


@dataclass(frozen=True, eq=False)
class PenaltyChoice:
    """A penalty, and what the folds' models said of the clips that they had not seen.

    Attributes:
        penalty: The penalty, for a fit on all clips.
        logits_CK: The folds' logits at this penalty of the C clips that some fold could recognise; none without folds.
        labels_C: Their class numbers.
    """

    penalty: float
    logits_CK: Tensor
    labels_C: Tensor

    @property
    def accuracy(self) -> float | None:
        """Share of these clips that were right; None without folds."""
        right_C = (self.logits_CK.argmax(dim=1) == self.labels_C).double()
        return right_C.mean().item() if len(right_C) else None


def choose_penalty(
    inputs_ND: Tensor, labels_N: Tensor, groups: Sequence[str], *, class_count: int, seed: int
) -> PenaltyChoice:
    """Choose the penalty under which clips of unseen source groups are most likely, at the temperature that suits it.

    Args:
        inputs_ND: What the classifier sees, float64.
        labels_N: Class numbers.
        groups: The source group of each clip.
        class_count: K.
        seed: Seed of the folds.

    Returns:
        The penalty with the folds' answers. Clips of a class with one source group cannot be recognised by a model
        that has not seen it, and are left out of the count.
    """
    folds_N = np.array(group_folds([str(k) for k in labels_N.tolist()], groups, count=FOLDS, seed=seed))
    labels = labels_N.numpy()
    spread = {k: len({folds_N[i] for i in np.flatnonzero(labels == k)}) for k in set(labels.tolist())}
    counted_N = torch.tensor([spread[k] > 1 for k in labels.tolist()])
    if not bool(counted_N.any()):
        return PenaltyChoice(WITHOUT_FOLDS, torch.empty(0, class_count, dtype=torch.float64), labels_N[:0])
    logits_PNK = torch.zeros(len(PENALTIES), len(labels_N), class_count, dtype=torch.float64)
    folds = sorted(set(folds_N.tolist()))
    for fold in folds:
        inside = torch.from_numpy(folds_N != fold)
        solutions = solve_path(inputs_ND[inside], labels_N[inside], PENALTIES, class_count=class_count)
        for place, (weights_KD, bias_K) in enumerate(solutions):
            logits_PNK[place, ~inside] = functional.linear(inputs_ND[~inside], weights_KD, bias_K)
    labels_C = labels_N[counted_N]

    def loss(logits_CK: Tensor) -> float:
        return functional.cross_entropy(logits_CK / smoothed_temperature(logits_CK, labels_C), labels_C).item()

    counted = [logits_NK[counted_N] for logits_NK in logits_PNK]
    place = min(range(len(PENALTIES)), key=lambda number: loss(counted[number]))
    # Each clip was left out by one of the models, so on average they learned from this share of the clips. On all of
    # them the same penalty, which weighs against the mean loss of a clip, would hold the weights back more.
    share = 1 - 1 / len(folds)
    return PenaltyChoice(share * PENALTIES[place], counted[place], labels_C)
