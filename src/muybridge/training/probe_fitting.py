"""Fitting a probe: logistic regression to convergence, its penalty chosen by cross-validation over source groups.

Notable: with fewer clips than features the solution lies in the span of the clips (the penalty sees lengths only), so
the features are turned into as many coordinates as there are clips; the answer is the same and much cheaper. All is
computed in float64 by L-BFGS with a line search, so it ends at the optimum and not after so many epochs. Features that
memory should not hold go through a file, block by block, to the same optimum (``probe_blocks``).

Axes: N clips, D features, K classes.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from muybridge.dataset.folds import group_folds
from muybridge.models.heads.probe import ProbeHead
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.batches import ActivationBatch, Examples
from muybridge.pipeline.loader import make_loader
from muybridge.recipes.training import TrainingConfig
from muybridge.threads import torch_threads
from muybridge.training.calibrating import Calibration, smoothed_temperature
from muybridge.training.probe_blocks import (
    SomeExamples,
    drawn_groups,
    figures,
    standardise,
    streams,
    write_means,
)

# lambda / 2 of the squared weights is added to the mean loss of a clip. From next to nothing to all but constant.
PENALTIES = tuple(float(value) for value in np.logspace(-6, -1, 11))
WITHOUT_FOLDS = 1e-4
"""The penalty where no class has two source groups to choose it by."""
FOLDS = 5
_MOST_ITERATIONS = 1000
_TOLERANCE = 1e-7
_SMALL = 1 << 20
"""Numbers of a problem so small that a second thread only doubles the processor time."""


@dataclass(frozen=True)
class ProbeFit:
    """What fitting a probe showed.

    Attributes:
        penalty: The chosen penalty.
        calibration: How the scores are to be read, from the folds' answers.
        fold_accuracy: Share of the training clips that the folds' models, which had not seen their source, got right;
            None without folds.
        rows: One row of figures, as an epoch has.
    """

    penalty: float
    calibration: Calibration
    fold_accuracy: float | None
    rows: list[dict[str, Any]]


def fit_probe(
    net: RecognizerNet,
    *,
    train: Examples,
    validation: Examples,
    groups: Sequence[str],
    config: TrainingConfig,
    scratch: Path | None = None,
) -> ProbeFit:
    """Fit the head's standardisation and the classifier of a recognizer with a probe.

    Where the features of all clips are more than memory should hold, they go through a file (see ``probe_blocks``).

    Args:
        net: The recognizer; changed in place. Its encoder stays as it is.
        train: The training clips.
        validation: The validation clips, if any; only measured.
        groups: The source group of each training clip.
        config: The seed of the folds, and how the scores are calibrated.
        scratch: Folder for that file; default: the system's temporary one.
    """
    started = time.perf_counter()
    net.cpu()
    head, classifier = net.head, net.classifier[-1]
    assert isinstance(head, ProbeHead) and isinstance(classifier, nn.Linear)
    if streams(train, head.feature_count):
        folder = scratch or Path(tempfile.gettempdir())
        return _fit_large(net, train, validation, groups, config, folder=folder, started=started)
    means_ND, labels_N = clip_means(net, train)
    head.standardise(means_ND)
    inputs_ND = head.normal(means_ND)
    choice = choose_penalty(inputs_ND, labels_N, groups, class_count=net.class_count, seed=config.seed)
    calibration = Calibration.of_held_out(choice.logits_CK, choice.labels_C, config)
    weights_KD, bias_K = solve(inputs_ND, labels_N, choice.penalty, class_count=net.class_count)
    with torch.no_grad():
        classifier.weight.copy_(weights_KD)
        classifier.bias.copy_(bias_K)
    calibration.apply(net)
    parts = {"train": (means_ND, labels_N), "validation": clip_means(net, validation)}
    row: dict[str, Any] = {"epoch": 1}
    for part, (part_means_ND, part_labels_N) in parts.items():
        logits_NK = functional.linear(head.normal(part_means_ND), classifier.weight.double(), classifier.bias.double())
        some = len(part_labels_N) > 0
        row[f"{part}_loss"] = functional.cross_entropy(logits_NK, part_labels_N).item() if some else None
        right_N = (logits_NK.argmax(dim=1) == part_labels_N).double()
        row[f"{part}_accuracy"] = right_N.mean().item() if some else None
    row |= {"learning_rate": 0.0, "seconds": round(time.perf_counter() - started, 3)}
    return ProbeFit(choice.penalty, calibration, choice.accuracy, [row])


def _fit_large(
    net: RecognizerNet,
    train: Examples,
    validation: Examples,
    groups: Sequence[str],
    config: TrainingConfig,
    *,
    folder: Path,
    started: float,
) -> ProbeFit:
    """The same with features in a file; penalty and calibration are found on a sample of source groups."""
    head, classifier = net.head, net.classifier[-1]
    assert isinstance(head, ProbeHead) and isinstance(classifier, nn.Linear)
    inputs = write_means(net, train, folder)
    standardise(head, inputs)
    inputs.standardised_by(head)
    sample = drawn_groups(groups, seed=config.seed)
    means_MD, labels_M = clip_means(net, SomeExamples(train, sample))
    own_groups = [groups[index] for index in sample]
    choice = choose_penalty(head.normal(means_MD), labels_M, own_groups, class_count=net.class_count, seed=config.seed)
    # Half the clips need twice the penalty to be held back as much: it weighs against their mean loss.
    penalty = choice.penalty * len(sample) / len(train)
    calibration = Calibration.of_held_out(choice.logits_CK, choice.labels_C, config)
    zeros_KD = torch.zeros(net.class_count, head.feature_count, dtype=torch.float64)
    weights_KD, bias_K = descend(inputs.blocks, len(train), penalty, zeros_KD, zeros_KD[:, 0].clone())
    with torch.no_grad():
        classifier.weight.copy_(weights_KD)
        classifier.bias.copy_(bias_K)
    calibration.apply(net)
    row: dict[str, Any] = {"epoch": 1}
    tried = write_means(net, validation, folder)
    tried.standardised_by(head)
    for part, file in (("train", inputs), ("validation", tried)):
        loss, accuracy = figures(file, classifier.weight.detach().double(), classifier.bias.detach().double())
        row |= {f"{part}_loss": loss, f"{part}_accuracy": accuracy}
    row |= {"learning_rate": 0.0, "seconds": round(time.perf_counter() - started, 3)}
    return ProbeFit(penalty, calibration, choice.accuracy, [row])


def clip_means(net: RecognizerNet, examples: Examples) -> tuple[Tensor, Tensor]:
    """The mean features of each clip, float64 (N, D), and its class number."""
    head = net.head
    assert isinstance(head, ProbeHead)
    means = [torch.empty(0, head.feature_count, dtype=torch.float64)]
    labels = [torch.empty(0, dtype=torch.int64)]
    with torch.inference_mode():
        for batch in make_loader(examples, batch_size=32, shuffle=False, seed=0, workers=0, pin_memory=False):
            assert isinstance(batch, ActivationBatch)
            means.append(head.mean(batch.activations.double(), net.step_lengths(batch.lengths_B)))
            labels.append(batch.labels_B)
    return torch.cat(means).clone(), torch.cat(labels)


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


def solve(inputs_ND: Tensor, labels_N: Tensor, penalty: float, *, class_count: int) -> tuple[Tensor, Tensor]:
    """Weights_KD and bias_K of multinomial logistic regression at its optimum."""
    return solve_path(inputs_ND, labels_N, (penalty,), class_count=class_count)[0]


def solve_path(
    inputs_ND: Tensor, labels_N: Tensor, penalties: Sequence[float], *, class_count: int
) -> list[tuple[Tensor, Tensor]]:
    """The optimum for each penalty, each begun where the next stronger one ended.

    Args:
        inputs_ND: float64.
        labels_N: Class numbers.
        penalties: In any order.
        class_count: K; a class without clips only has its bias lowered.

    Returns:
        weights_KD and bias_K in the order of the penalties.
    """
    found: dict[float, tuple[Tensor, Tensor]] = {}
    small = len(inputs_ND) * min(inputs_ND.shape) < _SMALL
    with torch_threads(1 if small else torch.get_num_threads()):
        # The optimum is a combination of the inputs, so D > N features are turned into N coordinates first.
        basis_RD = torch.linalg.qr(inputs_ND.T).Q.T if inputs_ND.shape[1] > inputs_ND.shape[0] else None
        turned_NR = inputs_ND if basis_RD is None else inputs_ND @ basis_RD.T
        weights_KR = torch.zeros(class_count, turned_NR.shape[1], dtype=torch.float64)
        bias_K = torch.zeros(class_count, dtype=torch.float64)
        for penalty in sorted(penalties, reverse=True):
            weights_KR, bias_K = descend(lambda: [(turned_NR, labels_N)], len(labels_N), penalty, weights_KR, bias_K)
            found[penalty] = (weights_KR if basis_RD is None else weights_KR @ basis_RD, bias_K)
    return [found[penalty] for penalty in penalties]


def descend(
    blocks: Callable[[], Iterable[tuple[Tensor, Tensor]]],
    clip_count: int,
    penalty: float,
    weights_KR: Tensor,
    bias_K: Tensor,
) -> tuple[Tensor, Tensor]:
    """The optimum, from the given weights on; ``blocks`` walks through inputs and class numbers of all clips."""
    weights, bias = weights_KR.clone(), bias_K.clone()
    optimizer = torch.optim.LBFGS(
        [weights, bias],
        max_iter=_MOST_ITERATIONS,
        tolerance_grad=_TOLERANCE,
        tolerance_change=_TOLERANCE**1.5,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        """The loss; its gradient is written out, since autograd takes longer than a small problem."""
        # A trace of the penalty on the bias keeps a class without clips from sinking for ever.
        value = penalty / 2 * (weights.square().sum() + 1e-3 * bias.square().sum())
        weights.grad, bias.grad = penalty * weights, 1e-3 * penalty * bias
        for inputs_BR, labels_B in blocks():
            log_p_BK = functional.linear(inputs_BR, weights, bias).log_softmax(dim=1)
            value = value + functional.nll_loss(log_p_BK, labels_B, reduction="sum") / clip_count
            errors_BK = log_p_BK.exp()
            errors_BK[torch.arange(len(labels_B)), labels_B] -= 1
            weights.grad += errors_BK.T @ inputs_BR / clip_count
            bias.grad += errors_BK.sum(dim=0) / clip_count
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights, bias
