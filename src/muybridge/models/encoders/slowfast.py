"""SlowFast-R50 (Feichtenhofer et al., 2019, arXiv:1812.03982), 8x8, under pytorchvideo's key names.

Two ResNet-50s look at one clip: the slow pathway at every fourth frame (alpha), the fast one at all of them with an
eighth of the channels (beta). After the stem and each stage but the last, a convolution with a stride of alpha in
time brings the fast maps to the slow pathway, where they are concatenated. Its kernel spans 7 frames in the published
8x8 weights, 5 in the paper. The slow pathway takes frames 0, 4, 8, ... as in the paper; pytorchvideo's demo spreads as
many over the whole clip, last frame included.

The pathways' maps differ in time and channels, so ``forward`` averages both over positions, repeats each slow
step for the fast steps that it covers, and returns one row of steps: the first ``slow_feature_count`` features
are the slow pathway's, the rest the fast one's.

Axes: B clips, T frames, S steps in time, C channels, H height, W width, D features, K classes.
"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import torch
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
from muybridge.models.encoders.scaling import GREY_STATISTICS
from muybridge.recipes.model import EncoderOutput

ALPHA = 4
BETA_INVERSE = 8
FUSION_RATIO = 2
FUSION_FRAMES = 7

STEM_CHANNELS = 64
STAGES = ((3, 256), (4, 512), (6, 1024), (3, 2048))
"""(blocks, channels) of each stage of the slow pathway."""
SLOW_TIME_KERNELS = (1, 1, 3, 3)
"""Frames that the first convolution of a slow block spans, by stage; 3 in all of the fast pathway's."""

NormMaker = Callable[[int], nn.Module]


