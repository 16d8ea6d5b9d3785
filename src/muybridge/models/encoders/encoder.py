"""What every encoder is: images or clips in, feature maps out, layers that can be frozen by name.

Three details carry weight. The layers of image networks are listed in the order and the granularity of Keras,
parameterless ones included, because the paper's "last 15 layers trainable" counts them that way. A frozen batch
norm or dropout is frozen wholly: the flag lives in the layer, so no later ``train()`` of a parent can wake it up.
And an encoder is a row of stages, so that what comes before the first one that learns can be computed once and kept.

Axes: B images or clips, T frames, S steps in time of a clip's maps, C channels, H height, W width, D features.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple, Self

from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.models.encoders.batch_norms import SharedBatchNorm
from muybridge.models.encoders.scaling import Scaling
from muybridge.recipes.model import EncoderOutput

IMAGENET_CLASS_COUNT = 1000
KINETICS_CLASS_COUNT = 400


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


class FreezableBatchNorm2d(Freezable, SharedBatchNorm, nn.BatchNorm2d):
    """Batch norm that, while frozen, uses its stored statistics and never updates them, as Keras's does."""


class FreezableBatchNorm3d(Freezable, SharedBatchNorm, nn.BatchNorm3d):
    """The same over clips."""


class FreezableDropout(Freezable, nn.Dropout):
    """Dropout that, while frozen, drops nothing, so that frozen features are the same every time."""


class Settling(nn.Module):
    """A layer with a second form, quicker on a CPU, for networks in which nothing learns any more.

    Both forms give the same within rounding. Exported graphs keep the first, which no size of the frames changes.
    """

    settled: bool = False

    def settle(self) -> None:
        """Take the second form; batch norms are folded."""
        self.settled = True


class Stage(nn.Module):
    """A part of an encoder that can be run by itself.

    Args:
        run: What it computes.
        modules: The modules that it uses.
    """

    def __init__(self, run: Callable[[Tensor], Tensor], *modules: nn.Module) -> None:
        super().__init__()
        self._run = run
        self.used = nn.ModuleList(modules)

    def forward(self, maps: Tensor) -> Tensor:
        """Return what the next stage takes."""
        return self._run(maps)


class Encoder(nn.Module, ABC):
    """A network for images or clips without its last step.

    Attributes:
        scaling: How the published weights expect their pixels.
        default_size_px: Height and width those weights were trained at.
        minimum_size_px: Smaller frames leave no maps.
        most_frames: Beside other encoders it sees at most so many frames of a clip, evenly spread; None: all of them.
        classifier_name: What the keys of the published classifier begin with.
        true_in_bf16: Whether its features stay the same in bfloat16: averaged over a clip, on real clips, with
            published weights and batch norms folded, a cosine of at least 0.9999 with those of float32.
        output: ``"maps"``, or ``"logits"``, the published classifier's scores.
        feature_count: D, the channels of its maps.
    """

    scaling: Scaling
    default_size_px: int = 224
    minimum_size_px: int
    most_frames: ClassVar[int | None] = None
    classifier_name: ClassVar[str] = "classifier"
    true_in_bf16: ClassVar[bool] = False
    output: EncoderOutput
    feature_count: int

    @property
    def unused_keys(self) -> tuple[str, ...]:
        """What keys of the published weights begin with that ``output`` does not need."""
        return (f"{self.classifier_name}.",) if self.output == "maps" else ()

    @property
    def largest_size_px(self) -> int:
        """Beside other encoders it sees pictures of at most so many pixels each way; larger ones are scaled down."""
        return self.default_size_px

    @property
    def mean(self) -> tuple[float, float, float]:
        """Mean per RGB channel (pixels between 0 and 1) that the published weights expect."""
        return self.scaling.mean

    @property
    def std(self) -> tuple[float, float, float]:
        """Standard deviation per RGB channel that the published weights expect."""
        return self.scaling.std

    @abstractmethod
    def layers(self) -> list[EncoderLayer]:
        """List the layers from input to output, without the input itself, image networks' as Keras enumerates them.

        Every parameter belongs to exactly one of them.
        """

    @abstractmethod
    def stages(self) -> list[nn.Module]:
        """List the parts that, applied one after the other to scaled input, return what ``forward`` returns."""

    def check_input(self, *, size_px: int, frame_count: int | None) -> None:
        """Refuse what a recipe would send, before a frame is decoded.

        Args:
            size_px: Height and width of the frames.
            frame_count: Frames of a clip; None where each clip has its own number.

        Raises:
            UserError: The encoder cannot take such clips, or was made for other ones.
        """
        self._require_size(size_px, size_px)

    def _require_size(self, height: int, width: int) -> None:
        if min(height, width) < self.minimum_size_px:
            raise UserError(
                f"frames of {width}x{height} px are too small for {type(self).__name__}; "
                f"it needs at least {self.minimum_size_px} px each way"
            )


