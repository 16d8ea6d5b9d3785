"""What a sampler is: views of a clip as frame indices, by count or by time, and a form that JSON can hold.

A clip can be too short for what a sampler wants. What happens then is its ``policy``, never an accident:

- ``"repeat_last"``: the last frame that was taken is repeated up to the full length;
- ``"wrap"``: the frames that were taken start again from the first (then, and only then, a view jumps back);
- ``"shorter"``: the view has fewer frames; later it is padded and masked;
- ``"error"``: `ClipTooShortError`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from muybridge.errors import UserError
from muybridge.video.clip_times import ClipTimes, Seconds
from muybridge.video.sampler_values import Policy, SamplerKind, check_sampler_values

Indices = npt.NDArray[np.int64]


class ClipTooShortError(UserError):
    """A clip has fewer frames than a sampler with ``policy="error"`` wants."""


@dataclass(frozen=True, kw_only=True)
class Sampler(ABC):
    """What all samplers share: views of a clip as frame indices, and a form that JSON can hold."""

    kind: ClassVar[SamplerKind]
    policy: Policy = "repeat_last"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UserError: For a value that makes no sense.
        """
        check_sampler_values(self.to_dict())

    @property
    def by_time(self) -> bool:
        """Whether the times of a clip's frames must be known to choose among them."""
        return False

    def views(self, frame_count: int, *, count: int | None = None, seconds_N: Seconds | None = None) -> list[Indices]:
        """Choose the frames of one or more views.

        Args:
            frame_count: how many frames the clip has, at least 1.
            count: how many views, at least 1; None means one view (`SlidingSampler`: all windows).
            seconds_N: the time of each frame, rising; only a sampler with ``frames_per_second`` needs it.

        Returns:
            A list of views: int64 indices in ``range(frame_count)``, rising with time unless
            ``policy="wrap"`` filled a short clip.

        Raises:
            ClipTooShortError: the clip is too short and the policy is ``"error"``.
            UserError: this sampler cannot make ``count`` views.
        """
        if frame_count < 1:
            raise ValueError(f"frame_count must be at least 1, got {frame_count}")
        if count is not None and count < 1:
            raise UserError(f"views.times is {count}; give 1 or more")
        if not self.by_time:
            return self._views(frame_count, count)
        if seconds_N is None or len(seconds_N) != frame_count:
            raise ValueError(f"sampler.kind {self.kind} chooses by time: seconds_N must have {frame_count} times")
        return self._views_by_time(ClipTimes(seconds_N), count)

    @abstractmethod
    def _views(self, frame_count: int, count: int | None) -> list[Indices]: ...

    def _views_by_time(self, times: ClipTimes, count: int | None) -> list[Indices]:
        raise NotImplementedError(f"sampler.kind {self.kind} only counts")

    def to_dict(self) -> dict[str, Any]:
        """Return ``kind`` and all fields, as plain values; `sampler_from_dict` turns them back."""
        return {"kind": self.kind, **asdict(self)}

    def _fill(self, taken: Iterable[int], frames: int, frame_count: int) -> Indices:
        """Bring the indices ``taken`` from a clip of ``frame_count`` frames to ``frames`` by policy."""
        indices = np.fromiter(taken, dtype=np.int64)
        missing = frames - len(indices)
        if missing <= 0 or self.policy == "shorter":
            return indices
        if self.policy == "error":
            raise ClipTooShortError(
                f"the clip has {frame_count} frames, which makes {len(indices)} of the {frames} that sampler.kind "
                f"{self.kind} wants; choose another sampler.policy than error, or fewer sampler.frames"
            )
        if self.policy == "wrap":
            return np.resize(indices, frames)
        return np.pad(indices, (0, missing), mode="edge")


@dataclass(frozen=True, kw_only=True)
class TimedSampler(Sampler):
    """A sampler whose steps are frames of the clip or, with ``frames_per_second`` above 0, parts of a second."""

    frames: int = 0
    frames_per_second: float = 0.0

    @property
    def by_time(self) -> bool:
        """Whether the times of a clip's frames must be known to choose among them."""
        return self.frames_per_second > 0

    def to_dict(self) -> dict[str, Any]:
        """As of every sampler; where frames are counted it is what was written before there was a rate."""
        values = super().to_dict()
        if not self.by_time:
            del values["frames_per_second"]
        return values

    def _views_by_time(self, times: ClipTimes, count: int | None) -> list[Indices]:
        return [self._from(start, times) for start in self._start_seconds(times, count)]

    @abstractmethod
    def _start_seconds(self, times: ClipTimes, count: int | None) -> list[float]:
        """Where each view starts, in seconds since the first frame."""

    def _from(self, start_seconds: float, times: ClipTimes) -> Indices:
        """The frames shown from a start on, that many a second, as long as the clip lasts."""
        steps = times.steps(start_seconds, self.frames_per_second)
        steps = min(steps, self.frames) if self.frames else steps
        taken = times.shown_at(start_seconds + np.arange(steps) / self.frames_per_second)
        return self._fill(taken.tolist(), self.frames, len(times.seconds_N))
