"""What MoViNets are made of: convolutions over space and time, squeeze-excitation, inverted bottlenecks.

They come in three flavours. The base network has 3D convolutions that see the frames before and after. The streaming
one splits each into a convolution over space and one over time that sees past frames only, and its squeeze-excitation
averages over the frames so far. The mobile one is the streaming network without squeeze-excitation and with ReLU6, as
it is published in 8-bit numbers, its batch norms folded into the convolutions.

Key names are those of MoViNet-pytorch.

Axes: B clips, T frames, N frames of all clips, D features, H height, W width.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muybridge.models.encoders.encoder import FreezableBatchNorm2d, FreezableBatchNorm3d, Settling
from muybridge.models.encoders.relu6 import relu6_
from muybridge.models.encoders.same_padding import SameConv2d, SamePool, pad_same
from muybridge.models.encoders.streams import WHOLE_CLIP, Passage

BATCH_NORM_EPS = 1e-3
SQUEEZE = 4


def hard_sigmoid(maps: Tensor) -> Tensor:
    """Keras's: 0.2 x + 0.5 between 0 and 1; torch's has the slope 1/6."""
    return (0.2 * maps + 0.5).clamp(0, 1)


@dataclass(frozen=True)
class Flavour:
    """What the three kinds of MoViNet differ in.

    Attributes:
        causal: Whether a frame sees those before it only, by (2+1)D convolutions; else 3D ones see both sides.
        activation: After every convolution but the last of a block.
        gate: What squeeze-excitation ends with; None for a network without it.
        head_activation: Between the two layers of the head.
        normalised: Whether batch norms follow the convolutions; else these have biases.
    """

    causal: bool
    activation: Callable[[Tensor], Tensor]
    gate: Callable[[Tensor], Tensor] | None
    head_activation: type[nn.Module] = nn.SiLU
    normalised: bool = True


BASE = Flavour(causal=False, activation=F.silu, gate=torch.sigmoid)
STREAM = Flavour(causal=True, activation=F.hardswish, gate=hard_sigmoid)
MOBILE = Flavour(causal=True, activation=relu6_, gate=None, head_activation=nn.ReLU6, normalised=False)


def fold_time(maps_BDTHW: Tensor) -> Tensor:
    """Lay the frames of all clips along one axis: (B * T, D, H, W); a view where the memory is channels-last."""
    return maps_BDTHW.transpose(1, 2).flatten(0, 1)


def unfold_time(maps_NDHW: Tensor, clip_count: int) -> Tensor:
    """The opposite: (B, D, T, H, W)."""
    return maps_NDHW.unflatten(0, (clip_count, -1)).transpose(1, 2)  # type: ignore[no-any-return,no-untyped-call]


class _Convolution(nn.Module):
    """A 2D or 3D convolution, under that name, and its batch norm."""

    norm: FreezableBatchNorm2d | FreezableBatchNorm3d | None

    def __init__(self, convolution: nn.Conv2d | nn.Conv3d, *, normalised: bool, momentum: float) -> None:
        super().__init__()
        is_2d = isinstance(convolution, nn.Conv2d)
        self.add_module("conv2d" if is_2d else "conv3d", convolution)
        norm = FreezableBatchNorm2d if is_2d else FreezableBatchNorm3d
        self.norm = norm(convolution.out_channels, eps=BATCH_NORM_EPS, momentum=momentum) if normalised else None

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve and normalise."""
        for module in self.children():
            maps = module(maps)
        return maps

    def summed_over_time(self, longer_BDTHW: Tensor, frame_count: int) -> Tensor:
        """What a depthwise convolution over time, its batch norm folded, gives for the last frames.

        In channels-last memory a frame times a number for each channel runs at the speed of memory; the general
        convolution took twice as long, and needed a padded copy.
        """
        conv = self.conv2d
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None  # of the batch norm, or its own
        # A state that was kept in a file comes back in another order in memory, which would round otherwise.
        frames_BTHWD = longer_BDTHW.permute(0, 2, 3, 4, 1).contiguous()
        weights_KD = conv.weight[:, 0, :, 0].T
        known = longer_BDTHW.shape[2] - frame_count
        sums_BTHWD = torch.addcmul(conv.bias, frames_BTHWD[:, known:], weights_KD[-1])
        # Frames that have none so far back get nothing.
        for back in range(1, min(len(weights_KD), known + frame_count)):
            first = max(0, back - known)
            past_BTHWD = frames_BTHWD[:, known + first - back : known + frame_count - back]
            sums_BTHWD[:, first:].addcmul_(past_BTHWD, weights_KD[-1 - back])
        return sums_BTHWD.permute(0, 4, 1, 2, 3)

    def multiply(self, factor: Tensor) -> None:
        """Have all results multiplied by a number, in place."""
        last = [module for module in self.children() if not isinstance(module, nn.Identity)][-1]
        for values in last.parameters():
            values.data.mul_(factor)


