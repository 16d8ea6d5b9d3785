"""The frames of a video on a clock, for formats that count frames. Whoever knows pixels makes it.

Legend: N frames of the video.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class VideoTimes:
    """When each frame of a video is shown.

    Attributes:
        seconds_N: Time of each frame since the first one, rising; at least one.
        end_seconds: When the last frame is no longer shown.
        width_px: Width of the picture.
        height_px: Height of the picture.
    """

    seconds_N: npt.NDArray[np.float64]
    end_seconds: float
    width_px: int
    height_px: int

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return len(self.seconds_N)

    @property
    def frames_per_second(self) -> float:
        """The mean rate."""
        return self.frame_count / self.end_seconds

    def seconds_of(self, frame: int) -> float:
        """The time of a frame; that behind the last one is the end, and those behind it go on at the mean rate."""
        if frame < self.frame_count:
            return float(self.seconds_N[frame])
        return self.end_seconds + (frame - self.frame_count) / self.frames_per_second

    def frame_at(self, seconds: float) -> int:
        """The first frame at or after a time; the number of frames where there is none."""
        return int(np.searchsorted(self.seconds_N, seconds))


TimesOf = Callable[[Path], VideoTimes]
"""Looks into a video."""
