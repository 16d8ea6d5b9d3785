"""Which frames of a clip a model sees, as plain values."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from muybridge.errors import UserError
from muybridge.video.sampler_values import Policy, SamplerKind, UniformRule, check_sampler_values

if TYPE_CHECKING:
    from muybridge.video.sampler import Sampler

MOST_JITTER = 99


@dataclass(frozen=True)
class SamplerConfig:
    """Which frames of a clip the model sees."""

    kind: SamplerKind = "uniform"
    """uniform: spread over the clip; every: each n-th; dense: consecutive; sliding: windows over the clip."""

    frames: Annotated[int, Parameter(alias="--frames")] = 8
    """Frames that the network sees of a clip. every: at most so many; 0 is no limit."""

    rule: UniformRule = "even"
    """uniform only. even: centres of equal segments; paper: the exact rule of the paper's generator, one view."""

    frames_per_second: float = 0.0
    """dense, sliding and every: frames by time, so many a second whatever rate the clip has; a frame is the one shown
    at its time. In place of every and stride. 0: frames are counted as they are."""

    every: int = 6
    """every only: keep each n-th frame."""

    stride: int = 1
    """dense and sliding: step between the frames of a window."""

    hop: int = 8
    """sliding only: step between windows, in frames; with frames_per_second in steps of a window."""

    policy: Policy = "repeat_last"
    """When a clip has too few frames: repeat its last, start again, use fewer (the rest is masked), or stop."""

    jitter: int = 3
    """Temporal jitter: training draws each frame (uniform), or the whole window or start (dense, sliding, every),
    among this many places spread over the clip; odd. 1 is off. Validation and prediction take the middle one."""

    windows: Literal["one", "all"] = "one"
    """sliding only. one: a clip is one example, a window of it; all: every window is an example of its own, and a
    prediction combines all windows of a clip."""

    combine: Literal["mean", "vote"] = "mean"
    """How the scores of several windows or views of a clip become one: mean of probabilities, or majority vote."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UserError: For a value that makes no sense, alone or with another.
        """
        check_sampler_values(asdict(self))
        if not 1 <= self.jitter <= MOST_JITTER or self.jitter % 2 == 0:
            raise UserError(f"sampler.jitter is {self.jitter}; give an odd number up to {MOST_JITTER}, 1 for none")
        if self.windows == "all" and (self.kind != "sliding" or self.jitter > 1):
            raise UserError("sampler.windows all is for sampler.kind sliding with sampler.jitter 1")
        if self.kind == "uniform" and self.rule == "paper" and self.jitter > 1:
            raise UserError("sampler.rule paper knows one view only; set sampler.jitter to 1")

    @property
    def training_views(self) -> int | None:
        """Views of a clip that training uses; None: all windows."""
        return None if self.windows == "all" else self.jitter

    @property
    def most_frames(self) -> int | None:
        """Frames of the longest view; None where the clip decides."""
        return None if self.kind == "every" and self.frames == 0 else self.frames

    def build(self) -> "Sampler":
        """Make the sampler."""
        # Here, because numpy alone would double the time that --help takes.
        from muybridge.video.sampling import DenseSampler, EverySampler, SlidingSampler, UniformSampler

        if self.kind == "uniform":
            return UniformSampler(frames=self.frames, rule=self.rule, policy=self.policy)
        if self.kind == "every":
            return EverySampler(
                every=self.every, frames=self.frames, frames_per_second=self.frames_per_second, policy=self.policy
            )
        if self.kind == "dense":
            return DenseSampler(
                frames=self.frames, frames_per_second=self.frames_per_second, stride=self.stride, policy=self.policy
            )
        return SlidingSampler(
            frames=self.frames,
            frames_per_second=self.frames_per_second,
            stride=self.stride,
            hop=self.hop,
            policy=self.policy,
        )
