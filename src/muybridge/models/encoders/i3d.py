"""I3D, Inception v1 with its kernels inflated over time (Carreira and Zisserman, 2017, arXiv:1705.07750).

Key names are those of pytorch-i3d. Padding is TensorFlow's "same": where a stride is, how many zeros are added, and
on which side, depends on the size, so a clip of T frames always has ceil(T / 8) steps. Batch norm's epsilon is
1e-3. The published classifier averages two steps at a time before a linear layer; averaging its scores per step,
which ``output="logits"`` returns, comes to the same.

Axes: B clips, T frames, S steps in time, C channels, H height, W width, D features, K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muybridge.models.encoders.encoder import (
    KINETICS_CLASS_COUNT,
    EncoderLayer,
    FreezableBatchNorm3d,
    VideoEncoder,
    initialise,
)
from muybridge.models.encoders.same_padding import same_padding
from muybridge.models.encoders.scaling import PLUS_MINUS_ONE
from muybridge.recipes.model import EncoderOutput

BATCH_NORM_EPS = 1e-3
TIME_STRIDE = 8

MIXED: dict[str, tuple[int, int, int, int, int, int]] = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
"""Channels of the branches b0, b1a, b1b, b2a, b2b and b3b of each block (Szegedy et al., 2015, table 1)."""


def _pad_same(maps_BDTHW: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    """Add zeros so that ceil(size / stride) positions come out along each axis."""
    padding: list[int] = []
    for size, kernel_size, step in zip(maps_BDTHW.shape[2:], kernel, stride, strict=True):
        padding = [*same_padding(size, kernel_size, step), *padding]  # F.pad begins with the last axis
    if not torch.compiler.is_compiling() and not any(padding):
        return maps_BDTHW
    return F.pad(maps_BDTHW, padding)


class Unit3D(nn.Module):
    """A convolution with "same" padding, batch norm and ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int, int] = (1, 1, 1),
        stride: tuple[int, int, int] = (1, 1, 1),
        *,
        momentum: float,
    ) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        # Without a stride the padding is the same on both sides at every size, and needs no copy.
        self.strided = any(step > 1 for step in stride)
        padding = (0, 0, 0) if self.strided else (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = FreezableBatchNorm3d(outputs, eps=BATCH_NORM_EPS, momentum=momentum)

    def forward(self, maps_BDTHW: Tensor) -> Tensor:
        """Return (B, outputs, ceil(T / stride), ceil(H / stride), ceil(W / stride))."""
        if self.strided:
            maps_BDTHW = _pad_same(maps_BDTHW, self.kernel, self.stride)
        return F.relu(self.bn(self.conv3d(maps_BDTHW)), inplace=True)


class SamePool3d(nn.Module):
    """Max pooling with "same" padding of zeros, which changes nothing, since all maps come from a ReLU."""

    def __init__(self, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, maps_BDTHW: Tensor) -> Tensor:
        """Return ceil(size / stride) positions along each axis."""
        return F.max_pool3d(_pad_same(maps_BDTHW, self.kernel, self.stride), self.kernel, self.stride)


class Mixed(nn.Module):
    """An Inception block: 1x1x1; 1x1x1 and 3x3x3, twice; pooling and 1x1x1; side by side."""

    def __init__(self, inputs: int, channels: tuple[int, int, int, int, int, int], *, momentum: float) -> None:
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = channels
        cube = (3, 3, 3)
        self.b0 = Unit3D(inputs, b0, momentum=momentum)
        self.b1a = Unit3D(inputs, b1a, momentum=momentum)
        self.b1b = Unit3D(b1a, b1b, cube, momentum=momentum)
        self.b2a = Unit3D(inputs, b2a, momentum=momentum)
        self.b2b = Unit3D(b2a, b2b, cube, momentum=momentum)
        self.b3b = Unit3D(inputs, b3b, momentum=momentum)
        self.output_count = b0 + b1b + b2b + b3b

    def forward(self, maps_BDTHW: Tensor) -> Tensor:
        """Concatenate the four branches' maps; sizes stay."""
        branches = [
            self.b0(maps_BDTHW),
            self.b1b(self.b1a(maps_BDTHW)),
            self.b2b(self.b2a(maps_BDTHW)),
            self.b3b(F.max_pool3d(maps_BDTHW, 3, stride=1, padding=1)),
        ]
        return torch.cat(branches, dim=1)


class Scores(nn.Module):
    """The published classifier: a linear layer, kept as a 1x1x1 convolution under the key ``conv3d``."""

    def __init__(self, inputs: int, class_count: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, class_count, 1)

    def forward(self, maps_BDSHW: Tensor) -> Tensor:
        """Average over positions and score every step: (B, K, S, 1, 1)."""
        scores: Tensor = self.conv3d(maps_BDSHW.mean(dim=(3, 4), keepdim=True))
        return scores


class I3D(VideoEncoder):
    """I3D; (B, 3, T, H, W) scaled to [-1, 1] -> (B, 1024, ceil(T/8), ceil(H/32), ceil(W/32)), after Mixed_5c."""

    scaling = PLUS_MINUS_ONE
    minimum_size_px = 32
    classifier_name = "logits"
    true_in_bf16 = True

    def __init__(
        self,
        *,
        output: EncoderOutput = "maps",
        class_count: int = KINETICS_CLASS_COUNT,
        batch_norm_momentum: float = 0.1,
    ) -> None:
        """Create an I3D with random weights.

        Args:
            output: ``"maps"`` or ``"logits"`` (the 400 Kinetics scores of every step).
            class_count: K of the classifier.
            batch_norm_momentum: Weight of a new batch in the running statistics.
        """
        momentum = batch_norm_momentum
        steps: dict[str, nn.Module] = {
            "Conv3d_1a_7x7": Unit3D(3, 64, (7, 7, 7), (2, 2, 2), momentum=momentum),
            "MaxPool3d_2a_3x3": SamePool3d((1, 3, 3), (1, 2, 2)),
            "Conv3d_2b_1x1": Unit3D(64, 64, momentum=momentum),
            "Conv3d_2c_3x3": Unit3D(64, 192, (3, 3, 3), momentum=momentum),
            "MaxPool3d_3a_3x3": SamePool3d((1, 3, 3), (1, 2, 2)),
        }
        channels = 192
        for name, branches in MIXED.items():
            if name == "Mixed_4b":
                steps["MaxPool3d_4a_3x3"] = SamePool3d((3, 3, 3), (2, 2, 2))
            elif name == "Mixed_5b":
                steps["MaxPool3d_5a_2x2"] = SamePool3d((2, 2, 2), (2, 2, 2))
            block = Mixed(channels, branches, momentum=momentum)
            steps[name] = block
            channels = block.output_count

        super().__init__(output=output, map_count=channels, class_count=class_count)
        for name, step in steps.items():
            self.add_module(name, step)
        if output == "logits":
            self.logits = Scores(channels, class_count)
        initialise(self)

    def step_count(self, frame_count: int) -> int:
        """Three strides of 2, each rounded up: ceil(T / 8)."""
        return -(-frame_count // TIME_STRIDE)

    def map_stages(self) -> list[nn.Module]:
        """The convolutions, poolings and blocks one by one."""
        return [module for module in self.children() if not isinstance(module, Scores)]

    def classifier_stage(self) -> nn.Module:
        """The linear layer over Kinetics classes."""
        return self.logits

    def layers(self) -> list[EncoderLayer]:
        """List the layers from input to output, branch by branch in a block."""
        layers: list[EncoderLayer] = []
        for name, step in self.named_children():
            if isinstance(step, Unit3D):
                layers += _unit_layers(name, step)
            elif isinstance(step, Mixed):
                for branch_name, unit in step.named_children():
                    assert isinstance(unit, Unit3D)
                    if branch_name == "b3b":
                        layers.append(EncoderLayer(f"{name}.b3a", None))
                    layers += _unit_layers(f"{name}.{branch_name}", unit)
                layers.append(EncoderLayer(f"{name}.concat", None))
            elif isinstance(step, Scores):
                layers += [EncoderLayer("avg_pool", None), EncoderLayer("logits", step)]
            else:
                layers.append(EncoderLayer(name, None))
        return layers


def _unit_layers(name: str, unit: Unit3D) -> list[EncoderLayer]:
    return [
        EncoderLayer(f"{name}.conv3d", unit.conv3d),
        EncoderLayer(f"{name}.bn", unit.bn),
        EncoderLayer(f"{name}.relu", None),
    ]
