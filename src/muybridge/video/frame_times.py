"""When each frame of a file is shown: from its index without decoding it, or by decoding where it has none.

Legend: N frames of the file.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muybridge.video.clip_times import Seconds
from muybridge.video.isolation import current
from muybridge.video.picture import displayed_size
from muybridge.video.probing import nominal_rate
from muybridge.video.reading import RATE_IF_UNKNOWN
from muybridge.video.whole_reading import OpenedFile


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameTimes:
    """The frames of a file on a clock."""

    seconds_N: Seconds  # since the first frame
    end_seconds: float  # one nominal frame after the last
    width_px: int  # of the first frame, as displayed
    height_px: int


def read_frame_times(path: str | Path) -> FrameTimes:
    """Find the time of every frame of a file.

    Raises:
        VideoError: the file is no readable video, or no frame of it decodes.
    """
    path = Path(path)
    isolation = current()
    if isolation is not None:
        header, [seconds_N] = isolation.call(path, "times")
        return FrameTimes(seconds_N=seconds_N, **header)
    with OpenedFile(path) as file:
        frames = file.frames()
        first = next(frames, None)
        if first is None:
            raise file.nothing_decodes()
        width_px, height_px = displayed_size(first[1])
        if file.index is not None:
            seconds_N = file.seconds_N
        else:
            seconds_N = np.array([first[0], *(seconds for seconds, _ in frames)])
        rate = nominal_rate(file.container, file.stream)
        end_seconds = float(seconds_N[-1]) + float(1 / (rate or RATE_IF_UNKNOWN))
        return FrameTimes(seconds_N=seconds_N, end_seconds=end_seconds, width_px=width_px, height_px=height_px)
