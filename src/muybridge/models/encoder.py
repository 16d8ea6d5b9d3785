"""What every frame encoder is: images in, feature maps out, layers that can be frozen by name.

Two details carry weight. Layers are listed in the order and the granularity of Keras, parameterless ones
included, because the report's "last 15 layers trainable" counts them that way. And a frozen batch norm or
dropout is frozen wholly: the flag lives in the layer, so no later ``train()`` of a parent can wake it up.

Axes: B images, C channels, H height, W width, D features.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple, Self

from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.models.config import EncoderOutput
from muybridge.models.scaling import Scaling

IMAGENET_CLASS_COUNT = 1000


class EncoderLayer(NamedTuple):
    """One layer as Keras counts them; ``module`` is None where nothing could be frozen."""

    name: str
    module: nn.Module | None


class Freezable(nn.Module):
    """A layer that behaves differently in training; while ``frozen`` it never enters training mode."""

    frozen: bool = False

    def train(self, mode: bool = True) -> Self:
        """Enter training mode, unless frozen."""
        return super().train(mode and not self.frozen)


class FreezableBatchNorm2d(Freezable, nn.BatchNorm2d):
    """Batch norm that, while frozen, uses its stored statistics and never updates them, as Keras's does."""


class FreezableDropout(Freezable, nn.Dropout):
    """Dropout that, while frozen, drops nothing, so that frozen features are the same every time."""


class FrameEncoder(nn.Module, ABC):
    """An image network without its last step, applied to every frame alike.

    Attributes:
        scaling: How the published ImageNet weights expect their pixels.
        default_size_px: Height and width those weights were trained at.
        minimum_size_px: Smaller frames leave no maps.
        feature_count: D, the channels of what ``forward_features`` gives.
    """

    scaling: ClassVar[Scaling]
    default_size_px: ClassVar[int] = 224
    minimum_size_px: ClassVar[int]

    def __init__(self, *, output: EncoderOutput, map_count: int) -> None:
        """Create the base of an encoder.

        Args:
            output: ``"maps"``, the last feature maps, or ``"logits"``, the 1000 ImageNet scores.
            map_count: Channels of the last feature maps.
        """
        super().__init__()
        self.output = output
        self.feature_count = IMAGENET_CLASS_COUNT if output == "logits" else map_count

    @property
    def mean(self) -> tuple[float, float, float]:
        """Mean per RGB channel (pixels between 0 and 1) that the published weights expect."""
        return self.scaling.mean

    @property
    def std(self) -> tuple[float, float, float]:
        """Standard deviation per RGB channel that the published weights expect."""
        return self.scaling.std

    @abstractmethod
    def maps(self, frames_BCHW: Tensor) -> Tensor:
        """Give the last feature maps, before any pooling over positions."""

    @abstractmethod
    def logits(self, maps_BDHW: Tensor) -> Tensor:
        """Give the 1000 ImageNet scores, (B, 1000); only where ``output`` is ``"logits"``."""

    @abstractmethod
    def keras_layers(self) -> list[EncoderLayer]:
        """List the layers from input to output as Keras enumerates them, without the input itself.

        Every parameter belongs to exactly one of them.
        """

    def forward_features(self, frames_BCHW: Tensor) -> Tensor:
        """Encode scaled images.

        Args:
            frames_BCHW: Float images, already scaled as ``scaling`` says.

        Returns:
            maps_BDHW with D = ``feature_count``; with ``output="logits"`` H = W = 1.

        Raises:
            UserError: The images are smaller than ``minimum_size_px``.
        """
        height, width = frames_BCHW.shape[-2:]
        if min(height, width) < self.minimum_size_px:
            raise UserError(
                f"frames of {width}x{height} px are too small for {type(self).__name__}; "
                f"it needs at least {self.minimum_size_px} px each way"
            )
        maps_BDHW = self.maps(frames_BCHW)
        return self.logits(maps_BDHW)[:, :, None, None] if self.output == "logits" else maps_BDHW

    def forward(self, frames_BCHW: Tensor) -> Tensor:
        """Do the same as ``forward_features``."""
        return self.forward_features(frames_BCHW)


def initialise(encoder: FrameEncoder) -> None:
    """Draw first weights for ReLU networks (He et al., 2015), for training without pretrained ones.

    Fan-in rather than fan-out, because it is also right for depthwise convolutions.
    """
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
