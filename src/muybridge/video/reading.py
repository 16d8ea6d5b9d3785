"""Two ways to get decoded frames: in order from the first, and by the packet index with jumps.

The first defines what frame i is; the second is the fast one and checks each frame it meets against the
index, so that it either gives the same frames or says that it cannot.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from muybridge.video.errors import VideoError
from muybridge.video.packets import PacketIndex, PacketOrderError
from muybridge.video.probing import nominal_rate, nothing_decodes

# FFmpeg's own assumption for streams that tell no rate.
_RATE_IF_UNKNOWN = Fraction(25)


class Clock:
    """Seconds since the first frame, for the frames of a stream in order; always rising.

    AVI stores no presentation times, and FFmpeg's guesses for it are wrong when B pictures are packed (as
    in all of HMDB-51); its decoding times, one per frame slot, are right. A time that is missing, or not
    later than the one before, is replaced by one nominal frame later.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._by_slot = container.format.name == "avi"
        self._time_base = stream.time_base
        self._origin: Fraction | None = None
        self._last: Fraction | None = None
        self.frame_seconds = 1 / (nominal_rate(stream) or _RATE_IF_UNKNOWN)

    def seconds(self, frame: av.VideoFrame) -> float:
        """The time of the next frame."""
        expected = Fraction(0) if self._last is None else self._last + self.frame_seconds
        ticks = frame.dts if self._by_slot else frame.pts
        time = expected
        if ticks is not None and self._time_base is not None:
            absolute = ticks * self._time_base
            if self._origin is None:
                self._origin = absolute - expected
            if self._last is None or absolute - self._origin > self._last:
                time = absolute - self._origin
        self._last = time
        return float(time)


class OrderedReader:
    """Iterates over all frames from the first, with their times; notes what was wrong on the way.

    Decoding ends at the first packet that the decoder refuses once frames have come, as in OpenCV and in
    PyAV's own loop: what follows is predicted from a picture that is missing. Packets refused before the
    first frame are passed over: recordings cut from a broadcast begin in the middle of a group of pictures.

    Attributes:
        clock: gives the times; knows how long a nominal frame lasts.
        stopped_by: FFmpeg's reason, if it ended before the end of the file.
        damaged_frames: frames that the decoder gave and marked as damaged.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        self.clock = Clock(container, stream)
        self.stopped_by: str | None = None
        self.damaged_frames = 0

    def __iter__(self) -> Iterator[tuple[float, av.VideoFrame]]:
        started = False
        try:
            # The last packet that PyAV gives is empty, and makes the decoder give what it still holds back.
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError as error:
                    self.stopped_by = error.strerror
                    if started:
                        return
                    continue
                for frame in frames:
                    started = True
                    self.stopped_by = None
                    self.damaged_frames += frame.is_corrupt
                    yield self.clock.seconds(frame), frame
        except av.FFmpegError as error:  # the file breaks off between two packets
            self.stopped_by = error.strerror


@dataclass(frozen=True)
class TimeRange:
    """Times since the first frame of the file, from ``start_seconds`` up to before ``end_seconds``."""

    start_seconds: float
    end_seconds: float

    @classmethod
    def checked(cls, path: Path, start_seconds: float | None, end_seconds: float | None) -> "TimeRange":
        """The range from what a caller gave; None leaves that side open."""
        start = 0.0 if start_seconds is None else float(start_seconds)
        end = math.inf if end_seconds is None else float(end_seconds)
        if not 0 <= start < end:
            reason = f"bad time range: from {start:g} to {end:g} s"
            raise VideoError(path, reason, "the start must not be negative and must lie before the end")
        return cls(start, end)

    def nothing_inside(self, path: Path, last_seconds: float) -> VideoError:
        """The error for a video with no frame in this range."""
        reason = f"bad time range: no frame from {self.start_seconds:g} to {self.end_seconds:g} s"
        return VideoError(path, reason, f"the last frame is at {last_seconds:.3f} s")


def frames_in_order(
    path: Path, container: InputContainer, stream: VideoStream, time_range: TimeRange
) -> Iterator[tuple[int, float, av.VideoFrame]]:
    """Decode from the start; yield the index within the range, the seconds since frame 0, the frame."""
    reader = OrderedReader(container, stream)
    index, seconds = 0, None
    for seconds, frame in reader:
        if seconds >= time_range.end_seconds:
            break
        if seconds >= time_range.start_seconds:
            yield index, seconds, frame
            index += 1
    if seconds is None:
        raise nothing_decodes(path, reader.stopped_by or "it holds no picture")
    if index == 0:
        raise time_range.nothing_inside(path, seconds)


def frames_by_index(
    container: InputContainer,
    stream: VideoStream,
    index: PacketIndex,
    wanted: Sequence[int],
    *,
    least_jump: int,
) -> Iterator[av.VideoFrame]:
    """Yield the frames with the rising indices ``wanted``, jumping over stretches that hold none of them.

    Args:
        container: the open file; its reading position does not matter.
        stream: its video stream.
        index: from `index_packets` on the same file.
        wanted: rising frame indices.
        least_jump: a jump must save decoding this many frames.

    Raises:
        PacketOrderError: the decoder gave another frame than the index promises, or marked it as damaged.
    """
    frames: Iterator[av.VideoFrame] = iter(())
    upcoming = None  # index of the frame the decoder will give next
    for target in wanted:
        restart = int(index.restarts[bisect_right(index.restarts, target) - 1])
        if upcoming is None or restart - upcoming >= least_jump:
            frames = _frames_from(container, stream, index, restart)
            upcoming = restart
        while upcoming < target:
            _expected(next(frames, None), index, upcoming)
            upcoming += 1
        yield _expected(next(frames, None), index, target)
        upcoming = target + 1


def _expected(frame: av.VideoFrame | None, index: PacketIndex, position: int) -> av.VideoFrame:
    if frame is None or frame.is_corrupt or frame.pts != index.shown_pts[position]:
        raise PacketOrderError
    return frame


def _frames_from(
    container: InputContainer, stream: VideoStream, index: PacketIndex, position: int
) -> Iterator[av.VideoFrame]:
    """Decode from the packet at ``position`` on, checking that the packets are those of the index."""
    try:
        container.seek(int(min(index.pts[position], index.dts[position])), stream=stream, backward=True)
        started = False
        for packet in container.demux(stream):
            started = started or packet.pts == index.pts[position]
            if not started:
                continue
            if packet.size > 0:
                if position == len(index.pts):
                    raise PacketOrderError
                if packet.pts != index.pts[position] or packet.size != index.sizes_bytes[position]:
                    raise PacketOrderError
                position += 1
            yield from packet.decode()
    except av.FFmpegError as error:
        raise PacketOrderError from error
