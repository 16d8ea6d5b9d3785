"""Random numbers of a training step that belong to a clip: functions of seed, epoch and clip, not of its batch.

Notable: which clips stand next to it, and which process computes it, changes nothing for a clip. So several processes
that share a batch draw what one alone would have drawn. Each call draws anew from a generator of its own for each clip.

Axes: B clips.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass
class _Draws:
    keys: Sequence[tuple[int, int, int]]
    calls: int = 0


_draws: _Draws | None = None


@contextmanager
def drawing_by_clip(*, seed: int, epoch: int, indices_B: Tensor) -> Iterator[None]:
    """Inside, ``rand`` and `ClipDropout` draw by clip; the first axis of what they are given must be B."""
    global _draws
    before, _draws = _draws, _Draws([(seed, epoch, index) for index in indices_B.tolist()])
    try:
        yield
    finally:
        _draws = before


def rand(shape: Sequence[int], *, device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    """Uniform numbers from 0 to 1 with the axes (B, ...)."""
    if _draws is None:
        return torch.rand(*shape, device=device, dtype=dtype)
    if len(_draws.keys) != shape[0]:
        raise ValueError(f"{shape[0]} clips are to be drawn for, and {len(_draws.keys)} are named")
    _draws.calls += 1
    generator = torch.Generator(device)
    drawn = []
    for key in _draws.keys:
        name = hashlib.blake2b(struct.pack("<4q", *key, _draws.calls), digest_size=7).digest()
        generator.manual_seed(int.from_bytes(name))
        # In single precision always: what is dropped must not depend on what is computed in.
        drawn.append(torch.rand(*shape[1:], generator=generator, device=device))
    return torch.stack(drawn).to(dtype)


def dropout(values: Tensor, share: float) -> Tensor:
    """What ``torch.nn.functional.dropout`` does in training, drawn by clip where that is asked for."""
    if _draws is None or share in (0, 1):
        return functional.dropout(values, share)
    return values * (rand(values.shape, device=values.device) >= share) / (1 - share)


class ClipDropout(nn.Dropout):
    """Dropout over (B, ...), in training drawn by clip."""

    def forward(self, values: Tensor) -> Tensor:
        """Drop a share of the values."""
        return dropout(values, self.p) if self.training else values
