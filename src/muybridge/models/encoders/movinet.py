"""MoViNets A0 to A2 (Kondratyuk et al., 2021, arXiv:2103.11511): small video networks that can run frame by frame.

Key names are those of MoViNet-pytorch. ``STREAM`` and ``BASE`` networks rebuild the layout of its floating-point
files, which were not loaded here. ``MOBILE`` is the 8-bit release of A0 with its numbers made floating-point again;
that file is what figures in the documentation come from.

A streaming network sees past frames only, so it returns the same for a clip at once as for its frames one after the
other (``stream``). Its head scores the mean over the frames so far, at each frame. The base network's head scores the
mean over the clip, once. As a feature, the head's hidden layer is that of each frame's own maps. No positional encoding
is used: the networks published with one are A3 to A5.

Axes: B clips, T frames, S steps in time, C channels, D features, H height, W width, K classes.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from muybridge.models.encoders.encoder import (
    EncoderLayer,
    FreezableDropout,
    OwnParameters,
    Stage,
    VideoEncoder,
    initialise,
    leaf_layers,
)
from muybridge.models.encoders.movinet_blocks import (
    BASE,
    MOBILE,
    STREAM,
    Bottleneck,
    Flavour,
    SqueezeExcitation,
    Unit,
)
from muybridge.models.encoders.scaling import UNIT
from muybridge.models.encoders.streams import WHOLE_CLIP, Passage, StreamPassage, StreamState
from muybridge.recipes.model import EncoderOutput

KINETICS600_CLASS_COUNT = 600
HIDDEN_UNITS = 2048
HEAD_DROPOUT = 0.2


class Row(NamedTuple):
    """Blocks with the same number of channels; the first has the stride.

    Attributes:
        outputs: Channels that each block returns.
        stride: Of the first block, along height and width.
        blocks: Of each block its channels inside, its frames, and its height and width.
    """

    outputs: int
    stride: int
    blocks: tuple[tuple[int, int, int], ...]


class Size(NamedTuple):
    """One network of the family."""

    stem: int
    rows: tuple[Row, ...]
    last: int


A0 = Size(
    stem=8,
    rows=(
        Row(8, 2, ((24, 1, 5),)),
        Row(32, 2, ((80, 3, 3), (80, 3, 3), (80, 3, 3))),
        Row(56, 2, ((184, 5, 3), (112, 3, 3), (184, 3, 3))),
        Row(56, 1, ((184, 5, 3), (184, 3, 3), (184, 3, 3), (184, 3, 3))),
        Row(104, 2, ((384, 5, 3), (280, 1, 5), (280, 1, 5), (344, 1, 5))),
    ),
    last=480,
)
A1 = Size(
    stem=16,
    rows=(
        Row(16, 2, ((40, 1, 5), (40, 3, 3))),
        Row(40, 2, ((96, 3, 3), (120, 3, 3), (96, 3, 3), (96, 3, 3))),
        Row(64, 2, ((216, 5, 3), (128, 3, 3), (216, 3, 3), (168, 3, 3), (216, 3, 3))),
        Row(64, 1, ((216, 5, 3), (216, 3, 3), (216, 3, 3), (128, 3, 3), (128, 1, 5), (216, 3, 3))),
        Row(
            136,
            2,
            ((456, 5, 3), (360, 1, 5), (360, 1, 5), (360, 1, 5), (456, 1, 5), (456, 3, 3), (544, 1, 3)),
        ),
    ),
    last=600,
)
A2 = Size(
    stem=16,
    rows=(
        Row(16, 2, ((40, 1, 5), (40, 3, 3), (64, 3, 3))),
        Row(40, 2, ((96, 3, 3), (120, 3, 3), (96, 3, 3), (96, 3, 3), (120, 3, 3))),
        Row(72, 2, ((240, 5, 3), (160, 3, 3), (240, 3, 3), (192, 3, 3), (240, 3, 3))),
        Row(72, 1, ((240, 5, 3), (240, 3, 3), (240, 3, 3), (240, 3, 3), (144, 1, 5), (240, 3, 3))),
        Row(
            144,
            2,
            ((480, 5, 3), (384, 1, 5), (384, 1, 5), (480, 1, 5), (480, 1, 5), (480, 3, 3), (576, 1, 3)),
        ),
    ),
    last=640,
)


class MoViNet(VideoEncoder):
    """A MoViNet; (B, 3, T, H, W) with pixels from 0 to 1 -> (B, D, T, ceil(H/32), ceil(W/32)), after the last 1x1."""

    scaling = UNIT
    default_size_px = 172
    minimum_size_px = 32
    most_frames = 16  # trained on 5 a second: consecutive ones tell it little more, at the same price each
    size: ClassVar[Size] = A0
    flavour: ClassVar[Flavour] = BASE

    def __init__(
        self,
        *,
        output: EncoderOutput = "maps",
        class_count: int = KINETICS600_CLASS_COUNT,
        batch_norm_momentum: float = 0.1,
    ) -> None:
        """Create the network with random weights.

        Args:
            output: ``"maps"``; ``"hidden"``, the 2048 units before the scores, of each frame by itself;
                ``"maps+hidden"``, both side by side, the maps averaged over positions; or ``"logits"``, the scores of
                the 600 Kinetics classes.
            class_count: K of the classifier.
            batch_norm_momentum: Weight of a new batch in the running statistics.
        """
        size, flavour, momentum = self.size, self.flavour, batch_norm_momentum
        super().__init__(output=output, map_count=size.last, class_count=class_count)
        if output in ("hidden", "maps+hidden"):
            self.feature_count = HIDDEN_UNITS + (size.last if output == "maps+hidden" else 0)

        activation = flavour.activation
        self.conv1 = Unit(3, size.stem, 1, 3, 2, flavour=flavour, activation=activation, momentum=momentum)
        self.blocks = nn.Sequential()
        channels = size.stem
        for number, row in enumerate(size.rows):
            for index, (expanded, time_kernel, kernel_size) in enumerate(row.blocks):
                block = Bottleneck(
                    channels,
                    expanded,
                    row.outputs,
                    time_kernel,
                    kernel_size,
                    row.stride if index == 0 else 1,
                    flavour=flavour,
                    momentum=momentum,
                )
                self.blocks.add_module(f"b{number}_l{index}", block)
                channels = row.outputs
        self.conv7 = Unit(channels, size.last, flavour=flavour, activation=activation, momentum=momentum)
        if output != "maps":
            # No activation inside: the one between is a module of its own in the published layout.
            dense = [
                Unit(a, b, flavour=flavour, activation=None, normalised=False, momentum=momentum)
                for a, b in ((size.last, HIDDEN_UNITS), (HIDDEN_UNITS, class_count))
            ]
            self.classifier = nn.Sequential(dense[0], flavour.head_activation())
            if output == "logits":
                self.classifier.extend([FreezableDropout(HEAD_DROPOUT), dense[1]])
        initialise(self)

    @property
    def largest_size_px(self) -> int:
        """224 also where the weights were trained at 172: more is recognised so (docs/encoders.md)."""
        return max(self.default_size_px, 224)

    @property
    def unused_keys(self) -> tuple[str, ...]:
        """What the keys of the published classifier begin with that the output does not need."""
        return {"maps": ("classifier.",), "logits": ()}.get(self.output, ("classifier.3.",))

    def step_count(self, frame_count: int) -> int:
        """As many as frames; the base network's scores are of the whole clip."""
        return 1 if self.output == "logits" and not self.flavour.causal else frame_count

    def map_stages(self) -> list[nn.Module]:
        """The first convolution, the blocks and the last convolution."""
        return [self.conv1, *self.blocks, self.conv7]

    def classifier_stage(self) -> nn.Module:
        """The stage from maps to what ``output`` names."""
        return Stage(self._head, self.classifier)

    def layers(self) -> list[EncoderLayer]:
        """List the layers from input to output; a block's number ``alpha`` is the last of its layers."""
        layers = leaf_layers("conv1", self.conv1)
        for name, block in self.blocks.named_children():
            layers += leaf_layers(f"blocks.{name}", block)
            layers.append(EncoderLayer(f"blocks.{name}.alpha", OwnParameters(block)))
        layers += leaf_layers("conv7", self.conv7)
        return layers if self.output == "maps" else layers + leaf_layers("classifier", self.classifier)

    def _head(self, maps_BDTHW: Tensor, passage: Passage = WHOLE_CLIP) -> Tensor:
        """Give (B, D, S, 1, 1)."""
        seen_BDS = pooled_BDT = maps_BDTHW.mean(dim=(3, 4))
        if self.output == "logits":
            causal = self.flavour.causal
            seen_BDS = passage.running_mean(pooled_BDT) if causal else pooled_BDT.mean(dim=2, keepdim=True)
        given_BDS11 = seen_BDS[..., None, None]
        for part in self.classifier:
            given_BDS11 = part(given_BDS11)
        if self.output != "maps+hidden":
            return given_BDS11
        return torch.cat([pooled_BDT[..., None, None], given_BDS11], dim=1)


