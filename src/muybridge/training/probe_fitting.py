"""Fitting a probe: logistic regression to convergence, its penalty chosen by cross-validation over source groups.

Features that memory should not hold go through a file, block by block, to the same optimum (``probe_blocks``).

Axes: N clips, D features, K classes.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from muybridge.models.heads.probe import ProbeHead
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.batches import ActivationBatch, Examples
from muybridge.pipeline.loader import make_loader
from muybridge.recipes.training import TrainingConfig
from muybridge.training.calibrating import Calibration
from muybridge.training.penalty_choice import choose_penalty
from muybridge.training.probe_blocks import (
    SomeExamples,
    drawn_groups,
    figures,
    standardise,
    streams,
    write_means,
)
from muybridge.training.probe_solving import descend, solve


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
