"""A clip as pictures on a clock: which one is shown at a time, and for how long the clip lasts.

Notable: what is chosen by time must not depend on how often a camera wrote its pictures. So a picture counts as shown
until the next one comes, and the last one for as long as the others on average; the same clip with each picture twice,
half as far apart, is then the same at every time.

Axes: N frames of the clip, T of them in the order in which they are wanted.
"""

import math

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.float64]

# Files round times, MKV to a millisecond: a picture that comes so little late is there on time.
TOLERANCE_SECONDS = 1e-3


class ClipTimes:
    """The times of a clip's frames.

    Args:
        seconds_N: Time of each frame, rising, from any origin; at least one.

    Attributes:
        seconds_N: The same since the first frame.
        length_seconds: From the first frame until the last one is no longer shown; 0 for a single frame.
    """

    def __init__(self, seconds_N: Seconds) -> None:
        self.seconds_N = seconds_N - seconds_N[0]
        self.frame_seconds = float(self.seconds_N[-1]) / max(1, len(seconds_N) - 1)
        self.length_seconds = float(self.seconds_N[-1]) + self.frame_seconds

    def shown_at(self, seconds_T: Seconds) -> npt.NDArray[np.int64]:
        """The frame that is shown at each time: the last one that has come by then."""
        last_T = np.searchsorted(self.seconds_N, seconds_T + TOLERANCE_SECONDS, side="right") - 1
        return np.asarray(last_T.clip(min=0), dtype=np.int64)

    def steps(self, start_seconds: float, rate: float) -> int:
        """How many steps of ``1 / rate`` seconds from a start on lie inside the clip; at least the start itself."""
        return steps_within(self.length_seconds - start_seconds, rate)


def steps_within(length_seconds: float, rate: float) -> int:
    """How many steps of ``1 / rate`` seconds, the first at 0, lie inside a length; at least the first itself."""
    return max(1, math.ceil((length_seconds - TOLERANCE_SECONDS) * rate))
