"""From the feature maps of a frame to one vector.

Axes: N frames, D map channels, H height, W width, F features of the vector.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from muybridge.recipes.model import PoolingName

GRID = 4
GRID_CHANNELS = 16


class GlobalPool(nn.Module):
    """The maximum (as in the paper) or the mean over all positions: where things are is forgotten."""

    def __init__(self, kind: PoolingName, map_count: int) -> None:
        super().__init__()
        self.kind = kind
        self.feature_count = map_count

    def forward(self, maps_NDHW: Tensor) -> Tensor:
        """Return features_NF with F = D."""
        return maps_NDHW.amax(dim=(2, 3)) if self.kind == "max" else maps_NDHW.mean(dim=(2, 3))


class GridPool(nn.Module):
    """A 1x1 convolution to 16 channels, averaged to 4x4 positions: it keeps where things are, coarsely."""

    def __init__(self, map_count: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(map_count, GRID_CHANNELS, 1)
        self.feature_count = GRID_CHANNELS * GRID**2

    def forward(self, maps_NDHW: Tensor) -> Tensor:
        """Return features_NF with F = 256."""
        mixed_NCHW = self.mix(maps_NDHW)
        features_NF: Tensor = F.adaptive_avg_pool2d(mixed_NCHW, GRID).flatten(1)
        return features_NF
