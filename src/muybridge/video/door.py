"""Exact decoding by itself, for whoever needs frames and no model.

    >>> from muybridge import UniformSampler, read_frames
    >>> clip = read_frames("dive.avi", UniformSampler(frames=4))   # a file of 12 frames at 25 per second
    >>> clip.indices_T, clip.frame_count                           # the centres of 0-2, 3-5, 6-8, 9-11
    (array([ 1,  4,  7, 10]), 12)
    >>> clip.times_T                                               # seconds since the first frame
    array([0.04, 0.16, 0.28, 0.4 ])
    >>> clip.frames_THWC.shape
    (4, 240, 320, 3)

Frame i is the i-th frame that decoding from the start returns, whatever the file's header says. Reading jumps where
that is faster; the pixels are the same.

Legend: T frames, H height, W width, C channels (RGB).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt

from muybridge.errors import UserError
from muybridge.text import did_you_mean
from muybridge.video.decoding import SampledFrames, Strategy, read_sampled
from muybridge.video.fit_names import Fit, check_fit
from muybridge.video.sampler import Indices, Sampler


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoFrames:
    """The frames that one view of a sampler takes from a video, in the order of the view.

    Attributes:
        frames_THWC: The pictures, uint8 RGB. A frame that the view repeats is there as often.
        indices_T: The index of each, from 0, within the time range that was asked for.
        times_T: The time of each in seconds since the first frame of the file.
        frame_count: How many frames the time range has, by decoding; without a range, the file.
    """

    frames_THWC: npt.NDArray[np.uint8]
    indices_T: Indices
    times_T: npt.NDArray[np.float64]
    frame_count: int

    def __len__(self) -> int:
        return len(self.frames_THWC)


def read_frames(
    video: str | Path,
    sampler: Sampler,
    *,
    size_px: int | None = None,
    fit: Fit = "squash",
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    strategy: Strategy = "auto",
) -> VideoFrames:
    """Read the frames of a video that a sampler chooses, exactly.

    ``UniformSampler(frames=4)`` takes frames 1, 4, 7 and 10 of a video of 12; ``EverySampler(every=6)`` takes 0 and 6;
    ``DenseSampler(frames=4)`` takes 4, 5, 6 and 7; ``SlidingSampler(frames=4)`` has three windows, of which this reads
    the middle one, 4 to 7, and ``read_views`` all. ``DenseSampler(frames=4, frames_per_second=5)`` takes what is shown
    at four moments a fifth of a second apart, whatever rate the file has.

    Args:
        video: A video file.
        sampler: Which frames.
        size_px: Side of the square that each picture becomes; default: the size it has.
        fit: How it becomes one. ``"squash"``: the whole picture, whatever its aspect; ``"crop"``: the square in its
            middle, as high or as wide as its short side.
        start_seconds: Only frames at or after this time since the first frame of the file.
        end_seconds: Only frames before this time.
        strategy: ``"auto"`` jumps where that is faster, ``"seek"`` wherever the file allows it, ``"sequential"``
            decodes every frame up to the last one wanted, which also sees damage between them. The pixels are the same.

    Raises:
        VideoError: The file is no readable video, has no frame in the time range, or is too short for a sampler
            whose policy is ``"error"``.
        UserError: An argument makes no sense.
    """
    [view] = read_views(
        video,
        sampler,
        count=1,
        size_px=size_px,
        fit=fit,
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        strategy=strategy,
    )
    return view


def read_views(
    video: str | Path,
    sampler: Sampler,
    *,
    count: int | None = None,
    size_px: int | None = None,
    fit: Fit = "squash",
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    strategy: Strategy = "auto",
) -> list[VideoFrames]:
    """Read several views of a video, or all windows of a `SlidingSampler`; each frame is decoded once.

    Args:
        video: A video file.
        sampler: Which frames of a view.
        count: How many views; default: all windows of a `SlidingSampler`, one view of another sampler.
        size_px: As in ``read_frames``.
        fit: As in ``read_frames``.
        start_seconds: As in ``read_frames``.
        end_seconds: As in ``read_frames``.
        strategy: As in ``read_frames``.

    Raises:
        VideoError: As in ``read_frames``.
        UserError: An argument makes no sense.
    """
    if not isinstance(sampler, Sampler):
        raise UserError(f"the sampler is {sampler!r}; give one such as UniformSampler(frames=8)")
    if size_px is not None and (not isinstance(size_px, int) or size_px < 1):
        raise UserError(f"size_px is {size_px!r}; give a whole number of pixels from 1 on")
    check_fit(fit)
    if strategy not in get_args(Strategy):
        raise UserError(f"strategy is {strategy!r}{did_you_mean(str(strategy), get_args(Strategy))}")
    sampled = read_sampled(
        video,
        sampler,
        views=count,
        size_px=size_px,
        fit=fit,
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        strategy=strategy,
    )
    return [_view(sampled, positions) for positions in sampled.views]


def _view(sampled: SampledFrames, positions: Indices) -> VideoFrames:
    return VideoFrames(
        frames_THWC=sampled.frames_THWC[positions],
        indices_T=sampled.indices[positions],
        times_T=sampled.timestamps_seconds[positions],
        frame_count=sampled.frame_count,
    )
