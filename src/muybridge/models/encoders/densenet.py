"""DenseNet121 (Huang et al., 2017, arXiv:1608.06993) under torchvision's key names.

Each layer of a dense block sees the concatenated maps of all layers before it and adds 32 of its own.
The weights published in 2017 carry older key names, which ``modern_keys`` translates.

Axes: B images, C channels, H height, W width, D features.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping

import torch
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
from muybridge.models.encoders.scaling import IMAGENET_STATISTICS
from muybridge.recipes.model import EncoderOutput

STEM_CHANNELS = 64
GROWTH = 32
BOTTLENECK = 4 * GROWTH
LAYERS_PER_BLOCK = (6, 12, 24, 16)


class DenseLayer(nn.Module):
    """Batch norm, ReLU, 1x1 convolution, then batch norm, ReLU, 3x3 convolution to 32 new maps."""

    def __init__(self, inputs: int, *, momentum: float) -> None:
        super().__init__()
        self.norm1 = FreezableBatchNorm2d(inputs, momentum=momentum)
        self.conv1 = nn.Conv2d(inputs, BOTTLENECK, 1, bias=False)
        self.norm2 = FreezableBatchNorm2d(BOTTLENECK, momentum=momentum)
        self.conv2 = nn.Conv2d(BOTTLENECK, GROWTH, 3, padding=1, bias=False)

    def forward(self, maps_BDHW: Tensor) -> Tensor:
        """Append 32 maps to those given."""
        bottleneck = self.conv1(F.relu(self.norm1(maps_BDHW), inplace=True))
        new_maps: Tensor = self.conv2(F.relu(self.norm2(bottleneck), inplace=True))
        return torch.cat([maps_BDHW, new_maps], dim=1)


class Transition(nn.Module):
    """Halve the maps and their size between two dense blocks."""

    def __init__(self, inputs: int, *, momentum: float) -> None:
        super().__init__()
        self.norm = FreezableBatchNorm2d(inputs, momentum=momentum)
        self.conv = nn.Conv2d(inputs, inputs // 2, 1, bias=False)

    def forward(self, maps_BDHW: Tensor) -> Tensor:
        """Return (B, D / 2, H / 2, W / 2)."""
        return F.avg_pool2d(self.conv(F.relu(self.norm(maps_BDHW), inplace=True)), 2)


class DenseNet121(FrameEncoder):
    """DenseNet121; (B, 3, H, W) -> (B, 1024, ~H/32, ~W/32), after the last batch norm and ReLU."""

    scaling = IMAGENET_STATISTICS
    minimum_size_px = 29

    def __init__(self, *, output: EncoderOutput = "maps", batch_norm_momentum: float = 0.1) -> None:
        """Create a DenseNet121 with random weights.

        Args:
            output: ``"maps"`` or ``"logits"`` (the 1000 ImageNet scores).
            batch_norm_momentum: Weight of a new batch in the running statistics.
        """
        momentum = batch_norm_momentum
        steps: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(3, STEM_CHANNELS, 7, stride=2, padding=3, bias=False),
            norm0=FreezableBatchNorm2d(STEM_CHANNELS, momentum=momentum),
            relu0=nn.ReLU(inplace=True),
            pool0=nn.MaxPool2d(3, stride=2, padding=1),
        )
        channels = STEM_CHANNELS
        for number, layer_count in enumerate(LAYERS_PER_BLOCK, start=1):
            dense: OrderedDict[str, nn.Module] = OrderedDict()
            for index in range(1, layer_count + 1):
                dense[f"denselayer{index}"] = DenseLayer(channels, momentum=momentum)
                channels += GROWTH
            steps[f"denseblock{number}"] = nn.Sequential(dense)
            if number < len(LAYERS_PER_BLOCK):
                steps[f"transition{number}"] = Transition(channels, momentum=momentum)
                channels //= 2
        steps["norm5"] = FreezableBatchNorm2d(channels, momentum=momentum)

        super().__init__(output=output, map_count=channels)
        self.features = nn.Sequential(steps)
        if output == "logits":
            self.classifier = nn.Linear(channels, IMAGENET_CLASS_COUNT)
        initialise(self)

    def maps(self, frames_BCHW: Tensor) -> Tensor:
        """Return the maps after the last batch norm and ReLU, (B, 1024, ~H/32, ~W/32)."""
        return F.relu(self.features(frames_BCHW), inplace=True)

    def map_stages(self) -> list[nn.Module]:
        """The stem, the dense blocks, their layers one by one, and the transitions between them."""
        stages: list[nn.Module] = []
        for step in self.features:
            stages += step.children() if isinstance(step, nn.Sequential) else [step]
        return [*stages, Stage(F.relu)]

    def logits(self, maps_BDHW: Tensor) -> Tensor:
        """Average over positions and classify."""
        logits_BK: Tensor = self.classifier(maps_BDHW.mean(dim=(2, 3)))
        return logits_BK

    def layers(self) -> list[EncoderLayer]:
        """List the layers under Keras's own names, zero paddings, ReLUs and concatenations included."""
        steps = dict(self.features.named_children())
        layers = [
            EncoderLayer("zero_padding2d", None),
            EncoderLayer("conv1/conv", steps["conv0"]),
            EncoderLayer("conv1/bn", steps["norm0"]),
            EncoderLayer("conv1/relu", None),
            EncoderLayer("zero_padding2d_1", None),
            EncoderLayer("pool1", None),
        ]
        stage = 1
        for step in steps.values():
            if isinstance(step, nn.Sequential):
                stage += 1
                for index, dense in enumerate(step.children(), start=1):
                    layers += _dense_layers(f"conv{stage}_block{index}", dense)
            elif isinstance(step, Transition):
                layers += [
                    EncoderLayer(f"pool{stage}_bn", step.norm),
                    EncoderLayer(f"pool{stage}_relu", None),
                    EncoderLayer(f"pool{stage}_conv", step.conv),
                    EncoderLayer(f"pool{stage}_pool", None),
                ]
        layers += [EncoderLayer("bn", steps["norm5"]), EncoderLayer("relu", None)]
        if self.output == "logits":
            layers += [EncoderLayer("avg_pool", None), EncoderLayer("predictions", self.classifier)]
        return layers


def _dense_layers(prefix: str, dense: nn.Module) -> list[EncoderLayer]:
    assert isinstance(dense, DenseLayer)
    return [
        EncoderLayer(f"{prefix}_0_bn", dense.norm1),
        EncoderLayer(f"{prefix}_0_relu", None),
        EncoderLayer(f"{prefix}_1_conv", dense.conv1),
        EncoderLayer(f"{prefix}_1_bn", dense.norm2),
        EncoderLayer(f"{prefix}_1_relu", None),
        EncoderLayer(f"{prefix}_2_conv", dense.conv2),
        EncoderLayer(f"{prefix}_concat", None),
    ]


def modern_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the published file's ``denselayer1.norm.1.weight`` to ``denselayer1.norm1.weight``, etc."""
    return {re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d\.)", r"\1\2", key): value for key, value in state.items()}
