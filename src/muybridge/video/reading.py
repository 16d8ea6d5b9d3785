"""Decoded frames in order from the first, with their times: what defines frame i."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from muybridge.errors import VideoError
from muybridge.video.container import packets_of, unforeseen
from muybridge.video.limits import Limits
from muybridge.video.probing import nominal_rate

# FFmpeg's own assumption for streams that state no rate.
RATE_IF_UNKNOWN = Fraction(25)
_BEHIND_PER_SECOND = 1_000_000


class Clock:
    """Seconds since the first frame, for the frames of a stream in order; always rising.

    Each frame has the time that the container gives it. Where that is not later than the frame before, it is put a
    microsecond behind that one, which moves no later frame; so a repeated time, or one that jumps back for a moment,
    stays a matter of that frame alone. Where the time falls back by more than a second and stays there, as in joined
    recordings, the clock has been set anew: what follows counts on from one nominal frame after the frame before. A
    time that is missing is one nominal frame after the frame before, too.

    AVI stores no presentation times, and FFmpeg's guesses for it are wrong when B pictures are packed (as
    in all of HMDB-51); its decoding times, one per frame slot, are right.

    Attributes:
        frame_seconds: How long a nominal frame lasts.
        mended: How many frames have another time than the container gives them, because that was not later than the
            time before.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._by_slot = container.format.name == "avi"
        self.frame_seconds = 1 / (nominal_rate(container, stream) or RATE_IF_UNKNOWN)
        self.mended = 0
        time_base = stream.time_base
        # All times are whole multiples of one unit, so that each is exact, and rounded once at the end.
        units = math.lcm(
            self.frame_seconds.denominator, 1 if time_base is None else time_base.denominator, _BEHIND_PER_SECOND
        )
        self._units_per_second = units
        self._frame_units = int(self.frame_seconds * units)
        self._behind_units = units // _BEHIND_PER_SECOND
        self._tick_units = None if time_base is None else int(time_base * units)
        self._origin: int | None = None
        self._last: int | None = None
        self._set_forward = 0  # what is added to the times of a clock that was set anew

    def seconds(self, frame: av.VideoFrame) -> float:
        """The time of the next frame."""
        ticks = frame.dts if self._by_slot else frame.pts
        own = None if ticks is None or self._tick_units is None else ticks * self._tick_units
        expected = 0 if self._last is None else self._last + self._frame_units
        if own is not None and self._origin is None:
            self._origin = own - expected
        if own is None or self._origin is None:
            self._last = expected
        else:
            self._last = self._rising(own - self._origin, expected)
        return self._last / self._units_per_second

    def _rising(self, own: int, expected: int) -> int:
        last = self._last
        if last is None or own > last:
            self._set_forward = 0
            return own
        if last - own <= self._units_per_second:
            self._set_forward = 0
            self.mended += 1
            return last + self._behind_units
        forward = own + self._set_forward
        if self._set_forward and forward > last:
            return forward
        self.mended += 1
        if self._set_forward and last - forward <= self._units_per_second:
            return last + self._behind_units
        self._set_forward = expected - own
        return expected


class OrderedReader:
    """Iterates over all frames from the first, with their times; notes what was wrong on the way.

    ``packets`` are those of the stream from its first on; by default, as they come from the file.

    Decoding ends at the first packet that the decoder refuses once frames have come, as in OpenCV and in
    PyAV's own loop: what follows is predicted from a picture that is missing. Packets refused before the
    first frame are passed over: recordings cut from a broadcast begin in the middle of a group of pictures.

    Attributes:
        clock: computes the times; knows how long a nominal frame lasts, and which times it had to mend.
        stopped_by: FFmpeg's reason, if it ended before the end of the file.
        damaged_frames: frames that the decoder returned and marked as damaged.
    """

    def __init__(
        self,
        path: Path,
        container: InputContainer,
        stream: VideoStream,
        packets: "Iterable[av.Packet[VideoStream]] | None" = None,
    ) -> None:
        self._path = path
        self._context = stream.codec_context
        self._packets = packets_of(path, container, stream) if packets is None else packets
        self._limits = Limits.current()
        self.clock = Clock(container, stream)
        self.stopped_by: str | None = None
        self.damaged_frames = 0

    def __iter__(self) -> Iterator[tuple[float, av.VideoFrame]]:
        count, last_progress = 0, time.monotonic()
        for packet in self._until_the_end():
            try:
                # What the decoder still holds back comes at the end, for None.
                frames = self._context.decode(packet)
            except av.FFmpegError as error:
                self.stopped_by = error.strerror
                if count:
                    return
                frames = []
            except Exception as error:
                raise unforeseen(self._path, error) from error
            if not frames and time.monotonic() - last_progress > self._limits.stall_seconds:
                raise self._limits.stalled(self._path)
            for frame in frames:
                count += 1
                self._limits.check_count(self._path, count)
                self.stopped_by = None
                self.damaged_frames += frame.is_corrupt
                yield self.clock.seconds(frame), frame
            if frames:
                last_progress = time.monotonic()

    def _until_the_end(self) -> "Iterator[av.Packet[VideoStream] | None]":
        try:
            yield from self._packets
        except av.FFmpegError as error:  # the file breaks off between two packets
            broken_off = error.strerror
        else:
            broken_off = None
        yield None
        self.stopped_by = self.stopped_by or broken_off


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
