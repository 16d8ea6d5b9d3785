"""MobileNet v1 (Howard et al., 2017, arXiv:1704.04861): it computes what Keras does, under timm's key names.

Notable is the padding. Keras pads the strided stem as TensorFlow's "same" does, which depends on the size,
but every strided depthwise convolution by one row at the bottom and one column at the right, whatever the
size: at 112 px the last maps are 3x3, where "same" would make 4x4. Batch norm's epsilon is 1e-3.

Axes: B images, C channels, H height, W width, D features.
"""

import torch.nn.functional as F
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
from muybridge.models.encoders.same_padding import pad_same
from muybridge.models.encoders.scaling import PLUS_MINUS_ONE
from muybridge.recipes.model import EncoderOutput

STEM_CHANNELS = 32
STAGES: tuple[tuple[tuple[int, int], ...], ...] = (
    ((64, 1),),
    ((128, 2), (128, 1)),
    ((256, 2), (256, 1)),
    ((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)),
    ((1024, 2), (1024, 1)),
)
"""(channels, stride) of each block, by stage, at width 1 (table 1 of the paper)."""


class DepthwiseSeparable(nn.Module):
    """A 3x3 convolution per channel, then a 1x1 one across channels, each with batch norm and ReLU6."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, eps: float, momentum: float) -> None:
        super().__init__()
        self.stride = stride
        padding = 1 if stride == 1 else 0
        self.conv_dw = nn.Conv2d(inputs, inputs, 3, stride=stride, padding=padding, groups=inputs, bias=False)
        self.bn1 = FreezableBatchNorm2d(inputs, eps=eps, momentum=momentum)
        self.conv_pw = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn2 = FreezableBatchNorm2d(outputs, eps=eps, momentum=momentum)

    def forward(self, maps_BDHW: Tensor) -> Tensor:
        """Return (B, outputs, H / stride, W / stride), an odd last row or column cut."""
        if self.stride > 1:
            maps_BDHW = F.pad(maps_BDHW, (0, 1, 0, 1))
        maps_BDHW = relu6_(self.bn1(self.conv_dw(maps_BDHW)))
        return relu6_(self.bn2(self.conv_pw(maps_BDHW)))


class MobileNetV1(FrameEncoder):
    """MobileNet v1; (B, 3, H, W) scaled to [-1, 1] -> (B, 1024 * width, ~H/32, ~W/32)."""

    scaling = PLUS_MINUS_ONE
    minimum_size_px = 32

    def __init__(
        self,
        *,
        width: float = 1.0,
        output: EncoderOutput = "maps",
        batch_norm_eps: float = 1e-3,
        batch_norm_momentum: float = 0.1,
    ) -> None:
        """Create a MobileNet v1 with random weights.

        Args:
            width: Multiplier of every layer's channels; products are cut to whole numbers, as Keras does.
            output: ``"maps"`` or ``"logits"`` (the 1000 ImageNet scores).
            batch_norm_eps: Added to the variance; 1e-3 in the published weights.
            batch_norm_momentum: Weight of a new batch in the running statistics.
        """
        map_count = int(STAGES[-1][-1][0] * width)
        super().__init__(output=output, map_count=map_count)
        channels = int(STEM_CHANNELS * width)
        self.conv_stem = nn.Conv2d(3, channels, 3, stride=2, bias=False)
        self.bn1 = FreezableBatchNorm2d(channels, eps=batch_norm_eps, momentum=batch_norm_momentum)
        stages = []
        for stage in STAGES:
            blocks = []
            for base_channels, stride in stage:
                outputs = int(base_channels * width)
                blocks.append(
                    DepthwiseSeparable(
                        channels, outputs, stride=stride, eps=batch_norm_eps, momentum=batch_norm_momentum
                    )
                )
                channels = outputs
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        if output == "logits":
            self.classifier = nn.Linear(map_count, IMAGENET_CLASS_COUNT)
        initialise(self)

    def maps(self, frames_BCHW: Tensor) -> Tensor:
        """Return the maps after the last ReLU6, (B, 1024 * width, ~H/32, ~W/32)."""
        maps_BDHW: Tensor = self.blocks(self._stem(frames_BCHW))
        return maps_BDHW

    def map_stages(self) -> list[nn.Module]:
        """The stem and the 13 blocks."""
        return [
            Stage(self._stem, self.conv_stem, self.bn1),
            *(block for stage in self.blocks for block in stage.children()),
        ]

    def _stem(self, frames_BCHW: Tensor) -> Tensor:
        return relu6_(self.bn1(self.conv_stem(pad_same(frames_BCHW, 3, 2))))

    def logits(self, maps_BDHW: Tensor) -> Tensor:
        """Average over positions and classify."""
        logits_BK: Tensor = self.classifier(maps_BDHW.mean(dim=(2, 3)))
        return logits_BK

    def layers(self) -> list[EncoderLayer]:
        """List the layers under Keras's own names: 13 blocks of 6, one more where a block has a stride."""
        layers = [
            EncoderLayer("conv1", self.conv_stem),
            EncoderLayer("conv1_bn", self.bn1),
            EncoderLayer("conv1_relu", None),
        ]
        blocks = [block for stage in self.blocks for block in stage.children()]
        for number, block in enumerate(blocks, start=1):
            assert isinstance(block, DepthwiseSeparable)
            if block.stride > 1:
                layers.append(EncoderLayer(f"conv_pad_{number}", None))
            layers += [
                EncoderLayer(f"conv_dw_{number}", block.conv_dw),
                EncoderLayer(f"conv_dw_{number}_bn", block.bn1),
                EncoderLayer(f"conv_dw_{number}_relu", None),
                EncoderLayer(f"conv_pw_{number}", block.conv_pw),
                EncoderLayer(f"conv_pw_{number}_bn", block.bn2),
                EncoderLayer(f"conv_pw_{number}_relu", None),
            ]
        if self.output == "logits":
            layers += [
                EncoderLayer("global_average_pooling2d", None),
                EncoderLayer("conv_preds", self.classifier),
            ]
        return layers
