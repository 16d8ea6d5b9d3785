"""Decoded frames in order from the first, with their times: what defines frame i."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from muybridge.errors import VideoError
from muybridge.video.probing import nominal_rate, nothing_decodes

# FFmpeg's own assumption for streams that state no rate.
_RATE_IF_UNKNOWN = Fraction(25)


class Clock:
    """Seconds since the first frame, for the frames of a stream in order; always rising.

    AVI stores no presentation times, and FFmpeg's guesses for it are wrong when B pictures are packed (as
    in all of HMDB-51); its decoding times, one per frame slot, are right. A time that is missing, or not
    later than the one before, is replaced by one nominal frame later.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._by_slot = container.format.name == "avi"
        self.frame_seconds = 1 / (nominal_rate(stream) or _RATE_IF_UNKNOWN)
        time_base = stream.time_base
        # All times are whole multiples of one unit, so that each is exact, and rounded once at the end.
        units = math.lcm(self.frame_seconds.denominator, 1 if time_base is None else time_base.denominator)
        self._units_per_second = units
        self._frame_units = int(self.frame_seconds * units)
        self._tick_units = None if time_base is None else int(time_base * units)
        self._origin: int | None = None
        self._last: int | None = None

    def seconds(self, frame: av.VideoFrame) -> float:
        """The time of the next frame."""
        expected = 0 if self._last is None else self._last + self._frame_units
        ticks = frame.dts if self._by_slot else frame.pts
        time = expected
        if ticks is not None and self._tick_units is not None:
            absolute = ticks * self._tick_units
            if self._origin is None:
                self._origin = absolute - expected
            if self._last is None or absolute - self._origin > self._last:
                time = absolute - self._origin
        self._last = time
        return time / self._units_per_second


class OrderedReader:
    """Iterates over all frames from the first, with their times; notes what was wrong on the way.

    ``packets`` are those of the stream from its first on; by default, as they come from the file.

    Decoding ends at the first packet that the decoder refuses once frames have come, as in OpenCV and in
    PyAV's own loop: what follows is predicted from a picture that is missing. Packets refused before the
    first frame are passed over: recordings cut from a broadcast begin in the middle of a group of pictures.

    Attributes:
        clock: computes the times; knows how long a nominal frame lasts.
        stopped_by: FFmpeg's reason, if it ended before the end of the file.
        damaged_frames: frames that the decoder returned and marked as damaged.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, packets: "Iterable[av.Packet[VideoStream]] | None" = None
    ) -> None:
        # The last packet that PyAV returns is empty, and makes the decoder return what it still holds back.
        self._packets = container.demux(stream) if packets is None else packets
        self.clock = Clock(container, stream)
        self.stopped_by: str | None = None
        self.damaged_frames = 0

    def __iter__(self) -> Iterator[tuple[float, av.VideoFrame]]:
        started = False
        try:
            for packet in self._packets:
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
    def checked(cls, path: str | Path, start_seconds: float | None, end_seconds: float | None) -> "TimeRange":
        """The range from what a caller passed; None leaves that side open."""
        start = 0.0 if start_seconds is None else float(start_seconds)
        end = math.inf if end_seconds is None else float(end_seconds)
        if not 0 <= start < end:
            reason = f"bad time range: from {start:g} to {end:g} s"
            raise VideoError(path, reason, "the start must not be negative and must lie before the end")
        return cls(start, end)

    def nothing_inside(self, path: str | Path, last_seconds: float) -> VideoError:
        """The error for a video with no frame in this range."""
        reason = f"bad time range: no frame from {self.start_seconds:g} to {self.end_seconds:g} s"
        return VideoError(path, reason, f"the last frame is at {last_seconds:.3f} s")


def frames_in_order(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    time_range: TimeRange,
    packets: "Iterable[av.Packet[VideoStream]] | None" = None,
) -> Iterator[tuple[int, float, av.VideoFrame]]:
    """Decode from the start; yield the index within the range, the seconds since frame 0, the frame.

    ``packets`` are those of the stream from its first on, where some of them have been read already.
    """
    reader = OrderedReader(container, stream, packets)
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
