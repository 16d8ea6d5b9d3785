"""A recipe: one complete experiment as a plain value, the same in YAML, in flags and in Python.

Notable: YAML keys and command line flags go through one and the same parser (cyclopts), so both know the same
names, check the same types and give the same did-you-mean. The field docstrings are the help texts.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from muybridge.dataset.protocols import Protocol
from muybridge.errors import UserError
from muybridge.models.config import ModelConfig
from muybridge.pipeline.config import AugmentConfig, CacheConfig
from muybridge.training.config import TrainingConfig

if TYPE_CHECKING:
    from muybridge.video.sampling import Sampler


@dataclass(frozen=True)
class DataConfig:
    """Which clips, and how they are divided."""

    protocol: Annotated[Protocol, Parameter(alias="--protocol")] = "auto"
    """How clips are divided. grouped: whole source groups; official-N: the data set's lists; random: by file, as
    in the report (leaks); given: the CSV's split column; auto: given if there is such a column, else grouped."""

    classes: tuple[str, ...] = ()
    """Only these classes. Empty: all."""

    class_count: Annotated[int, Parameter(alias="--class-count")] = 0
    """Only this many classes, in alphabetical order (the report: 4, 9, 16, 25, 51). 0: all."""

    test_groups: tuple[str, ...] = ()
    """grouped only: exactly these source groups are the test part (g08 means g08 of every class)."""

    test_share: float = 0.2
    """grouped only: share of the clips in the test part."""

    validation_share: float = 0.2
    """Share of the other clips that chooses the best epoch (random: always the report's 33 %)."""

    lists: str = ""
    """Folder of the official lists. Empty: looked for beside the clips."""

    split_seed: int = 0
    """Seed of the division."""


@dataclass(frozen=True)
class SamplerConfig:
    """Which frames of a clip the model sees."""

    kind: Literal["uniform", "every", "dense", "sliding"] = "uniform"
    """uniform: spread over the clip; every: each n-th; dense: consecutive; sliding: windows over the clip."""

    frames: Annotated[int, Parameter(alias="--frames")] = 8
    """Frames of a clip (every: at most so many; 0 is no limit)."""

    rule: Literal["even", "report"] = "even"
    """uniform only. even: centres of equal segments; report: the exact rule of the report's generator."""

    every: int = 6
    """every only: keep each n-th frame."""

    stride: int = 1
    """dense and sliding: step between the frames of a window."""

    hop: int = 8
    """sliding only: step between windows, in frames."""

    short: Literal["repeat_last", "wrap", "shorter", "error"] = "repeat_last"
    """When a clip has too few frames: repeat its last, start again, give fewer (they are masked), or stop."""

    jitter: int = 3
    """Temporal jitter: training draws each frame (uniform), or the whole window or start (dense, sliding, every),
    among this many places spread over the clip; odd. 1 is off. Validation and prediction take the middle one."""

    windows: Literal["one", "all"] = "one"
    """sliding only. one: a clip is one example, a window of it; all: every window is an example of its own, and a
    prediction combines all windows of a clip."""

    combine: Literal["mean", "vote"] = "mean"
    """How the scores of several windows or views of a clip become one: mean of probabilities, or majority vote."""

    @property
    def training_views(self) -> int | None:
        """Views of a clip that training uses; None: all windows."""
        return None if self.windows == "all" else self.jitter

    @property
    def most_frames(self) -> int | None:
        """Frames of the longest view; None where the clip decides."""
        return None if self.kind == "every" and self.frames == 0 else self.frames

    def build(self) -> "Sampler":
        """Make the sampler.

        Raises:
            UserError: If a value makes no sense.
        """
        # Here, because numpy alone would double the time that --help takes.
        from muybridge.video.sampling import DenseSampler, EverySampler, SlidingSampler, UniformSampler

        if self.jitter < 1 or self.jitter % 2 == 0:
            raise UserError(f"sampler.jitter is {self.jitter}; give an odd number, 1 for none")
        if self.windows == "all" and (self.kind != "sliding" or self.jitter > 1):
            raise UserError("sampler.windows all is for sampler.kind sliding with sampler.jitter 1")
        if self.kind == "uniform":
            if self.rule == "report" and self.jitter > 1:
                raise UserError("sampler.rule report knows one view only; set sampler.jitter to 1")
            return UniformSampler(frames=self.frames, rule=self.rule, policy=self.short)
        if self.kind == "every":
            return EverySampler(every=self.every, max_frames=self.frames or None, policy=self.short)
        if self.kind == "dense":
            return DenseSampler(frames=self.frames, stride=self.stride, policy=self.short)
        return SlidingSampler(frames=self.frames, stride=self.stride, hop=self.hop, policy=self.short)


@dataclass(frozen=True)
class Recipe:
    """A named, complete experiment."""

    name: str = "default"
    """Name of the experiment; runs are numbered under it."""

    size_px: Annotated[int, Parameter(alias="--size-px")] = 192
    """Side of the square frames that the network sees."""

    data: Annotated[DataConfig, Parameter(group="Data")] = field(default_factory=DataConfig)
    sampler: Annotated[SamplerConfig, Parameter(group="Frames")] = field(default_factory=SamplerConfig)
    augment: Annotated[AugmentConfig, Parameter(group="Augmentation")] = field(default_factory=AugmentConfig)
    model: Annotated[ModelConfig, Parameter(group="Model")] = field(default_factory=ModelConfig)
    training: Annotated[TrainingConfig, Parameter(group="Training")] = field(default_factory=TrainingConfig)
    cache: Annotated[CacheConfig, Parameter(group="Cache")] = field(default_factory=CacheConfig)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as nested plain values, complete and re-runnable."""
        values: dict[str, Any] = _plain(dataclasses.asdict(self))
        return values


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
