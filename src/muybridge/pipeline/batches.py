"""What goes from the pipeline to the network: single clips and batches, as frames or as activations.

Axes: B batch, T frames, S steps in time of the activations, H, W, C (RGB).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch

from muybridge.pipeline.augmentation import Transform

Activations = npt.NDArray[np.float16]


class Item(NamedTuple):
    """One clip: frames_THWC uint8, its class number, an augmentation still to be applied, its place in the data set."""

    frames_THWC: npt.NDArray[np.uint8]
    label: int
    transform: Transform | None = None
    number: int = 0


class Batch(NamedTuple):
    """One batch.

    Attributes:
        frames_BTHWC: uint8 RGB, zero-padded in T.
        lengths_B: int64, real frames of each clip.
        labels_B: int64 class numbers.
        matrices_B23: Affine maps still to be applied (see ``pipeline.device_augment``); None: there are none.
        gains_B: Factors of brightness, on top of the maps.
        indices_B: Places of the clips in the data set, which their dropout is drawn by.
    """

    frames_BTHWC: torch.Tensor
    lengths_B: torch.Tensor
    labels_B: torch.Tensor
    matrices_B23: torch.Tensor | None = None
    gains_B: torch.Tensor | None = None
    indices_B: torch.Tensor | None = None


class ActivationItem(NamedTuple):
    """One clip: activations with the axes (S, ...), its number of frames, its class number, its place."""

    activations: Activations
    frame_count: int
    label: int
    number: int = 0


class ActivationBatch(NamedTuple):
    """One batch.

    Attributes:
        activations: float16, (B, S, ...), zero-padded in S.
        steps_B: int64, real steps of each clip's activations.
        lengths_B: int64, frames of each clip.
        labels_B: int64 class numbers.
        indices_B: As in `Batch`.
    """

    activations: torch.Tensor
    steps_B: torch.Tensor
    lengths_B: torch.Tensor
    labels_B: torch.Tensor
    indices_B: torch.Tensor | None = None


def collate_frames(items: Sequence[Item]) -> Batch:
    """Pad the frames of clips of different lengths into one batch."""
    lengths = [len(item.frames_THWC) for item in items]
    frames_BTHWC = np.zeros((len(items), max(lengths), *items[0].frames_THWC.shape[1:]), dtype=np.uint8)
    for target, item, length in zip(frames_BTHWC, items, lengths, strict=True):
        target[:length] = item.frames_THWC
    batch = Batch(
        torch.from_numpy(frames_BTHWC),
        torch.tensor(lengths),
        torch.tensor([item.label for item in items]),
        indices_B=torch.tensor([item.number for item in items]),
    )
    transforms = [item.transform for item in items if item.transform is not None]
    if not transforms:
        return batch
    identity = np.eye(2, 3)
    matrices = np.stack([identity if matrix is None else matrix for matrix, _ in transforms])
    return batch._replace(
        matrices_B23=torch.from_numpy(matrices).float(), gains_B=torch.tensor([gain for _, gain in transforms])
    )


def collate_activations(items: Sequence[ActivationItem]) -> ActivationBatch:
    """Pad the activations of clips of different lengths into one batch."""
    steps = [len(item.activations) for item in items]
    activations = np.zeros((len(items), max(steps), *items[0].activations.shape[1:]), dtype=np.float16)
    for target, item, count in zip(activations, items, steps, strict=True):
        target[:count] = item.activations
    return ActivationBatch(
        torch.from_numpy(activations),
        torch.tensor(steps),
        torch.tensor([item.frame_count for item in items]),
        torch.tensor([item.label for item in items]),
        torch.tensor([item.number for item in items]),
    )


class Examples(Protocol):
    """What a loader reads: items of (epoch, index), and how a batch is made of them."""

    labels: list[int]

    def __len__(self) -> int: ...

    def __getitem__(self, key: tuple[int, int]) -> Item | ActivationItem: ...

    @property
    def collate(self) -> Any:
        """Makes a batch of a list of items."""
