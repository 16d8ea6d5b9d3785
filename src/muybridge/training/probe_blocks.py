"""A probe on more clips than memory holds: their features lie in a file, and every sum over clips goes block by block.

Notable: the solver is the one of ``probe_solving``, full-batch L-BFGS; a loss and its gradient are sums over clips, and
a sum can be added up in parts. So the optimum is the same, and memory is that of one block and of the solver's history,
whatever the number of clips. What needs many solutions (the penalty, the temperature) is found on a sample of clips.

Axes: N clips, B clips of a block, D features, K classes.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from muybridge.models.heads.probe import PRIOR_CLIPS, SMALLEST_DEVIATION, ProbeHead
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.batches import ActivationBatch, ActivationItem, Examples, Item
from muybridge.pipeline.loader import make_loader

MOST_BYTES = 2 * 10**9
"""Features of clips, in float64, that are held in memory; more go through a file."""
BLOCK_BYTES = 64 * 10**6
SAMPLE_CLIPS = 20_000
_READ_CLIPS = 32


class FeatureFile:
    """Features of clips in a file of float32 that vanishes with this object, read in blocks of float64.

    Args:
        folder: Where the file is; on a disk with room for N x D x 4 bytes.
        feature_count: D.
        clip_count: N, once all are there.
    """

    def __init__(self, folder: Path, feature_count: int, clip_count: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as this object
        self._width = feature_count
        # One array from the start: small ones between large ones would keep the allocator from giving those back.
        self._labels_N = torch.empty(clip_count, dtype=torch.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, means_BD: Tensor, labels_B: Tensor) -> None:
        """Add clips at the end."""
        self._file.seek(0, 2)
        self._file.write(means_BD.float().numpy().tobytes())
        self._labels_N[self._count : self._count + len(labels_B)] = labels_B
        self._count += len(labels_B)

    def blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Features (B, D), float64, and class numbers, in order."""
        size = max(1, BLOCK_BYTES // (8 * self._width))
        for start in range(0, self._count, size):
            labels_B = self._labels_N[start : min(start + size, self._count)]
            yield self._read(start, len(labels_B)), labels_B

    def standardised_by(self, head: ProbeHead) -> None:
        """Replace the features by what a probe's classifier sees of them."""
        start = 0
        for means_BD, _ in self.blocks():
            inputs_BD = head.normal(means_BD)
            self._file.seek(4 * start * self._width)
            self._file.write(inputs_BD.float().numpy().tobytes())
            start += len(means_BD)

    def _read(self, start: int, count: int) -> Tensor:
        self._file.seek(4 * start * self._width)
        data = np.frombuffer(self._file.read(4 * count * self._width), dtype=np.float32)
        return torch.from_numpy(data.reshape(count, self._width).astype(np.float64))


class SomeExamples:
    """Some of the clips of others, in their order.

    Args:
        examples: All.
        indices: Which.
    """

    def __init__(self, examples: Examples, indices: Sequence[int]) -> None:
        self._examples = examples
        self._indices = list(indices)
        self.labels = [examples.labels[index] for index in self._indices]
        self.collate = examples.collate

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, key: tuple[int, int]) -> Item | ActivationItem:
        """Item of (epoch, index)."""
        return self._examples[key[0], self._indices[key[1]]]


def streams(examples: Examples, feature_count: int) -> bool:
    """Whether clips are too many to hold their features in memory."""
    return 8 * len(examples) * feature_count > MOST_BYTES


def drawn_groups(groups: Sequence[str], *, seed: int) -> list[int]:
    """The clips of source groups drawn at random, about `SAMPLE_CLIPS` of them, in order; all where there are fewer."""
    if len(groups) <= SAMPLE_CLIPS:
        return list(range(len(groups)))
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    names = sorted(members)
    chosen: list[int] = []
    for number in np.random.default_rng(seed).permutation(len(names)):
        if chosen and len(chosen) + len(members[names[number]]) > SAMPLE_CLIPS:
            break
        chosen += members[names[number]]
    return sorted(chosen)


def write_means(net: RecognizerNet, examples: Examples, folder: Path) -> FeatureFile:
    """The mean features of each clip, in a file."""
    head = net.head
    assert isinstance(head, ProbeHead)
    file = FeatureFile(folder, head.feature_count, len(examples))
    with torch.inference_mode():
        for batch in make_loader(examples, batch_size=_READ_CLIPS, shuffle=False, seed=0, workers=0):
            assert isinstance(batch, ActivationBatch)
            file.append(head.mean(batch.activations.double(), net.step_lengths(batch.lengths_B)), batch.labels_B)
    return file


def standardise(head: ProbeHead, file: FeatureFile) -> None:
    """What ``ProbeHead.standardise`` does, in two walks through the clips."""
    count = len(file)
    mean_D, variance_D = torch.zeros(2, head.feature_count, dtype=torch.float64)
    for means_BD, _ in file.blocks():
        mean_D += means_BD.sum(dim=0) / count
    for means_BD, _ in file.blocks():
        variance_D += (means_BD - mean_D).square().sum(dim=0) / count
    own = count / (count + PRIOR_CLIPS)
    shrunk_D = own * variance_D + (1 - own) * variance_D.mean()
    head.feature_mean_D.copy_(mean_D)
    head.feature_std_D.copy_(shrunk_D.sqrt().clamp(min=SMALLEST_DEVIATION))


def figures(inputs: FeatureFile, weights_KD: Tensor, bias_K: Tensor) -> tuple[float | None, float | None]:
    """Mean loss and accuracy over the clips; None without any."""
    loss, right = 0.0, 0
    for inputs_BD, labels_B in inputs.blocks():
        logits_BK = functional.linear(inputs_BD, weights_KD, bias_K)
        loss += functional.cross_entropy(logits_BK, labels_B, reduction="sum").item()
        right += int((logits_BK.argmax(dim=1) == labels_B).sum())
    return (loss / len(inputs), right / len(inputs)) if len(inputs) else (None, None)
