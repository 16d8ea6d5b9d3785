"""Exact frames from a video file.

Frame i is the i-th frame that decoding from the start of the file returns, in the order of presentation,
whatever the header says about counts and times. There are two ways to get there, and they return the same
pixels:

- in order: decode from the first frame on. This is the definition, and it works for every file.
- by index (`packets`, `index_reading`): list the packets without decoding, jump to the restart point before
  each frame, decode from there what the frame needs. Only for files whose every packet is seen to be one
  frame, and checked on the way; at the first surprise the file is read in order after all.

On damaged files the frames up to the first packet that the decoder refuses are kept, and their count is the
count. By index, damage can stay unseen in a stretch that was jumped over (see `packets`);
``strategy="sequential"`` and `full_decoding` see all of it.

Times are seconds since the first frame of the file, whatever its timestamps start with.

Legend: T frames, H height, W width, C channels (RGB).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from muybridge.errors import VideoError
from muybridge.video.clip_times import Seconds
from muybridge.video.container import open_video
from muybridge.video.fit_names import Fit
from muybridge.video.index.avi_index import index_avi
from muybridge.video.index.index_reading import frames_by_index, jump_cost_frames
from muybridge.video.index.packets import PacketOrderError, PacketReader, index_packets
from muybridge.video.picture import Image, ImageMaker
from muybridge.video.probing import declared_frames
from muybridge.video.reading import TimeRange, frames_in_order
from muybridge.video.sampler import ClipTooShortError, Indices, Sampler

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

    def choose(seconds_N: Seconds) -> list[Indices]:
        if wanted[-1] >= len(seconds_N):
            raise PacketOrderError  # before telling the user, count by decoding
        return [wanted]

    found = None
    if strategy != "sequential":
        found = _read_by_index(path, choose, ImageMaker(size_px, fit), time_range, strategy, else_in_order=False)
    if found is None:
        frames_THWC = _read_in_order(path, wanted, ImageMaker(size_px, fit), time_range)
    else:
        frames_THWC = found.frames_THWC
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

    def choose(seconds_N: Seconds) -> list[Indices]:
        try:
            return sampler.views(len(seconds_N), count=views, seconds_N=seconds_N)
        except ClipTooShortError as error:
            raise VideoError(path, str(error), "it is too short for these settings") from error

    found = None
    if strategy != "sequential":
        found = _read_by_index(path, choose, ImageMaker(size_px, fit), time_range, strategy, else_in_order=True)
    if found is None:
        with open_video(path) as (container, stream):
            found = _count_and_sample(path, container, stream, None, choose, ImageMaker(size_px, fit), time_range)
    return found


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
    images = ImageMaker(size_px, fit)
    with open_video(path) as (container, stream):
        for index, seconds, frame in frames_in_order(path, container, stream, time_range):
            yield Frame(index=index, timestamp_seconds=seconds, image_HWC=images.image(frame))


def _read_in_order(path: Path, wanted: Indices, maker: ImageMaker, time_range: TimeRange) -> npt.NDArray[np.uint8]:
    """Decode from the start up to the last of the rising indices ``wanted``."""
    images: list[Image] = []
    with open_video(path) as (container, stream):
        for index, _, frame in frames_in_order(path, container, stream, time_range):
            if index == wanted[len(images)]:
                images.append(maker.image(frame))
                if len(images) == len(wanted):
                    return _stack(path, images)
    raise VideoError(path, f"no frame {wanted[-1]}", f"{index + 1} frames decode, indices count from 0")


def _count_and_sample(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    packets: "Iterable[av.Packet[VideoStream]] | None",
    choose: Choose,
    maker: ImageMaker,
    time_range: TimeRange,
) -> SampledFrames:
    """Decode the whole range to count its frames; the chosen ones are then taken from memory if all fit."""
    times: list[float] = []
    held: list[av.VideoFrame] | None = []
    for _, time, frame in frames_in_order(path, container, stream, time_range, packets):
        times.append(time)
        if held is not None:
            held.append(frame)
            if len(held) * frame.width * frame.height * 3 > _HOLD_BYTES:
                held = None
    seconds_N = np.array(times)
    views = choose(seconds_N)
    wanted = np.unique(np.concatenate(views))
    if held is None:
        frames_THWC = _read_in_order(path, wanted, maker, time_range)
    else:
        frames_THWC = _stack(path, [maker.image(held[i]) for i in wanted])
    return _sampled(frames_THWC, wanted, views, seconds_N, declared_frames(stream))


def _read_by_index(
    path: Path,
    choose: Choose,
    maker: ImageMaker,
    time_range: TimeRange,
    strategy: Literal["auto", "seek"],
    *,
    else_in_order: bool,
) -> SampledFrames | None:
    """Read what `choose` picks by the packet index.

    A file without one is read in order from the packets read so far, if asked; else None: start afresh.
    """
    with open_video(path) as (container, stream):
        reader = PacketReader(container, stream)
        index = index_avi(path, container, stream) or index_packets(container, stream, reader)
        if index is None:
            if not (else_in_order and reader.keeps_all):
                return None
            return _count_and_sample(path, container, stream, reader.from_first(), choose, maker, time_range)
        all_seconds = index.seconds(stream)
        first = int(np.searchsorted(all_seconds, time_range.start_seconds))
        last = int(np.searchsorted(all_seconds, time_range.end_seconds))
        if first == last:
            raise time_range.nothing_inside(path, float(all_seconds[-1]))
        least_jump = jump_cost_frames(index) if strategy == "auto" else 1
        try:
            views = choose(all_seconds[first:last])
            wanted = np.unique(np.concatenate(views))
            frames = frames_by_index(container, stream, index, (wanted + first).tolist(), least_jump=least_jump)
            images = [maker.image(frame) for frame in frames]
        except PacketOrderError:
            return None
        seconds = all_seconds[first:last]
        return _sampled(_stack(path, images), wanted, views, seconds, declared_frames(stream))


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
