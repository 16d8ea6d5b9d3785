"""Exact frames from a video file.

Frame i is the i-th frame that decoding from the start of the file returns, in the order of presentation,
whatever the header says about counts and times. There are two ways to get there, and they return the same
pixels:

- in order: decode from the first frame on. It works for every file.
- by index (`packets`, `index_reading`): list the packets without decoding, jump to the restart point before
  each frame, decode from there what the frame needs. Only for files whose every packet is seen to be one
  frame, and checked on the way.

So that damage does not make them differ, the frames of a file with an index are defined from one restart point
to the next, whichever way they are read (`restart_reading`). Of a damaged file without an index the frames up to
the first packet that the decoder refuses are kept, and their count is the count.

Times are seconds since the first frame of the file, whatever its timestamps start with.

Legend: T frames, H height, W width, C channels (RGB).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt

from muybridge.errors import VideoError
from muybridge.video.clip_times import Seconds
from muybridge.video.fit_names import Fit
from muybridge.video.index.index_reading import jump_cost_frames
from muybridge.video.isolation import current
from muybridge.video.picture import Image, ImageMaker
from muybridge.video.probing import declared_frames
from muybridge.video.reading import TimeRange
from muybridge.video.sampler import ClipTooShortError, Indices, Sampler
from muybridge.video.whole_reading import OpenedFile

Strategy = Literal["auto", "seek", "sequential"]

Choose = Callable[[Seconds], list[Indices]]
"""From the times of the frames that there are to the indices of each view."""

# Decoded frames are held up to this size while a file's count is not yet known; beyond, it is decoded twice.
_HOLD_BYTES = 128 * 2**20


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One frame of `iterate_frames`."""

    index: int  # counted within the asked time range
    timestamp_seconds: float  # since the first frame of the file
    image_HWC: Image


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledFrames:
    """The frames that the views of a sampler need, each once.

    View v is ``frames_THWC[views[v]]``; its frame indices are ``indices[views[v]]``. The T distinct frames
    are sorted by index.
    """

    frames_THWC: npt.NDArray[np.uint8]
    indices: Indices  # (T,) frame index of each, counted within the asked time range
    timestamps_seconds: npt.NDArray[np.float64]  # (T,) time of each, since the first frame of the file
    views: list[Indices]  # positions in frames_THWC
    frame_count: int  # frames within the asked time range
    declared_frames: int | None  # what the header says about the whole file


def read_indices(
    path: str | Path,
    indices: Sequence[int] | Indices,
    *,
    size_px: int | None = None,
    fit: Fit = "squash",
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    strategy: Strategy = "auto",
) -> npt.NDArray[np.uint8]:
    """Read the frames with the given indices.

    Args:
        path: a video file.
        indices: frame indices from 0 on, in any order, repeats allowed. Within a time range they count from
            its first frame: of frames at 0.0, 0.1, 0.2 ... s, index 1 with ``start_seconds=0.2`` is the one
            at 0.3 s.
        size_px: side of the square that each picture becomes; None keeps the native size.
        fit: how it becomes one, see `picture.to_square`.
        start_seconds: only frames at or after this time since the first frame of the file.
        end_seconds: only frames before this time.
        strategy: ``"auto"`` jumps where the spacing of the file's restart points makes that pay; ``"seek"``
            jumps wherever the file allows; ``"sequential"`` decodes all frames in order. The result is the same.

    Returns:
        ``frames_THWC``, uint8 RGB, one per index, in the order of ``indices``.

    Raises:
        VideoError: the file is no readable video, has no frame with such an index (the message says how many
            there are), or has none in the time range.
        ValueError: ``indices`` is empty.
    """
    path = Path(path)
    asked = np.asarray(indices, dtype=np.int64)
    if asked.size == 0:
        raise ValueError("indices is empty")
    time_range = TimeRange.checked(path, start_seconds, end_seconds)
    wanted = np.unique(asked)
    if wanted[0] < 0:
        raise VideoError(path, f"no frame {wanted[0]}", "indices count from 0")
    maker = ImageMaker(size_px, fit, name=path)
    with OpenedFile(path) as file:
        if file.index is None:
            frames_THWC = _picked_in_order(file, wanted, maker, time_range)
        else:
            first, end = file.range_of(time_range)
            if wanted[-1] >= end - first:
                raise _no_such_frame(path, int(wanted[-1]), end - first)
            frames_THWC = _by_index(file, wanted + first, maker, strategy)
    return frames_THWC[np.searchsorted(wanted, asked)]


