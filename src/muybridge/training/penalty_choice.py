"""The penalty of a probe, chosen by cross-validation over source groups.

Axes: N clips, C of them that count, G source groups, D features, K classes, P penalties.
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
    """Choose the strongest penalty under which clips of unseen source groups are as likely as under any.

    Each penalty is taken at the temperature that suits it. As likely: their mean loss is higher by no more than one
    standard error of the difference, over source groups (Breiman et al., 1984, section 3.4.3). Few clips tell penalties
    hardly apart, and then the least of some equal losses is often the weakest penalty by chance.

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
    counted = [logits_NK[counted_N] for logits_NK in logits_PNK]
    losses_PC = torch.stack([_losses(logits_CK, labels_C) for logits_CK in counted])
    own_groups = [group for group, is_counted in zip(groups, counted_N.tolist(), strict=True) if is_counted]
    place = strongest_as_good(losses_PC, own_groups)
    # Each clip was left out by one of the models, so on average they learned from this share of the clips. On all of
    # them the same penalty, which weighs against the mean loss of a clip, would hold the weights back more.
    share = 1 - 1 / len(folds)
    return PenaltyChoice(share * PENALTIES[place], counted[place], labels_C)


def _losses(logits_CK: Tensor, labels_C: Tensor) -> Tensor:
    """The loss of each clip, at the temperature that suits them all."""
    return functional.cross_entropy(logits_CK / smoothed_temperature(logits_CK, labels_C), labels_C, reduction="none")


def strongest_as_good(losses_PC: Tensor, groups: Sequence[str]) -> int:
    """The place of the strongest of some penalties, given from weak to strong, that is as good as the best.

    Args:
        losses_PC: Under each penalty the loss of each clip.
        groups: The source group of each clip.
    """
    best = int(losses_PC.mean(dim=1).argmin())
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    group_C = torch.tensor([numbers[group] for group in groups])
    chosen = best
    for place in range(best + 1, len(losses_PC)):
        worse_C = losses_PC[place] - losses_PC[best]
        worse_G = torch.zeros(len(numbers), dtype=worse_C.dtype).index_add_(0, group_C, worse_C)
        error = (worse_G - worse_G.mean()).square().sum().sqrt() / len(worse_C)
        if worse_C.mean() <= error:
            chosen = place
    return chosen