class StreamingMoViNet(MoViNet):
    """A MoViNet that sees past frames only, and can go on where it ended."""

    flavour = STREAM

    @property
    def past_frames(self) -> int | None:
        """How many frames before one bear on what the network gives for it; None: all of the video."""
        if self.output == "logits" or any(isinstance(module, SqueezeExcitation) for module in self.modules()):
            return None  # means over all frames so far
        over_time = (module for module in self.modules() if isinstance(module, Unit) and module.conv_2 is not None)
        return sum(unit.time_kernel - 1 for unit in over_time)

    def stream(self, clip_BCTHW: Tensor, state: StreamState | None = None) -> tuple[Tensor, StreamState]:
        """Encode the next frames of videos.

        Example: ``maps, state = encoder.stream(first)``, then ``maps, state = encoder.stream(second, state)``; the
        maps are those of ``encoder(torch.cat([first, second], dim=2))``.

        Args:
            clip_BCTHW: Scaled frames; how many at a time is free, and may change.
            state: What the call before returned; None at the first frame of the videos.

        Returns:
            What ``forward`` returns for these frames, and the state after them. No state is changed.

        Raises:
            UserError: The frames are smaller than ``minimum_size_px``.
        """
        self._require_size(*clip_BCTHW.shape[-2:])
        passage = StreamPassage(state, frame_count=clip_BCTHW.shape[2], device=clip_BCTHW.device)
        maps = clip_BCTHW
        for stage in self.map_stages():
            maps = stage(maps, passage)
        if self.output != "maps":
            maps = self._head(maps, passage)
        return maps, passage.state


class MoViNetA0(StreamingMoViNet):
    """The smallest, streaming."""


class MoViNetA1(StreamingMoViNet):
    """The second, streaming."""

    size = A1


class MoViNetA2(StreamingMoViNet):
    """The third, streaming; for larger frames."""

    size = A2
    default_size_px = 224


class MoViNetA0Mobile(StreamingMoViNet):
    """The smallest, streaming, for 8-bit numbers: no squeeze-excitation, ReLU6, batch norms folded in."""

    flavour = MOBILE


class MoViNetA0Base(MoViNet):
    """The smallest; every frame sees those before and after."""


class MoViNetA1Base(MoViNet):
    """The second; every frame sees those before and after."""

    size = A1


class MoViNetA2Base(MoViNet):
    """The third; every frame sees those before and after."""

    size = A2
    default_size_px = 224