def read_sampled(
    path: str | Path,
    sampler: Sampler,
    *,
    views: int | None = 1,
    size_px: int | None = None,
    fit: Fit = "squash",
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    strategy: Strategy = "auto",
) -> SampledFrames:
    """Read the frames that a sampler chooses from the true number of frames and their times; each is decoded once.

    Args:
        path: a video file.
        sampler: which frames of a view.
        views: how many views; None means the sampler's own number (all windows of a `SlidingSampler`).
        size_px: side of the square that each picture becomes; None keeps the native size.
        fit: how it becomes one, see `picture.to_square`.
        start_seconds: only frames at or after this time since the first frame of the file.
        end_seconds: only frames before this time.
        strategy: see `read_indices`.

    Raises:
        VideoError: the file is no readable video, has no frame in the time range, or is too short for a
            sampler whose policy is ``"error"``.
    """
    path = Path(path)
    time_range = TimeRange.checked(path, start_seconds, end_seconds)
    isolation = current()
    if isolation is not None:
        asked = {"views": views, "size_px": size_px, "fit": fit, "strategy": strategy}
        within = {"start_seconds": start_seconds, "end_seconds": end_seconds}
        header, arrays = isolation.call(path, "sampled", sampler=sampler, **asked, **within)
        return SampledFrames(
            frames_THWC=arrays[0], indices=arrays[1], timestamps_seconds=arrays[2], views=arrays[3:], **header
        )
    maker = ImageMaker(size_px, fit, name=path)

    def choose(seconds_N: Seconds) -> list[Indices]:
        try:
            return sampler.views(len(seconds_N), count=views, seconds_N=seconds_N)
        except ClipTooShortError as error:
            raise VideoError(path, str(error), "it is too short for these settings") from error

    with OpenedFile(path) as file:
        if file.index is None:
            return _count_and_sample(file, choose, maker, time_range)
        first, end = file.range_of(time_range)
        seconds_N = file.seconds_N[first:end]
        chosen = choose(seconds_N)
        wanted = np.unique(np.concatenate(chosen))
        frames_THWC = _by_index(file, wanted + first, maker, strategy)
        return _sampled(frames_THWC, wanted, chosen, seconds_N, declared_frames(file.stream))


def iterate_frames(
    path: str | Path,
    *,
    size_px: int | None = None,
    fit: Fit = "squash",
    start_seconds: float | None = None,
    end_seconds: float | None = None,
) -> Iterator[Frame]:
    """Yield all frames in order, one at a time, however long the video is.

    Args:
        path: a video file.
        size_px: side of the square that each picture becomes; None keeps the native size.
        fit: how it becomes one, see `picture.to_square`.
        start_seconds: only frames at or after this time since the first frame of the file.
        end_seconds: only frames before this time.

    Raises:
        VideoError: at the first step, if the file is no readable video or has no frame in the time range.
    """
    path = Path(path)
    time_range = TimeRange.checked(path, start_seconds, end_seconds)
    images = ImageMaker(size_px, fit, name=path)
    with OpenedFile(path) as file:
        for index, seconds, frame in file.frames_within(time_range):
            yield Frame(index=index, timestamp_seconds=seconds, image_HWC=images.image(frame))


def _by_index(file: OpenedFile, wanted: Indices, maker: ImageMaker, strategy: Strategy) -> npt.NDArray[np.uint8]:
    """The frames with the rising indices ``wanted``, counted in the whole file, of a file with an index."""
    assert file.index is not None and file.restarts is not None
    if strategy == "sequential":
        taken, images = set(wanted.tolist()), []
        for number, frame in file.restarts.in_order():
            if number in taken:
                images.append(maker.image(frame))
            if number == wanted[-1]:
                break
    else:
        least_jump = jump_cost_frames(file.index) if strategy == "auto" else 1
        images = [maker.image(frame) for frame in file.restarts.chosen(wanted.tolist(), least_jump=least_jump)]
    return _stack(file.path, images)


def _picked_in_order(
    file: OpenedFile, wanted: Indices, maker: ImageMaker, time_range: TimeRange
) -> npt.NDArray[np.uint8]:
    """Decode a file without an index from its start up to the last of the rising indices ``wanted``."""
    images: list[Image] = []
    for index, _, frame in file.frames_within(time_range):
        if index == wanted[len(images)]:
            images.append(maker.image(frame))
            if len(images) == len(wanted):
                return _stack(file.path, images)
    raise _no_such_frame(file.path, int(wanted[-1]), index + 1)


def _no_such_frame(path: Path, wanted: int, count: int) -> VideoError:
    return VideoError(path, f"no frame {wanted}", f"{count} frames decode, indices count from 0")


def _count_and_sample(file: OpenedFile, choose: Choose, maker: ImageMaker, time_range: TimeRange) -> SampledFrames:
    """Decode the whole range to count its frames; the chosen ones are then taken from memory if all fit."""
    times: list[float] = []
    held: list[av.VideoFrame] | None = []
    held_bytes = 0
    for _, time, frame in file.frames_within(time_range):
        times.append(time)
        if held is not None:
            held.append(frame)
            held_bytes += frame.width * frame.height * 3
            if held_bytes > _HOLD_BYTES:
                held = None
    seconds_N = np.array(times)
    views = choose(seconds_N)
    wanted = np.unique(np.concatenate(views))
    if held is None:
        with OpenedFile(file.path) as again:
            frames_THWC = _picked_in_order(again, wanted, maker, time_range)
    else:
        frames_THWC = _stack(file.path, [maker.image(held[i]) for i in wanted])
    return _sampled(frames_THWC, wanted, views, seconds_N, declared_frames(file.stream))


def _sampled(
    frames_THWC: npt.NDArray[np.uint8],
    wanted: Indices,
    views: list[Indices],
    seconds: npt.NDArray[np.float64],
    declared: int | None,
) -> SampledFrames:
    """Put together a result from the frames ``wanted`` and the times of all frames in the range."""
    return SampledFrames(
        frames_THWC=frames_THWC,
        indices=wanted,
        timestamps_seconds=seconds[wanted],
        views=[np.searchsorted(wanted, view) for view in views],
        frame_count=len(seconds),
        declared_frames=declared,
    )


def _stack(path: Path, images: list[Image]) -> npt.NDArray[np.uint8]:
    if len({image.shape for image in images}) > 1:
        raise VideoError(path, "the picture size changes within the file", "give size_px")
    return np.stack(images)