class FrameEncoder(Encoder):
    """An image network without its last step, applied to every frame alike."""

    most_frames = 8  # frames next to each other are nearly the same picture

    def __init__(self, *, output: EncoderOutput, map_count: int) -> None:
        """Create the base of an encoder.

        Args:
            output: ``"maps"``, the last feature maps, or ``"logits"``, the 1000 ImageNet scores.
            map_count: Channels of the last feature maps.
        """
        super().__init__()
        self.output = output
        self.feature_count = IMAGENET_CLASS_COUNT if output == "logits" else map_count

    @abstractmethod
    def maps(self, frames_BCHW: Tensor) -> Tensor:
        """Return the last feature maps, before any pooling over positions."""

    @abstractmethod
    def map_stages(self) -> list[nn.Module]:
        """The stages of ``maps``."""

    @abstractmethod
    def logits(self, maps_BDHW: Tensor) -> Tensor:
        """Return the 1000 ImageNet scores, (B, 1000); only where ``output`` is ``"logits"``."""

    def stages(self) -> list[nn.Module]:
        """List the stages of the maps and, where the output is scores, the classifier."""
        if self.output == "maps":
            return self.map_stages()
        return [*self.map_stages(), Stage(self._logit_maps, self.get_submodule(self.classifier_name))]

    def forward(self, frames_BCHW: Tensor) -> Tensor:
        """Encode scaled images.

        Args:
            frames_BCHW: Float images, already scaled as ``scaling`` says.

        Returns:
            maps_BDHW with D = ``feature_count``; with ``output="logits"`` H = W = 1.

        Raises:
            UserError: The images are smaller than ``minimum_size_px``.
        """
        self._require_size(*frames_BCHW.shape[-2:])
        maps_BDHW = self.maps(frames_BCHW)
        return self._logit_maps(maps_BDHW) if self.output == "logits" else maps_BDHW

    def _logit_maps(self, maps_BDHW: Tensor) -> Tensor:
        return self.logits(maps_BDHW)[:, :, None, None]


class VideoEncoder(Encoder):
    """A network that sees several frames at once: clips in, maps at fewer steps in time out.

    Attributes:
        minimum_frames: Shorter clips leave no maps; their last frame is repeated.
    """

    minimum_frames: int = 1

    def __init__(self, *, output: EncoderOutput, map_count: int, class_count: int) -> None:
        """Create the base of an encoder.

        Args:
            output: ``"maps"``, the last feature maps, or ``"logits"``, the class scores of every step.
            map_count: Channels of the last feature maps.
            class_count: Classes of the published classifier.
        """
        super().__init__()
        self.output = output
        self.feature_count = class_count if output == "logits" else map_count

    @abstractmethod
    def step_count(self, frame_count: int) -> int:
        """S, the steps in time of the maps of a clip of so many frames."""

    @abstractmethod
    def map_stages(self) -> list[nn.Module]:
        """The stages up to the last feature maps."""

    @abstractmethod
    def classifier_stage(self) -> nn.Module:
        """The stage from maps_BDSHW to scores, (B, K, S, 1, 1); only where ``output`` is ``"logits"``."""

    def stages(self) -> list[nn.Module]:
        """List the stages of the maps and, where the output is scores, the classifier."""
        return self.map_stages() if self.output == "maps" else [*self.map_stages(), self.classifier_stage()]

    def forward(self, clip_BCTHW: Tensor) -> Tensor:
        """Encode scaled clips.

        Args:
            clip_BCTHW: Float RGB clips, already scaled as ``scaling`` says.

        Returns:
            maps_BDSHW with D = ``feature_count`` and S = ``step_count(T)``; with ``output="logits"`` H = W = 1.

        Raises:
            UserError: The frames are smaller than ``minimum_size_px``.
        """
        self._require_size(*clip_BCTHW.shape[-2:])
        maps = clip_BCTHW
        for stage in self.stages():
            maps = stage(maps)
        return maps


class OwnParameters(nn.Module):
    """The parameters that a module holds besides its children, such as a class token."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        for name, parameter in module.named_parameters(recurse=False):
            self.register_parameter(name, parameter)


def initialise(encoder: Encoder) -> None:
    """Draw first weights for ReLU networks (He et al., 2015), for training without pretrained ones.

    Fan-in rather than fan-out, because it is also right for depthwise convolutions.
    """
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def leaf_layers(name: str, part: nn.Module) -> list[EncoderLayer]:
    """List the modules of a part that hold no others, in the order of registration, ReLUs as parameterless."""
    return [
        EncoderLayer(f"{name}.{path}", None if isinstance(module, nn.ReLU) else module)
        for path, module in part.named_modules()
        if next(module.children(), None) is None
    ]
