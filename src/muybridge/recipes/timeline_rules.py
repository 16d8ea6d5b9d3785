"""How a long video is looked at, and how its scores become segments, as plain values."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from muybridge.errors import UserError

Way = Literal["path", "tracks"]

LIKELIEST_RATE = 5.0
"""Frames a second where the recipe has no rate: what MoViNet was made for."""


@dataclass(frozen=True)
class WindowConfig:
    """Windows over a long video."""

    frames_per_second: float = 0.0
    """Frames looked at in a second, by their times. 0: the recipe's own rate; where it spreads its frames over a clip
    (sampler uniform) and so has none, 5."""

    window_seconds: float = 2.0
    """How much of the video one score is of. Encoders that see clips only, such as I3D, see windows that overlap by
    half; where their recipe has a rate, windows have as many frames as its clips."""

    hop_seconds: float = 0.2
    """Time between two scores, rounded to frames; half a window for encoders that see clips only."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UserError: For a value that makes no sense.
        """
        if not 0 <= self.frames_per_second <= 1000:
            raise UserError(f"frames_per_second is {self.frames_per_second:g}; give up to 1000, or 0 for the recipe's")
        if not 0 < self.window_seconds <= 600:
            raise UserError(f"window_seconds is {self.window_seconds:g}; give more than 0, up to 600")
        if not 0 < self.hop_seconds <= 600:
            raise UserError(f"hop_seconds is {self.hop_seconds:g}; give more than 0, up to 600")


@dataclass(frozen=True)
class SegmentRules:
    """From scores to segments. The defaults were chosen on long videos made of training clips."""

    way: Way = "path"
    """path: one class at a time, or none of these: the likeliest course of the video, where each change costs
    `change_cost`. tracks: each class by itself, above two thresholds (`on`, `off`), so that segments of different
    classes may overlap."""

    change_cost: float = 6.0
    """path: what a change must gain, in natural logarithms of probability, summed over scores, 5 a second (where there
    are fewer, each counts for more). More means fewer, longer segments."""

    none_of_these: float = -1.0
    """How familiar a moment must look: this is added to the model's own threshold for none of these (its highest
    score). Lower lets more through."""

    use_none_of_these: bool = True
    """Whether moments can be none of these. A model without a threshold of its own takes `off` as the probability that
    a class must have."""

    smoothing_seconds: float = 1.0
    """tracks: probabilities are averaged over so much time, centred. 0: as they are."""

    on: float = 0.8
    """tracks: a segment must reach this probability of its class somewhere."""

    off: float = 0.6
    """tracks: it lasts while the probability stays at or above this one; at most `on`."""

    gap_seconds: float = 0.6
    """Gaps in a class's segments up to this long are filled."""

    least_seconds: float = 1.0
    """Shorter segments are dropped, after gaps are filled."""

    lag_seconds: float = 0.2
    """Borders are set earlier by this; an encoder that sees past frames only notices a change late."""

    overlap_sigma: float = 0.3
    """tracks: the score of a segment that overlaps a better one of another class is lowered the more they overlap
    (soft non-maximum suppression, exp(-IoU^2 / sigma)); what falls below `off` is dropped."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UserError: For a value that makes no sense, alone or with another.
        """
        if self.way not in get_args(Way):
            raise UserError(f"rules.way is {self.way!r}; give path or tracks")
        for name in ("smoothing_seconds", "gap_seconds", "least_seconds"):
            if not 0 <= getattr(self, name) <= 3600:
                raise UserError(f"rules.{name} is {getattr(self, name):g}; give seconds from 0 to 3600")
        if not 0 <= self.change_cost <= 1e6:
            raise UserError(f"rules.change_cost is {self.change_cost:g}; give 0 or more, such as 6")
        if not 0 < self.off <= self.on <= 1:
            raise UserError(f"rules.on is {self.on:g} and rules.off {self.off:g}; give 0 < off <= on <= 1")
        if not -1e6 <= self.none_of_these <= 1e6:
            raise UserError(f"rules.none_of_these is {self.none_of_these:g}; give a difference of scores, such as -1")
        if not -60 <= self.lag_seconds <= 60:
            raise UserError(f"rules.lag_seconds is {self.lag_seconds:g}; give seconds from -60 to 60")
        if not 0 < self.overlap_sigma <= 1000:
            raise UserError(f"rules.overlap_sigma is {self.overlap_sigma:g}; give more than 0, such as 0.3")

    def change_cost_of_steps(self, step_seconds: float) -> float:
        """What a change must gain, summed over scores that are so far apart."""
        return self.change_cost * WindowConfig.hop_seconds / step_seconds

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)