class Branch(nn.Module):
    """The three convolutions of a bottleneck: over time, over space, and 1x1x1."""

    def __init__(self, inputs: int, outputs: int, time_kernel: int, stride: int, norm: NormMaker) -> None:
        super().__init__()
        inner = outputs // 4
        self.conv_a = nn.Conv3d(inputs, inner, (time_kernel, 1, 1), padding=(time_kernel // 2, 0, 0), bias=False)
        self.norm_a = norm(inner)
        self.act_a = nn.ReLU(inplace=True)
        self.conv_b = nn.Conv3d(inner, inner, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)
        self.norm_b = norm(inner)
        self.act_b = nn.ReLU(inplace=True)
        self.conv_c = nn.Conv3d(inner, outputs, 1, bias=False)
        self.norm_c = norm(outputs)

    def forward(self, maps_BDTHW: Tensor) -> Tensor:
        """Return (B, outputs, T, H / stride, W / stride)."""
        maps = self.act_a(self.norm_a(self.conv_a(maps_BDTHW)))
        maps = self.act_b(self.norm_b(self.conv_b(maps)))
        result: Tensor = self.norm_c(self.conv_c(maps))
        return result


class Block(nn.Module):
    """A bottleneck and a way around it, which is a convolution where channels or size change."""

    def __init__(self, inputs: int, outputs: int, time_kernel: int, stride: int, norm: NormMaker) -> None:
        super().__init__()
        self.branch1_conv: nn.Module | None = None
        self.branch1_norm: nn.Module | None = None
        if inputs != outputs or stride != 1:
            self.branch1_conv = nn.Conv3d(inputs, outputs, 1, (1, stride, stride), bias=False)
            self.branch1_norm = norm(outputs)
        self.branch2 = Branch(inputs, outputs, time_kernel, stride, norm)

    def forward(self, maps_BDTHW: Tensor) -> Tensor:
        """Return (B, outputs, T, H / stride, W / stride)."""
        around = maps_BDTHW
        if self.branch1_conv is not None and self.branch1_norm is not None:
            around = self.branch1_norm(self.branch1_conv(maps_BDTHW))
        return F.relu(around + self.branch2(maps_BDTHW), inplace=True)


class Stem(nn.Module):
    """A strided convolution, batch norm, ReLU and a strided max pooling: a quarter of the height and width."""

    def __init__(self, outputs: int, time_kernel: int, norm: NormMaker) -> None:
        super().__init__()
        padding = (time_kernel // 2, 3, 3)
        self.conv = nn.Conv3d(3, outputs, (time_kernel, 7, 7), (1, 2, 2), padding, bias=False)
        self.norm = norm(outputs)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, clip_BCTHW: Tensor) -> Tensor:
        """Return (B, outputs, T, H / 4, W / 4)."""
        maps = self.activation(self.norm(self.conv(clip_BCTHW)))
        return F.max_pool3d(maps, (1, 3, 3), (1, 2, 2), (0, 1, 1))


class PathwayStage(nn.Module):
    """One stage of one pathway."""

    def __init__(self, count: int, inputs: int, outputs: int, time_kernel: int, stride: int, norm: NormMaker) -> None:
        super().__init__()
        self.res_blocks = nn.Sequential(
            Block(inputs, outputs, time_kernel, stride, norm),
            *(Block(outputs, outputs, time_kernel, 1, norm) for _ in range(1, count)),
        )

    def forward(self, maps_BDTHW: Tensor) -> Tensor:
        """Apply the blocks."""
        maps: Tensor = self.res_blocks(maps_BDTHW)
        return maps


class Fusion(nn.Module):
    """The lateral connection: fast maps, brought to the slow pathway's rate, and joined to the slow maps."""

    def __init__(self, fast_channels: int, norm: NormMaker) -> None:
        super().__init__()
        outputs = FUSION_RATIO * fast_channels
        padding = (FUSION_FRAMES // 2, 0, 0)
        self.conv_fast_to_slow = nn.Conv3d(
            fast_channels, outputs, (FUSION_FRAMES, 1, 1), (ALPHA, 1, 1), padding, bias=False
        )
        self.norm = norm(outputs)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, slow_BDTHW: Tensor, fast_BDTHW: Tensor) -> Tensor:
        """Return the slow maps with 2 / beta times as many channels more."""
        fused = self.activation(self.norm(self.conv_fast_to_slow(fast_BDTHW)))
        return torch.cat([slow_BDTHW, fused], dim=1)


class TwoPathways(nn.Module):
    """A stage of both pathways and the lateral connection after it."""

    def __init__(self, slow: nn.Module, fast: nn.Module, fusion: Fusion | None) -> None:
        super().__init__()
        self.multipathway_blocks = nn.ModuleList([slow, fast])
        self.multipathway_fusion = fusion

    def forward(self, pathways: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the slow and the fast maps."""
        slow_stage, fast_stage = self.multipathway_blocks
        slow, fast = slow_stage(pathways[0]), fast_stage(pathways[1])
        if self.multipathway_fusion is not None:
            slow = self.multipathway_fusion(slow, fast)
        return slow, fast


class Head(nn.Module):
    """The published classifier: a linear layer under the key ``proj``."""

    def __init__(self, inputs: int, class_count: int) -> None:
        super().__init__()
        self.proj = nn.Linear(inputs, class_count)

    def forward(self, features_BDSHW: Tensor) -> Tensor:
        """Score every step: (B, K, S, 1, 1)."""
        scores: Tensor = self.proj(features_BDSHW.movedim(1, -1))
        return scores.movedim(-1, 1)


class SlowFastR50(VideoEncoder):
    """SlowFast-R50; (B, 3, T, H, W) -> (B, 2048 + 256, T, 1, 1), averaged over positions.

    Attributes:
        alpha: Frames of the clip per frame of the slow pathway.
        slow_feature_count: Features of the slow pathway; they come first.
        fast_feature_count: Features of the fast pathway.
    """

    scaling = GREY_STATISTICS
    default_size_px = 256
    minimum_size_px = 32
    classifier_name = "blocks.6"
    alpha: ClassVar[int] = ALPHA
    slow_feature_count: ClassVar[int] = STAGES[-1][1]
    fast_feature_count: ClassVar[int] = STAGES[-1][1] // BETA_INVERSE

    def __init__(
        self,
        *,
        output: EncoderOutput = "maps",
        class_count: int = KINETICS_CLASS_COUNT,
        batch_norm_momentum: float = 0.1,
    ) -> None:
        """Create a SlowFast-R50 with random weights.

        Args:
            output: ``"maps"`` or ``"logits"`` (the 400 Kinetics scores of every step).
            class_count: K of the classifier.
            batch_norm_momentum: Weight of a new batch in the running statistics.
        """
        feature_count = self.slow_feature_count + self.fast_feature_count
        super().__init__(output=output, map_count=feature_count, class_count=class_count)
        norm = partial(FreezableBatchNorm3d, momentum=batch_norm_momentum)
        channels = STEM_CHANNELS
        stem = TwoPathways(
            Stem(channels, 1, norm),
            Stem(channels // BETA_INVERSE, 5, norm),
            Fusion(channels // BETA_INVERSE, norm),
        )
        self.blocks = nn.ModuleList([stem])
        for number, ((count, outputs), slow_kernel) in enumerate(zip(STAGES, SLOW_TIME_KERNELS, strict=True)):
            stride = 1 if number == 0 else 2
            fast_inputs, fast_outputs = channels // BETA_INVERSE, outputs // BETA_INVERSE
            last = number == len(STAGES) - 1
            self.blocks.append(
                TwoPathways(
                    PathwayStage(count, channels + FUSION_RATIO * fast_inputs, outputs, slow_kernel, stride, norm),
                    PathwayStage(count, fast_inputs, fast_outputs, 3, stride, norm),
                    None if last else Fusion(fast_outputs, norm),
                )
            )
            channels = outputs
        if output == "logits":
            # The published network counts its pooling as a block of its own.
            self.blocks.extend([nn.Identity(), Head(feature_count, class_count)])
        initialise(self)

    def step_count(self, frame_count: int) -> int:
        """As many as frames: the fast pathway has no stride in time."""
        return frame_count

    def map_stages(self) -> list[nn.Module]:
        """The network in one: between its stages run two tensors, and what can be kept is one."""
        return [Stage(self._features, *self._pathway_stages())]

    def classifier_stage(self) -> nn.Module:
        """The linear layer over Kinetics classes; the average of its scores over steps is the published one."""
        return self.blocks[-1]

    def layers(self) -> list[EncoderLayer]:
        """List the layers from input to output: of each stage the slow pathway, the fast one, the connection."""
        layers = [
            layer
            for index, stage in enumerate(self._pathway_stages())
            for layer in leaf_layers(f"blocks.{index}", stage)
        ]
        if self.output == "logits":
            layers += [EncoderLayer("blocks.5", None), EncoderLayer("blocks.6.proj", self.blocks[-1])]
        return layers

    def _pathway_stages(self) -> list[nn.Module]:
        return [stage for stage in self.blocks if isinstance(stage, TwoPathways)]

    def _features(self, clip_BCTHW: Tensor) -> Tensor:
        """Return (B, D, T, 1, 1)."""
        pathways = (clip_BCTHW[:, :, :: self.alpha], clip_BCTHW)
        for stage in self._pathway_stages():
            pathways = stage(pathways)
        slow, fast = (maps.mean(dim=(3, 4), keepdim=True) for maps in pathways)
        slow = slow.repeat_interleave(self.alpha, dim=2)[:, :, : fast.shape[2]]
        return torch.cat([slow, fast], dim=1)
