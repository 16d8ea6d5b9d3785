"""Video that is already decoded: an array of frames in place of a file.

Frames are chosen by the same samplers and made squares by the same function as those of a file, so an array that holds
all frames of a file at their full size is the same video.

Legend: T frames, H height, W width, C channels (RGB).
"""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from muybridge.errors import UserError, VideoError
from muybridge.video.fit_names import Fit
from muybridge.video.picture import to_square
from muybridge.video.reading import TimeRange
from muybridge.video.sampler import ClipTooShortError, Sampler


@dataclass(frozen=True, eq=False)
class FrameArray:
    """The frames of one video.

    Attributes:
        frames_THWC: uint8 RGB, T, H and W at least 1.
        frames_per_second: The rate at which they follow each other; frame i is at i / rate seconds. None: unknown.
        name: How messages call it.
    """

    frames_THWC: npt.NDArray[np.uint8]
    frames_per_second: float | None = None
    name: str = "frames"

    @classmethod
    def checked(cls, frames: npt.NDArray[Any], *, frames_per_second: float | None = None, name: str) -> "FrameArray":
        """Frames that a user passed.

        Raises:
            UserError: For another shape or type than (T, H, W, 3) uint8, an empty array, or a rate that is none.
        """
        _check_frames(frames, name)
        rate = frames_per_second
        if rate is not None and not (isinstance(rate, Real) and 0 < rate < math.inf):
            raise UserError(f"frames_per_second is {rate!r}; it must be a number above 0, for example 25")
        return cls(frames, frames_per_second, name)

    def views(
        self,
        sampler: Sampler,
        *,
        views: int | None = 1,
        size_px: int | None = None,
        fit: Fit = "squash",
        start_seconds: float | None = None,
        end_seconds: float | None = None,
    ) -> list[npt.NDArray[np.uint8]]:
        """The frames of each view of a sampler; arguments as in ``read_sampled``.

        Raises:
            VideoError: There is no frame in the time range, or too few for a sampler whose policy is ``"error"``.
            UserError: A time range or a sampler by time is asked for, but the rate of the frames is unknown.
        """
        if sampler.by_time and self.frames_per_second is None:
            raise UserError(
                f"{self.name}: the sampler takes frames by time (sampler.frames_per_second) and needs to know the rate "
                "of these; set frames_per_second"
            )
        frames_THWC = self._between(start_seconds, end_seconds)
        try:
            seconds_N = np.arange(len(frames_THWC)) / (self.frames_per_second or 1)
            chosen = sampler.views(len(frames_THWC), count=views, seconds_N=seconds_N)
        except ClipTooShortError as error:
            raise VideoError(self.name, str(error), "it is too short for these settings") from error
        distinct = np.unique(np.concatenate(chosen))
        taken = frames_THWC[distinct]
        if size_px is not None:
            taken = np.stack([to_square(np.ascontiguousarray(frame), size_px, fit) for frame in taken])
        return [taken[np.searchsorted(distinct, view)] for view in chosen]

    def _between(self, start_seconds: float | None, end_seconds: float | None) -> npt.NDArray[np.uint8]:
        if start_seconds is None and end_seconds is None:
            return self.frames_THWC
        if self.frames_per_second is None:
            raise UserError(f"{self.name}: a time range needs to know the rate of the frames; set frames_per_second")
        asked = TimeRange.checked(self.name, start_seconds, end_seconds)
        seconds = np.arange(len(self.frames_THWC)) / self.frames_per_second
        inside = (seconds >= asked.start_seconds) & (seconds < asked.end_seconds)
        if not inside.any():
            raise asked.nothing_inside(self.name, float(seconds[-1]))
        return self.frames_THWC[inside]


def _check_frames(frames: npt.NDArray[Any], name: str) -> None:
    shape = " x ".join(map(str, frames.shape)) or "a single number"
    expected = "give (frames, height, width, 3)"
    if frames.ndim == 3 and frames.shape[-1] == 3:
        raise UserError(f"{name}: the shape {shape} is one picture; stack the frames of a clip: numpy.stack(pictures)")
    if frames.ndim == 4 and frames.shape[1] == 3 and frames.shape[-1] != 3:
        raise UserError(
            f"{name}: the shape {shape} has its colours first; {expected}, with a transpose to (0, 2, 3, 1)"
        )
    if frames.ndim == 5:
        raise UserError(f"{name}: the shape {shape} holds several clips; pass them as a list, each of 4 dimensions")
    if frames.ndim != 4 or frames.shape[-1] != 3:
        raise UserError(f"{name}: the shape is {shape}; {expected}, RGB")
    if frames.size == 0:
        raise UserError(f"{name}: the shape {shape} holds no pixel; give at least one frame")
    if np.issubdtype(frames.dtype, np.floating):
        raise UserError(
            f"{name}: the values are {frames.dtype}; give uint8 from 0 to 255 (of values from 0 to 1: "
            "(frames * 255).round().astype('uint8'))"
        )
    if frames.dtype != np.uint8:
        raise UserError(f"{name}: the values are {frames.dtype}; give uint8 from 0 to 255")
