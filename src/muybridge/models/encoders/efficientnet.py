"""EfficientNet-Lite0 (Tan and Le, 2019, arXiv:1905.11946, in its "lite" form) under timm's key names.

Lite means: ReLU6 for swish and no squeeze-excitation, so that phones and 8-bit numbers get along with it. What is left
is MobileNet v2's inverted bottleneck. Padding is TensorFlow's "same", batch norm's epsilon 1e-3, and the pixels were
scaled as (x - 127) / 128.

Axes: B images, C channels, H height, W width, D features.
"""

from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from muybridge.models.encoders.encoder import (
    IMAGENET_CLASS_COUNT,
    EncoderLayer,
    FrameEncoder,
    FreezableBatchNorm2d,
    Stage,
    initialise,
)
from muybridge.models.encoders.relu6 import relu6_
from muybridge.models.encoders.same_padding import SameConv2d
from muybridge.models.encoders.scaling import LITE
from muybridge.recipes.model import EncoderOutput

BATCH_NORM_EPS = 1e-3
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280


class Row(NamedTuple):
    """Blocks of one kind: the first has the stride, and all expand their input's channels."""

    blocks: int
    expansion: int
    outputs: int
    kernel_size: int
    stride: int


ROWS = (
    Row(1, 1, 16, 3, 1),
    Row(2, 6, 24, 3, 2),
    Row(2, 6, 40, 5, 2),
    Row(3, 6, 80, 3, 2),
    Row(3, 6, 112, 5, 1),
    Row(4, 6, 192, 5, 2),
    Row(1, 6, 320, 3, 1),
)
"""Table 1 of the paper."""


class Separable(nn.Module):
    """The first block, which does not expand: a depthwise and a 1x1 convolution, each with batch norm."""

    def __init__(self, inputs: int, row: Row, stride: int, *, norm: partial[FreezableBatchNorm2d]) -> None:
        super().__init__()
        self.conv_dw = SameConv2d(inputs, inputs, row.kernel_size, stride, groups=inputs)
        self.bn1 = norm(inputs)
        self.conv_pw = SameConv2d(inputs, row.outputs, 1)
        self.bn2 = norm(row.outputs)

    def forward(self, maps_BDHW: Tensor) -> Tensor:
        """Convolve; no ReLU6 follows the 1x1 convolution."""
        separated: Tensor = self.bn2(self.conv_pw(relu6_(self.bn1(self.conv_dw(maps_BDHW)))))
        return separated


class InvertedBottleneck(nn.Module):
    """1x1 to many channels, depthwise, 1x1 to few; the input is added where it has the same shape."""

    def __init__(self, inputs: int, row: Row, stride: int, *, norm: partial[FreezableBatchNorm2d]) -> None:
        super().__init__()
        expanded = inputs * row.expansion
        self.adds_input = stride == 1 and inputs == row.outputs
        self.conv_pw = SameConv2d(inputs, expanded, 1)
        self.bn1 = norm(expanded)
        self.conv_dw = SameConv2d(expanded, expanded, row.kernel_size, stride, groups=expanded)
        self.bn2 = norm(expanded)
        self.conv_pwl = SameConv2d(expanded, row.outputs, 1)
        self.bn3 = norm(row.outputs)

    def forward(self, maps_BDHW: Tensor) -> Tensor:
        """Return (B, outputs, ceil(H / stride), ceil(W / stride))."""
        expanded = relu6_(self.bn1(self.conv_pw(maps_BDHW)))
        result: Tensor = self.bn3(self.conv_pwl(relu6_(self.bn2(self.conv_dw(expanded)))))
        return result + maps_BDHW if self.adds_input else result


class EfficientNetLite0(FrameEncoder):
    """EfficientNet-Lite0; (B, 3, H, W) -> (B, 1280, ceil(H/32), ceil(W/32)), after the last ReLU6."""

    scaling = LITE
    minimum_size_px = 32

    def __init__(self, *, output: EncoderOutput = "maps", batch_norm_momentum: float = 0.1) -> None:
        """Create an EfficientNet-Lite0 with random weights.

        Args:
            output: ``"maps"`` or ``"logits"`` (the 1000 ImageNet scores).
            batch_norm_momentum: Weight of a new batch in the running statistics.
        """
        super().__init__(output=output, map_count=HEAD_CHANNELS)
        norm = partial(FreezableBatchNorm2d, eps=BATCH_NORM_EPS, momentum=batch_norm_momentum)
        self.conv_stem = SameConv2d(3, STEM_CHANNELS, 3, 2)
        self.bn1 = norm(STEM_CHANNELS)
        channels = STEM_CHANNELS
        stages = []
        for row in ROWS:
            blocks = []
            for index in range(row.blocks):
                make = Separable if row.expansion == 1 else InvertedBottleneck
                blocks.append(make(channels, row, row.stride if index == 0 else 1, norm=norm))
                channels = row.outputs
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.conv_head = SameConv2d(channels, HEAD_CHANNELS, 1)
        self.bn2 = norm(HEAD_CHANNELS)
        if output == "logits":
            self.classifier = nn.Linear(HEAD_CHANNELS, IMAGENET_CLASS_COUNT)
        initialise(self)

    def maps(self, frames_BCHW: Tensor) -> Tensor:
        """Return the maps after the last ReLU6, (B, 1280, ceil(H/32), ceil(W/32))."""
        return self._head(self.blocks(self._stem(frames_BCHW)))

    def map_stages(self) -> list[nn.Module]:
        """The stem, the 16 blocks and the last 1x1 convolution."""
        return [
            Stage(self._stem, self.conv_stem, self.bn1),
            *(block for stage in self.blocks for block in stage.children()),
            Stage(self._head, self.conv_head, self.bn2),
        ]

    def logits(self, maps_BDHW: Tensor) -> Tensor:
        """Average over positions and classify."""
        logits_BK: Tensor = self.classifier(maps_BDHW.mean(dim=(2, 3)))
        return logits_BK

    def layers(self) -> list[EncoderLayer]:
        """List the convolutions and batch norms under timm's names; Keras publishes no lite network."""
        in_blocks = [
            EncoderLayer(f"blocks.{name}", module)
            for name, module in self.blocks.named_modules()
            if isinstance(module, SameConv2d | FreezableBatchNorm2d)
        ]
        layers = [
            EncoderLayer("conv_stem", self.conv_stem),
            EncoderLayer("bn1", self.bn1),
            *in_blocks,
            EncoderLayer("conv_head", self.conv_head),
            EncoderLayer("bn2", self.bn2),
        ]
        return layers if self.output == "maps" else [*layers, EncoderLayer("classifier", self.classifier)]

    def _stem(self, frames_BCHW: Tensor) -> Tensor:
        return relu6_(self.bn1(self.conv_stem(frames_BCHW)))

    def _head(self, maps_BDHW: Tensor) -> Tensor:
        return relu6_(self.bn2(self.conv_head(maps_BDHW)))
