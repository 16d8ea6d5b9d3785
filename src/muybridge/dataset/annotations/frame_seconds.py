"""Frame numbers as seconds: by the frames that a file really has, or by a rate that an annotator counted with."""

import math
from pathlib import Path

from muybridge.dataset.annotations.video_times import TimesOf
from muybridge.errors import UserError

SAME_FRAME_SECONDS = 1e-3
"""A time of a rate that is so near to a frame's means this frame."""


class FrameSeconds:
    """Makes seconds of frame numbers.

    Args:
        fps: How many frames a second these numbers count; 0: they count the frames of the file.
        times_of: Looks into a video.
    """

    def __init__(self, fps: float, times_of: TimesOf | None) -> None:
        self._fps, self._times_of = fps, times_of

    def of(self, frame: float, video: Path, where: str) -> float:
        """The seconds of a frame of a video.

        Raises:
            UserError: If the numbers count the frames of a file that nobody looks into.
        """
        if self._times_of is None:
            if not self._fps:
                raise UserError(f"{where}: times are frames; say with data.annotation_fps how many are a second")
            # A little early, so that the frame at this time is not missed for an error of rounding.
            return math.floor(frame / self._fps * 1e6) / 1e6
        times = self._times_of(video)
        if not self._fps:
            return times.seconds_of(int(frame))
        seconds = frame / self._fps
        nearest = times.frame_at(max(0.0, seconds - SAME_FRAME_SECONDS))
        shown = times.seconds_of(nearest)
        return shown if abs(shown - seconds) <= SAME_FRAME_SECONDS else seconds
