"""ResNets over space and time: R3D-18, MC3-18, R(2+1)D-18 (Tran et al., 2018, arXiv:1711.11248) and R(2+1)D-34.

Key names are torchvision's. The four differ in their 3x3x3 convolutions only: R3D has them everywhere, MC3 has 1x3x3
ones after its first stage (and so no stride in time), R(2+1)D has a 1x3x3 one followed by a 3x1x1 one, with as many
channels between them as keep the number of parameters. R(2+1)D-34 is the network of Ghadiyaram et al. (2019,
arXiv:1905.00561), trained on IG-65M, that Kalfaoglu et al. (2020, arXiv:2008.01232) put BERT on: where torchvision
uses one number of channels between for both convolutions of a block, it computes it for each; its batch norms'
epsilon is 1e-3.

Axes: B clips, T frames, S steps in time, C channels, H height, W width, D features, K classes.
"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from muybridge.models.encoders.encoder import (
    KINETICS_CLASS_COUNT,
    EncoderLayer,
    FreezableBatchNorm3d,
    Stage,
    VideoEncoder,
    initialise,
    leaf_layers,
)
from muybridge.models.encoders.scaling import KINETICS_STATISTICS
from muybridge.recipes.model import EncoderOutput

STAGE_CHANNELS = (64, 128, 256, 512)
STEM_CHANNELS_BETWEEN = 45

ConvolutionKind = Literal["3x3x3", "1x3x3", "2+1"]
NormMaker = Callable[[int], nn.Module]


def channels_between(inputs: int, outputs: int) -> int:
    """Channels with which a 1x3x3 and a 3x1x1 convolution have the parameters of a 3x3x3 one (section 3.5)."""
    return (inputs * outputs * 3 * 3 * 3) // (inputs * 3 * 3 + 3 * outputs)


def _convolution(
    kind: ConvolutionKind, inputs: int, outputs: int, stride: int, between: int, norm: NormMaker
) -> nn.Module:
    if kind == "3x3x3":
        return nn.Conv3d(inputs, outputs, 3, stride, 1, bias=False)
    space = nn.Conv3d(
        inputs, between if kind == "2+1" else outputs, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False
    )
    if kind == "1x3x3":
        return space
    time = nn.Conv3d(between, outputs, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False)
    return nn.Sequential(space, norm(between), nn.ReLU(inplace=True), time)


class Block(nn.Module):
    """Two convolutions, each with batch norm, and a way around them."""

    def __init__(
        self,
        kind: ConvolutionKind,
        inputs: int,
        outputs: int,
        stride: int,
        *,
        between_per_convolution: bool,
        norm: NormMaker,
    ) -> None:
        super().__init__()
        between = channels_between(inputs, outputs)
        self.conv1 = nn.Sequential(
            _convolution(kind, inputs, outputs, stride, between, norm), norm(outputs), nn.ReLU(inplace=True)
        )
        if between_per_convolution:
            between = channels_between(outputs, outputs)
        self.conv2 = nn.Sequential(_convolution(kind, outputs, outputs, 1, between, norm), norm(outputs))
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            strides = (1 if kind == "1x3x3" else stride, stride, stride)
            self.downsample = nn.Sequential(nn.Conv3d(inputs, outputs, 1, strides, bias=False), norm(outputs))

    def forward(self, maps_BDTHW: Tensor) -> Tensor:
        """Return (B, outputs, T / stride, H / stride, W / stride), rounded up; T stays with 1x3x3 convolutions."""
        around = maps_BDTHW if self.downsample is None else self.downsample(maps_BDTHW)
        return F.relu(self.conv2(self.conv1(maps_BDTHW)) + around, inplace=True)


class VideoResNet(VideoEncoder):
    """A ResNet of two-convolution blocks; (B, 3, T, H, W) -> (B, 512, S, ~H/16, ~W/16), after the last block."""

    scaling = KINETICS_STATISTICS
    default_size_px = 112
    minimum_size_px = 16
    classifier_name = "fc"

    kinds: ClassVar[tuple[ConvolutionKind, ConvolutionKind, ConvolutionKind, ConvolutionKind]]
    block_counts: ClassVar[tuple[int, int, int, int]] = (2, 2, 2, 2)
    between_per_convolution: ClassVar[bool] = False
    batch_norm_eps: ClassVar[float] = 1e-5

    def __init__(
        self,
        *,
        output: EncoderOutput = "maps",
        class_count: int = KINETICS_CLASS_COUNT,
        batch_norm_momentum: float = 0.1,
    ) -> None:
        """Create the network with random weights.

        Args:
            output: ``"maps"`` or ``"logits"`` (the 400 Kinetics scores of every step).
            class_count: K of the classifier.
            batch_norm_momentum: Weight of a new batch in the running statistics.
        """
        super().__init__(output=output, map_count=STAGE_CHANNELS[-1], class_count=class_count)
        norm = partial(FreezableBatchNorm3d, eps=self.batch_norm_eps, momentum=batch_norm_momentum)
        channels = STAGE_CHANNELS[0]
        self.stem = _stem(self.kinds[0], channels, norm)
        stages = zip(self.kinds, STAGE_CHANNELS, self.block_counts, strict=True)
        for number, (kind, outputs, count) in enumerate(stages, start=1):
            blocks = nn.Sequential()
            for index in range(count):
                stride = 2 if index == 0 and number > 1 else 1
                blocks.append(
                    Block(
                        kind,
                        channels,
                        outputs,
                        stride,
                        between_per_convolution=self.between_per_convolution,
                        norm=norm,
                    )
                )
                channels = outputs
            self.add_module(f"layer{number}", blocks)
        if output == "logits":
            self.fc = nn.Linear(channels, class_count)
        initialise(self)

    def step_count(self, frame_count: int) -> int:
        """Each stage after the first halves the time, rounded up, but for stages of 1x3x3 convolutions."""
        time_stride = 1 << sum(kind != "1x3x3" for kind in self.kinds[1:])
        return -(-frame_count // time_stride)

    def map_stages(self) -> list[nn.Module]:
        """The stem and the blocks."""
        return [self.stem, *(block for stage in self._stages() for block in stage)]

    def classifier_stage(self) -> nn.Module:
        """The linear layer over Kinetics classes; the average of its scores over steps is the published one."""
        return Stage(self._score, self.fc)

    def layers(self) -> list[EncoderLayer]:
        """List the layers from input to output under torchvision's names."""
        layers = leaf_layers("stem", self.stem)
        for number, stage in enumerate(self._stages(), start=1):
            for index, block in enumerate(stage):
                name = f"layer{number}.{index}"
                layers += leaf_layers(name, block)
                layers += [EncoderLayer(f"{name}.add", None), EncoderLayer(f"{name}.relu", None)]
        if self.output == "logits":
            layers += [EncoderLayer("avgpool", None), EncoderLayer("fc", self.fc)]
        return layers

    def _stages(self) -> list[nn.Sequential]:
        return [stage for name, stage in self.named_children() if name.startswith("layer")]  # type: ignore[misc]

    def _score(self, maps_BDSHW: Tensor) -> Tensor:
        scores_BSK: Tensor = self.fc(maps_BDSHW.mean(dim=(3, 4)).transpose(1, 2))
        return scores_BSK.transpose(1, 2)[..., None, None]