class Unit(Settling):
    """A convolution over space and time, batch norm and an activation.

    Settled, a causal one adds up its frames over time instead of convolving a padded copy of them.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        time_kernel: Frames that it sees.
        kernel_size: Height and width that it sees.
        stride: Along height and width.
        groups: Groups of channels.
        flavour: Of the network.
        activation: What follows; None for nothing.
        normalised: Whether batch norm follows; by default as the flavour has it.
        momentum: Of the batch norm.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        time_kernel: int = 1,
        kernel_size: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        flavour: Flavour,
        activation: Callable[[Tensor], Tensor] | None,
        normalised: bool | None = None,
        momentum: float,
    ) -> None:
        super().__init__()
        if normalised is None:
            normalised = flavour.normalised
        self.time_kernel, self.kernel_size, self.stride = time_kernel, kernel_size, stride
        self.activation = activation
        self.conv_2: _Convolution | None = None
        first: nn.Conv2d | nn.Conv3d
        if flavour.causal:
            first = SameConv2d(inputs, outputs, kernel_size, stride, groups=groups, bias=not normalised)
        else:
            around = kernel_size // 2 if stride == 1 else 0
            first = nn.Conv3d(
                inputs,
                outputs,
                (time_kernel, kernel_size, kernel_size),
                (1, stride, stride),
                (time_kernel // 2, around, around),
                groups=groups,
                bias=not normalised,
            )
        self.conv_1 = _Convolution(first, normalised=normalised, momentum=momentum)
        if flavour.causal and time_kernel > 1:
            over_time = nn.Conv2d(outputs, outputs, (time_kernel, 1), groups=groups, bias=not normalised)
            self.conv_2 = _Convolution(over_time, normalised=normalised, momentum=momentum)
        self.causal = flavour.causal

    def forward(self, maps_BDTHW: Tensor, passage: Passage = WHOLE_CLIP) -> Tensor:
        """Return (B, outputs, T, ceil(H / stride), ceil(W / stride))."""
        if not self.causal:
            return self._activated(self.conv_1(self._padded(maps_BDTHW)))
        maps = unfold_time(self._activated(self.conv_1(fold_time(maps_BDTHW))), len(maps_BDTHW))
        return maps if self.conv_2 is None else self._over_time(self.conv_2, maps, passage)

    def settle(self) -> None:
        """Take the second form, unless a batch norm is left that comes between."""
        norm = None if self.conv_2 is None else self.conv_2.norm
        self.settled = norm is None or isinstance(norm, nn.Identity)

    def _padded(self, maps_BDTHW: Tensor) -> Tensor:
        return maps_BDTHW if self.stride == 1 else pad_same(maps_BDTHW, self.kernel_size, self.stride)

    def _over_time(self, convolution: _Convolution, maps_BDTHW: Tensor, passage: Passage) -> Tensor:
        if self.settled:
            longer = passage.with_known_past(maps_BDTHW, self.time_kernel - 1)
            return self._activated(convolution.summed_over_time(longer, maps_BDTHW.shape[2]))
        longer = passage.with_past(maps_BDTHW, self.time_kernel - 1)
        # As images of height T whose columns are the positions.
        filtered = self._activated(convolution(longer.flatten(3)))
        return filtered.unflatten(3, maps_BDTHW.shape[3:])  # type: ignore[no-any-return,no-untyped-call]

    def _activated(self, maps: Tensor) -> Tensor:
        return maps if self.activation is None else self.activation(maps)


class SqueezeExcitation(nn.Module):
    """Weights every channel by what the clip's channels are on average (Hu et al., 2018).

    The causal kind takes the average over the frames so far, and the frame itself next to it.
    """

    def __init__(self, channels: int, *, flavour: Flavour, momentum: float) -> None:
        super().__init__()
        assert flavour.gate is not None
        self.gate, self.causal = flavour.gate, flavour.causal
        seen = 2 if flavour.causal else 1
        squeezed = rounded_channels(channels // SQUEEZE * seen)
        self.fc1 = Unit(
            channels * seen,
            squeezed,
            flavour=flavour,
            activation=flavour.activation,
            normalised=False,
            momentum=momentum,
        )
        self.fc2 = Unit(squeezed, channels, flavour=flavour, activation=self.gate, normalised=False, momentum=momentum)

    def forward(self, maps_BDTHW: Tensor, passage: Passage = WHOLE_CLIP) -> Tensor:
        """Weight the channels; the shape stays."""
        means = maps_BDTHW.mean(dim=(3, 4), keepdim=True)
        if self.causal:
            so_far = passage.running_mean(means[..., 0, 0])
            means = torch.cat([so_far[..., None, None], means], dim=1)
        else:
            means = means.mean(dim=2, keepdim=True)
        weighted: Tensor = maps_BDTHW * self.fc2(self.fc1(means, passage), passage)
        return weighted


def rounded_channels(count: int, divisor: int = 8) -> int:
    """The nearest multiple of 8, and one more where that would lose over a tenth, as in all of Google's mobile nets."""
    rounded = max(divisor, (count + divisor // 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * count else rounded


class PoolingWay(SamePool):
    """Average pooling of every frame, on the way around a block with a stride."""

    def forward(self, maps_BDTHW: Tensor) -> Tensor:
        """Return (B, D, T, ceil(H / 2), ceil(W / 2))."""
        return unfold_time(super().forward(fold_time(maps_BDTHW)), len(maps_BDTHW))


class Bottleneck(Settling):
    """1x1 to many channels, depthwise over space and time, squeeze-excitation, 1x1 to few; and a way around.

    What went through is multiplied by a learned number, ``alpha``, that starts at 0 (ReZero), and added. Settled, the
    last convolution's weights are multiplied by it instead.
    """

    alpha: nn.Parameter | None

    def __init__(
        self,
        inputs: int,
        expanded: int,
        outputs: int,
        time_kernel: int,
        kernel_size: int,
        stride: int,
        *,
        flavour: Flavour,
        momentum: float,
    ) -> None:
        super().__init__()
        activation = flavour.activation
        self.expand = Unit(inputs, expanded, flavour=flavour, activation=activation, momentum=momentum)
        self.deep = Unit(
            expanded,
            expanded,
            time_kernel,
            kernel_size,
            stride,
            groups=expanded,
            flavour=flavour,
            activation=activation,
            momentum=momentum,
        )
        self.se = SqueezeExcitation(expanded, flavour=flavour, momentum=momentum) if flavour.gate else None
        self.project = Unit(expanded, outputs, flavour=flavour, activation=None, momentum=momentum)
        self.res: nn.ModuleList | None = None
        if stride > 1:
            around = Unit(inputs, outputs, flavour=flavour, activation=None, momentum=momentum)
            self.res = nn.ModuleList([PoolingWay(), around])
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, maps_BDTHW: Tensor, passage: Passage = WHOLE_CLIP) -> Tensor:
        """Return (B, outputs, T, ceil(H / stride), ceil(W / stride))."""
        through = self.deep(self.expand(maps_BDTHW, passage), passage)
        if self.se is not None:
            through = self.se(through, passage)
        through = self.project(through, passage)
        around = maps_BDTHW
        if self.res is not None:
            pool, unit = self.res
            around = unit(pool(maps_BDTHW), passage)
        result: Tensor = around + (through if self.alpha is None else self.alpha * through)
        return result

    def settle(self) -> None:
        """Multiply the weights by ``alpha``."""
        if self.alpha is not None:
            self.project.conv_1.multiply(self.alpha.data)
            self.alpha = None
        super().settle()
