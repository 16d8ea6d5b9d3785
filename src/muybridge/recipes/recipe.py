"""A recipe: one complete experiment as a plain value, the same in YAML, in flags and in Python.

Notable: YAML keys and command line flags go through one and the same parser (cyclopts), so both know the same
names, check the same types and suggest the same corrections. The field docstrings are the help texts.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any

from cyclopts import Parameter

from muybridge.recipes.augment import AugmentConfig
from muybridge.recipes.cache import CacheConfig
from muybridge.recipes.data import DataConfig
from muybridge.recipes.frames import SamplerConfig
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.training import TrainingConfig
from muybridge.video.fit_names import Fit, check_fit
from muybridge.video.sampler_values import check_clip_pixels


@dataclass(frozen=True)
class Recipe:
    """A named, complete experiment."""

    name: Annotated[str, Parameter(name="--recipe-name")] = "custom"
    """Name of the experiment; the names of its runs begin with it."""

    size_px: Annotated[int, Parameter(group="Frames")] = 192
    """Side of the square frames that the network sees, in pixels."""

    fit: Annotated[Fit, Parameter(group="Frames")] = "squash"
    """How a picture becomes such a square. squash: the whole picture, whatever its aspect; crop: its aspect is kept,
    and the square in its middle taken, as high or as wide as its short side."""

    data: Annotated[DataConfig, Parameter(group="Data")] = field(default_factory=DataConfig)
    sampler: Annotated[SamplerConfig, Parameter(group="Frames")] = field(default_factory=SamplerConfig)
    augment: Annotated[AugmentConfig, Parameter(group="Augmentation")] = field(default_factory=AugmentConfig)
    model: Annotated[ModelConfig, Parameter(group="Model")] = field(default_factory=ModelConfig)
    training: Annotated[TrainingConfig, Parameter(group="Training")] = field(default_factory=TrainingConfig)
    cache: Annotated[CacheConfig, Parameter(group="Cache")] = field(default_factory=CacheConfig)

    def __post_init__(self) -> None:
        """Check what no section checks.

        Raises:
            UserError: For a fit that is none, or frames that are too large together.
        """
        check_fit(self.fit)
        check_clip_pixels(self.sampler.frames, self.size_px)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as nested plain values, complete and re-runnable."""
        values: dict[str, Any] = _plain(dataclasses.asdict(self))
        if len(self.model.encoders) > 1:
            values["model"]["encoder"] = list(self.model.encoders)
        return values


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
