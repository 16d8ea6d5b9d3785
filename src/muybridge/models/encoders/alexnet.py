"""AlexNet in its one-column form (Krizhevsky, 2014, arXiv:1404.5997) under torchvision's key names.

The paper pools the convolutions' maps; Ullah et al. (2018) take the 1000 class scores as the feature.

Axes: B images, C channels, H height, W width, D features.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from muybridge.models.encoders.encoder import (
    IMAGENET_CLASS_COUNT,
    EncoderLayer,
    FrameEncoder,
    Freezable,
    FreezableDropout,
    initialise,
)
from muybridge.models.encoders.scaling import IMAGENET_STATISTICS
from muybridge.recipes.model import EncoderOutput

MAP_COUNT = 256
CLASSIFIER_GRID = 6
"""Positions in height and width that the classifier reads; maps of other sizes are averaged to it."""


class AlexNet(FrameEncoder):
    """AlexNet; (B, 3, H, W) -> (B, 256, ~H/32, ~W/32) after the last max pooling."""

    scaling = IMAGENET_STATISTICS
    minimum_size_px = 63

    def __init__(self, *, output: EncoderOutput = "maps") -> None:
        """Create an AlexNet with random weights.

        Args:
            output: ``"maps"`` or ``"logits"`` (the 1000 ImageNet scores).
        """
        super().__init__(output=output, map_count=MAP_COUNT)
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, MAP_COUNT, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        if output == "logits":
            self.classifier = nn.Sequential(
                FreezableDropout(0.5),
                nn.Linear(MAP_COUNT * CLASSIFIER_GRID**2, 4096),
                nn.ReLU(inplace=True),
                FreezableDropout(0.5),
                nn.Linear(4096, 4096),
                nn.ReLU(inplace=True),
                nn.Linear(4096, IMAGENET_CLASS_COUNT),
            )
        initialise(self)

    def maps(self, frames_BCHW: Tensor) -> Tensor:
        """Return the maps after the last max pooling, (B, 256, ~H/32, ~W/32)."""
        maps_BDHW: Tensor = self.features(frames_BCHW)
        return maps_BDHW

    def map_stages(self) -> list[nn.Module]:
        """The convolutions, ReLUs and poolings one by one."""
        return list(self.features)

    def logits(self, maps_BDHW: Tensor) -> Tensor:
        """Average the maps to 6x6 positions and classify."""
        grid = F.adaptive_avg_pool2d(maps_BDHW, CLASSIFIER_GRID)
        logits_BK: Tensor = self.classifier(grid.flatten(1))
        return logits_BK

    def layers(self) -> list[EncoderLayer]:
        """List the layers under torchvision's names; Keras publishes no AlexNet."""
        freezable = (nn.Conv2d, nn.Linear, Freezable)
        return [
            EncoderLayer(f"{part_name}.{name}", module if isinstance(module, freezable) else None)
            for part_name, part in self.named_children()
            for name, module in part.named_children()
        ]
