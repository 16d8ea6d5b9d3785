"""Accuracy over the number of training clips a class: would more clips help?

So many clips of each class are drawn from a training part, a probe is fitted on them as on all, and measured on clips
whose sources it did not see. A class with fewer clips gives what it has.

Axes: N clips, D features, K classes.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from muybridge.models.heads.probe import ProbeHead
from muybridge.training.penalty_choice import choose_penalty
from muybridge.training.probe_solving import solve

DRAWS = 10
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Clips a class, as far as the largest class goes."""

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CurvePoint:
    """What so many clips a class are worth.

    Attributes:
        clips_per_class: How many were drawn.
        draws: The accuracy of each draw.
        right_N: Of every clip the share of draws that had it right; NaN for a clip that was never tested.
    """

    clips_per_class: int
    draws: tuple[float, ...]
    right_N: NDArray[np.float64]

    @property
    def accuracy(self) -> float:
        """The mean over the draws."""
        return float(np.mean(self.draws))


def draw_curve(
    head: ProbeHead,
    means_ND: Tensor,
    labels_N: Tensor,
    groups: Sequence[str],
    *,
    parts: Sequence[tuple[Indices, Indices]],
    class_count: int,
    seed: int,
) -> list[CurvePoint]:
    """Fit on growing draws of the training clips.

    Args:
        head: A probe's head; not changed.
        means_ND: The mean features of all clips, float64.
        labels_N: Their class numbers.
        groups: Their source groups.
        parts: Of each division the clips to train and to test on; draws take turns through them.
        class_count: K.
        seed: Seed of the draws.

    Returns:
        A point for each size up to that of the largest class.
    """
    head = copy.deepcopy(head)  # standardised anew for each draw
    labels = labels_N.numpy()
    largest = max(np.bincount(labels[train]).max() for train, _ in parts)
    points = []
    for size in (size for size in SIZES if size < largest):
        draws = []
        right_N, tested_N = np.zeros(len(labels)), np.zeros(len(labels))
        for draw in range(DRAWS):
            train, test = parts[draw % len(parts)]
            chosen = _drawn(labels, train, size, np.random.default_rng([seed, size, draw]))
            head.standardise(means_ND[chosen])
            inputs_MD, known_M = head.normal(means_ND[chosen]), labels_N[chosen]
            own_groups = [groups[index] for index in chosen]
            penalty = choose_penalty(inputs_MD, known_M, own_groups, class_count=class_count, seed=seed).penalty
            weights_KD, bias_K = solve(inputs_MD, known_M, penalty, class_count=class_count)
            found = functional.linear(head.normal(means_ND[test]), weights_KD, bias_K).argmax(dim=1).numpy()
            right = found == labels[test]
            right_N[test] += right
            tested_N[test] += 1
            draws.append(float(right.mean()))
        with np.errstate(invalid="ignore"):
            points.append(CurvePoint(size, tuple(draws), right_N / tested_N))
    return points


def _drawn(labels: Indices, train: Indices, size: int, generator: np.random.Generator) -> torch.Tensor:
    """The numbers of ``size`` training clips of each class, or of all that there are."""
    chosen = [
        generator.permutation(train[labels[train] == label])[:size] for label in sorted(set(labels[train].tolist()))
    ]
    return torch.from_numpy(np.concatenate(chosen))