class R3D_18(VideoResNet):
    """3x3x3 convolutions throughout; S = ceil(T / 8)."""

    kinds = ("3x3x3", "3x3x3", "3x3x3", "3x3x3")


class MC3_18(VideoResNet):
    """3x3x3 convolutions in the first stage, 1x3x3 ones above; S = T."""

    kinds = ("3x3x3", "1x3x3", "1x3x3", "1x3x3")


class R2Plus1D_18(VideoResNet):
    """Convolutions over space and over time in turn; S = ceil(T / 8)."""

    kinds = ("2+1", "2+1", "2+1", "2+1")


class R2Plus1D_34(R2Plus1D_18):
    """R(2+1)D-18 with 34 layers; trained on 32 frames, from which it makes 4 steps."""

    block_counts = (3, 4, 6, 3)
    between_per_convolution = True
    batch_norm_eps = 1e-3


def _stem(kind: ConvolutionKind, outputs: int, norm: NormMaker) -> nn.Sequential:
    if kind != "2+1":
        convolution = nn.Conv3d(3, outputs, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)
        return nn.Sequential(convolution, norm(outputs), nn.ReLU(inplace=True))
    return nn.Sequential(
        nn.Conv3d(3, STEM_CHANNELS_BETWEEN, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
        norm(STEM_CHANNELS_BETWEEN),
        nn.ReLU(inplace=True),
        nn.Conv3d(STEM_CHANNELS_BETWEEN, outputs, (3, 1, 1), (1, 1, 1), (1, 0, 0), bias=False),
        norm(outputs),
        nn.ReLU(inplace=True),
    )
