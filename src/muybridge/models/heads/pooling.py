"""From the feature maps of a step to one vector, or to a few, one for each part of the picture.

Axes: N steps (for a frame encoder, frames), D map channels, H height, W width, P places, F features of a vector.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from muybridge.recipes.model import ModelConfig, PoolingName

GRID = 4
GRID_CHANNELS = 16


class GlobalPool(nn.Module):
    """The maximum (as in the paper) or the mean over all positions: where things are is forgotten."""

    places = 1

    def __init__(self, kind: PoolingName, map_count: int) -> None:
        super().__init__()
        self.kind = kind
        self.feature_count = map_count

    def forward(self, maps_NDHW: Tensor) -> Tensor:
        """Return features_NF with F = D."""
        return maps_NDHW.amax(dim=(2, 3)) if self.kind == "max" else maps_NDHW.mean(dim=(2, 3))


class TokenPool(nn.Module):
    """The maximum or the mean over each cell of a grid: a step's vectors are its tokens, row after row.

    Attributes:
        places: P, the tokens of a step.
    """

    def __init__(self, kind: PoolingName, map_count: int, side: int) -> None:
        """Create the pooling.

        Args:
            kind: ``"max"`` or ``"mean"``.
            map_count: D of the maps, and F.
            side: Cells along each side of the picture.
        """
        super().__init__()
        self.kind = kind
        self.feature_count = map_count
        self.side = side
        self.places = side**2

    def forward(self, maps_NDHW: Tensor) -> Tensor:
        """Return tokens_NPF; maps smaller than the grid have some of their positions in several cells."""
        pool = F.adaptive_max_pool2d if self.kind == "max" else F.adaptive_avg_pool2d
        cells_NDHW: Tensor = pool(maps_NDHW, self.side)
        return cells_NDHW.flatten(2).transpose(1, 2)


class GridPool(nn.Module):
    """A 1x1 convolution to 16 channels, averaged to 4x4 positions: it keeps where things are, coarsely."""

    places = 1

    def __init__(self, map_count: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(map_count, GRID_CHANNELS, 1)
        self.feature_count = GRID_CHANNELS * GRID**2

    def forward(self, maps_NDHW: Tensor) -> Tensor:
        """Return features_NF with F = 256."""
        mixed_NCHW = self.mix(maps_NDHW)
        features_NF: Tensor = F.adaptive_avg_pool2d(mixed_NCHW, GRID).flatten(1)
        return features_NF


def create_pooling(config: ModelConfig, map_count: int) -> GlobalPool | TokenPool | GridPool:
    """The pooling of ``config`` for maps of so many channels."""
    if config.tokens_per_side > 1:
        return TokenPool(config.pooling, map_count, config.tokens_per_side)
    return GridPool(map_count) if config.pooling == "grid" else GlobalPool(config.pooling, map_count)
