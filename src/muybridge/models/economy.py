"""Less memory for the same numbers: frames in chunks, and activations that are computed twice instead of kept.

Axes: N frames, H height, W width, C channels, D features.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from muybridge.models.encoders.batch_norms import takes_statistics

CHUNK_PIXELS = 32 * 224 * 224
"""32 frames of 224 px: enough for two cores, and a quarter of the memory of a batch of 8 clips of 16 frames."""


CHECKPOINT_PIXELS = CHUNK_PIXELS // 2
"""Fewer where layers learn, because all maps of a chunk are there at once when they are computed again."""


def frames_are_independent(encoder: nn.Module) -> bool:
    """Whether an encoder's result for a frame depends on that frame alone: no batch norm is in training mode."""
    return not any(takes_statistics(module) for module in encoder.modules())


def in_chunks(run: Callable[[Tensor], Tensor], frames_NHWC: Tensor, *, pixels: int) -> Tensor:
    """Run on some frames after the other, about ``pixels`` at a time; for encoders whose frames are independent.

    Frozen layers keep nothing, so of their maps only one chunk's are ever in memory.
    """
    size = max(1, pixels // (frames_NHWC.shape[1] * frames_NHWC.shape[2]))
    if len(frames_NHWC) <= size:
        return run(frames_NHWC)
    return torch.cat([run(chunk) for chunk in torch.split(frames_NHWC, size)])


def checkpointed(run: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same function, keeping its input only, and computed again for the backward pass (Chen et al., 2016)."""

    def run_twice(maps: Tensor) -> Tensor:
        result: Tensor = checkpoint(run, maps, use_reentrant=False)
        return result

    return run_twice


def checkpointed_stages(stages: Sequence[nn.Module], maps: Tensor) -> Tensor:
    """Apply stages one after the other, keeping only what passes between them; batch statistics are taken once."""
    for stage in stages:

        def contexts(stage: nn.Module = stage) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), _statistics_kept(stage)

        maps = checkpoint(stage, maps, use_reentrant=False, context_fn=contexts)
    return maps


@contextmanager
def _statistics_kept(stage: nn.Module) -> Iterator[None]:
    """Within, batch norms do not move their running statistics: the first forward pass did."""
    norms = [module for module in stage.modules() if takes_statistics(module)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
