"""A small plain CNN to train from nothing: four strided convolutions, for a few hundred clips and a few minutes.

Axes: B images, C channels, H height, W width, D features.
"""

from torch import Tensor, nn

from muybridge.models.encoders.encoder import EncoderLayer, FrameEncoder, FreezableBatchNorm2d, initialise
from muybridge.models.encoders.scaling import PLUS_MINUS_ONE

CHANNELS = (16, 32, 64, 96)


class SmallCNN(FrameEncoder):
    """Four blocks of 3x3 convolution, batch norm, ReLU; (B, 3, H, W) -> (B, 96, H/16, W/16). No ImageNet weights."""

    scaling = PLUS_MINUS_ONE
    minimum_size_px = 16

    def __init__(self, *, batch_norm_momentum: float = 0.1) -> None:
        """Create the network with random weights.

        Args:
            batch_norm_momentum: Weight of each new batch in the running statistics.
        """
        super().__init__(output="maps", map_count=CHANNELS[-1])
        layers: list[nn.Module] = []
        for inputs, outputs in zip((3, *CHANNELS), CHANNELS, strict=False):
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
                FreezableBatchNorm2d(outputs, momentum=batch_norm_momentum),
                nn.ReLU(inplace=True),
            ]
        self.features = nn.Sequential(*layers)
        initialise(self)

    def maps(self, frames_BCHW: Tensor) -> Tensor:
        """Return the maps of the last block."""
        maps_BDHW: Tensor = self.features(frames_BCHW)
        return maps_BDHW

    def map_stages(self) -> list[nn.Module]:
        """The convolutions, batch norms and ReLUs one by one."""
        return list(self.features)

    def logits(self, maps_BDHW: Tensor) -> Tensor:
        """There are none: the configuration does not allow ``output="logits"`` here."""
        raise NotImplementedError("SmallCNN has no ImageNet scores")

    def layers(self) -> list[EncoderLayer]:
        """List the layers from input to output."""
        return [
            EncoderLayer(f"features.{number}", None if isinstance(layer, nn.ReLU) else layer)
            for number, layer in enumerate(self.features)
        ]
