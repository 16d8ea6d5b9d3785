"""State that a causal network carries from one stretch of a video to the next, as a value and not in its modules.

A layer that looks back asks its ``Passage`` for the past. Of a clip from its first frame on nothing came before: zeros.
``StreamPassage`` has what the layers left when the stretch before went through, and collects what the next one will
need. Layers run in the same order every time, so a plain tuple of tensors is enough, and an exported graph can have
them as inputs and outputs.

Axes: B clips, T frames, D features, H height, W width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

StreamState = tuple[Tensor, ...]
"""The number of frames seen so far, then, in the order of the layers, last frames and sums."""


class Passage:
    """A whole clip on its way through a network: nothing came before, and nothing is kept."""

    def with_past(self, maps_BDTHW: Tensor, frame_count: int) -> Tensor:
        """Put the last ``frame_count`` frames of the past before these: (B, D, frame_count + T, H, W)."""
        return F.pad(maps_BDTHW, (0, 0, 0, 0, frame_count, 0))

    def with_known_past(self, maps_BDTHW: Tensor, frame_count: int) -> Tensor:
        """The same, without the zeros that stand for frames before a clip's first."""
        return maps_BDTHW

    def running_mean(self, values_BDT: Tensor) -> Tensor:
        """At each frame the mean over all frames up to it, those of the past included: (B, D, T)."""
        return values_BDT.cumsum(dim=2) / _numbers(values_BDT).to(values_BDT.dtype)


WHOLE_CLIP = Passage()


class StreamPassage(Passage):
    """One stretch of a video on its way through a causal network.

    Args:
        state: What the stretch before left; None for the first frames of a video.
        frame_count: Frames of this stretch.
        device: Where the network computes.
    """

    def __init__(self, state: StreamState | None, *, frame_count: int, device: torch.device) -> None:
        self._before = None if state is None else iter(state[1:])
        self._frames_before = torch.zeros((), dtype=torch.int64, device=device) if state is None else state[0]
        self._after = [self._frames_before + frame_count]

    @property
    def state(self) -> StreamState:
        """What the next stretch needs; complete once the last layer has run."""
        return tuple(self._after)

    def with_past(self, maps_BDTHW: Tensor, frame_count: int) -> Tensor:
        """Put the last ``frame_count`` frames of the past before these: (B, D, frame_count + T, H, W)."""
        if self._before is None:
            longer = super().with_past(maps_BDTHW, frame_count)
        else:
            longer = torch.cat([next(self._before), maps_BDTHW], dim=2)
        # Copied: a view would keep all frames of the stretch in memory.
        self._after.append(longer[:, :, -frame_count:].clone())
        return longer

    with_known_past = with_past

    def running_mean(self, values_BDT: Tensor) -> Tensor:
        """At each frame the mean over all frames up to it, those of the past included: (B, D, T)."""
        sums_BDT = values_BDT.cumsum(dim=2)
        if self._before is not None:
            sums_BDT = sums_BDT + next(self._before)
        self._after.append(sums_BDT[:, :, -1:].clone())
        return sums_BDT / (self._frames_before + _numbers(values_BDT)).to(values_BDT.dtype)


def _numbers(values_BDT: Tensor) -> Tensor:
    """1 to T."""
    return torch.arange(1, values_BDT.shape[2] + 1, device=values_BDT.device)
