"""Reading a stream in a thread: the newest frame waits to be looked at, and takes the place of one that was not.

What a slow model or decoder leaves out is counted. A connection that breaks, stalls or ends is made again.
"""

import threading
import time
from collections.abc import Callable
from typing import Literal

import av
from av.video.stream import VideoStream

from muybridge.errors import UserError
from muybridge.text import one_line
from muybridge.video.live.live_clock import LiveClock
from muybridge.video.live.live_sources import LiveSource
from muybridge.video.live.opening_streams import OpenStream, open_stream_of
from muybridge.video.live.pacing import LATE_SECONDS, Lateness, Pacer
from muybridge.video.live.stream_parts import PacketTap, StreamPacket, TakenFrame

Pace = Literal["live", "all"]

STALL_SECONDS = 4.0
"""Without a packet for so long, a stream is joined again."""

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.25, 2.0
_CAUGHT_UP_SECONDS = 0.2
_FIRST_BURST_SECONDS = 1.0
_LONGEST_CATCHING_UP_SECONDS = 3.0
_MOST_DAMAGED = 250
# A pipe cannot be waited for by FFmpeg: reading it blocks.
_REST_SECONDS = 2.0


class LiveReader:
    """Reads a stream; used in a ``with`` statement.

    Args:
        source: What is read.
        is_due: Whether a frame of this time is to be looked at.
        number_of: Which of the looks it would be.
        say: Called with a line for what a user should know.
        pace: ``live``: as it plays, the newest frame first. ``all``: each frame that is due is waited for; for files
            and pipes.
        stall_seconds: Without a packet for so long, it is joined again.

    Attributes:
        tap: Who gets the packets; set before ``start``.
        frames: How many were decoded.
        dropped: How many that were due were not looked at, because newer ones had come.
        undecoded: How many packets were left out to catch up.
        joined_again: How often a connection was made anew.

    Raises:
        UserError: On entering: it does not open, or not in this pace.
    """

    def __init__(
        self,
        source: LiveSource,
        *,
        is_due: Callable[[float], bool],
        number_of: Callable[[float], int],
        say: Callable[[str], None],
        pace: Pace = "live",
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self.source = source
        self.tap: PacketTap | None = None
        self.frames = 0
        self.dropped = 0
        self.undecoded = 0
        self.joined_again = 0
        self.size_px: tuple[int, int] | None = None
        self.frames_per_second: float | None = None
        self._is_due = is_due
        self._number_of = number_of
        self._say = say
        self._pace = pace
        self._stall_seconds = stall_seconds
        self._clock = LiveClock()
        self._lateness = Lateness()
        self._behind_since: float | None = None
        self._joined = False
        self._joined_at = 0.0
        self._last_taken_seconds: float | None = None
        self._pacer: Pacer | None = None
        self._opened: OpenStream
        self._stopped = threading.Event()
        self._released = threading.Event()
        self._slot: TakenFrame | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._error: Exception | None = None
        self._damaged = 0
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)

    def __enter__(self) -> "LiveReader":
        self._opened = open_stream_of(self.source, stall_seconds=self._stall_seconds)
        rate = self._opened.stream.average_rate
        self.frames_per_second = float(rate) if rate else None
        if self._pace == "all" and not (self._opened.is_recording or self.source.kind == "pipe"):
            self._opened.close()
            raise UserError(f"{self.source.name} does not wait: pace all is for files and pipes; choose pace live")
        return self

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._released.set()
        if self._thread.ident is None:
            self._opened.close()
        else:
            # What waits for a pipe or a network ends with the process.
            self._thread.join(timeout=_REST_SECONDS)

    def stop(self) -> None:
        """Read no further."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    def take(self, timeout_seconds: float) -> TakenFrame | None:
        """The newest frame that is due, once there is one; None where none comes in time, or any more.

        Raises:
            Exception: What ended the reading, where that was no end of the stream.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._slot is not None or self._ended, timeout_seconds)
            taken, self._slot = self._slot, None
            if taken is not None:
                self._last_taken_seconds = taken.seconds
            self._changed.notify_all()
        if taken is None and self._error is not None:
            raise self._error
        return taken

    @property
    def is_over(self) -> bool:
        """Whether the stream has ended, and all that waited was taken."""
        return self._ended and self._slot is None

    def _run(self) -> None:
        try:
            self._read_on()
        except Exception as error:  # is raised where frames are taken
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            # What lasts is ended by whoever takes frames, before its packets are gone.
            self._released.wait()
            self._leave(broken=False)

    def _read_on(self) -> None:
        while True:
            reason = self._read_connection()
            if self._stopped.is_set() or self.source.kind in ("file", "pipe") or self._opened.is_recording:
                return
            self._leave(broken=True)
            lost_at = time.monotonic()
            self._say(f"{self.source.name}: {reason}; joining it again")
            if not self._join_again():
                return
            self.joined_again += 1
            self._say(f"{self.source.name}: joined again after {time.monotonic() - lost_at:.1f} s")

    def _join_again(self) -> bool:
        """Open the stream anew, however long that takes; whether it did before it was stopped."""
        wait, last = _FIRST_WAIT_SECONDS, ""
        while not self._stopped.wait(wait):
            try:
                self._opened = open_stream_of(self.source, stall_seconds=self._stall_seconds)
                return True
            except UserError as error:
                if str(error) != last:
                    last = str(error)
                    self._say(f"{last}; trying on")
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
        return False

    def _read_connection(self) -> str:
        """Read until the connection ends, and say why."""
        opened = self._opened
        paced = self._pace == "live" and (opened.is_recording or opened.in_bursts or self.source.kind == "pipe")
        self._pacer = None
        if paced and not opened.by_arrival:
            self._pacer = Pacer(self._stopped, rebases=not opened.is_recording)
        self._clock.join(by_arrival=opened.by_arrival, gaps_are_true=opened.is_recording)
        self._lateness.clear()
        self._behind_since = None
        self._damaged = 0
        self._joined_at = time.monotonic()
        self._joined = True
        if self.tap is not None:
            self.tap.joined(opened.stream)
        return self._read_packets(opened)

    def _leave(self, *, broken: bool) -> None:
        """Close the connection, if there is one; who keeps packets lets it go first."""
        if self._joined:
            self._joined = False
            if self.tap is not None:
                self.tap.lost(broken=broken)
            self._opened.close()

    def _read_packets(self, opened: OpenStream) -> str:
        stream = opened.stream
        demuxed = opened.container.demux(stream)
        while not self._stopped.is_set():
            try:
                packet = next(demuxed)
            except (StopIteration, IndexError, av.error.EOFError):
                self._decode(None, stream, time.monotonic())
                return "the stream ended"
            except av.error.ExitError:
                return "nothing came for a while"
            except (av.FFmpegError, OSError) as error:
                return f"the connection broke ({one_line(getattr(error, 'strerror', None) or type(error).__name__)})"
            if packet.stream_index != stream.index or (not packet.size and packet.pts is None):
                continue
            arrived = time.monotonic()
            seconds = self._clock.packet(packet.pts, packet.dts, packet.time_base, arrived)
            if self.tap is not None:
                key, base = packet.is_keyframe, packet.time_base
                self.tap.packet(StreamPacket(bytes(packet), packet.pts, packet.dts, base, key, seconds))
            if self._is_left_out(packet, seconds, arrived):
                self.undecoded += 1
            elif (trouble := self._decode(packet, stream, arrived)) is not None:
                return trouble
        return "stopped"

    def _is_left_out(self, packet: "av.Packet[VideoStream]", seconds: float, arrived: float) -> bool:
        """Whether a packet is not decoded, so that a stream that decodes too slowly catches up."""
        late = self._lateness.of(seconds, arrived)
        if self._pace == "all" or self._opened.by_arrival or self._opened.in_bursts or self.source.kind == "pipe":
            return False
        if self._behind_since is None:
            if late <= LATE_SECONDS:
                return False
            self._say(f"{self.source.name}: {late:.1f} s behind; frames are left out to catch up")
            self._behind_since = arrived
        if late > _CAUGHT_UP_SECONDS and arrived - self._behind_since > _LONGEST_CATCHING_UP_SECONDS:
            self._lateness.clear()  # the stream is late itself, and stays so
            late = 0.0
        if late > _CAUGHT_UP_SECONDS or not packet.is_keyframe:
            return True
        self._behind_since = None
        return False

    def _decode(self, packet: "av.Packet[VideoStream] | None", stream: VideoStream, arrived: float) -> str | None:
        """Decode a packet and hand its frames over; what goes wrong for good, or None."""
        try:
            frames = stream.codec_context.decode(packet)
        except av.FFmpegError as error:
            self._damaged += 1
            if self._damaged >= _MOST_DAMAGED:
                return f"nothing decodes ({one_line(error.strerror)})"
            return None
        for frame in frames:
            self._damaged = 0
            self._give(frame, self._clock.frame(frame.pts, frame.time_base or stream.time_base, arrived), arrived)
        return None

    def _give(self, frame: av.VideoFrame, seconds: float, arrived: float) -> None:
        self.frames += 1
        size = frame.width, frame.height
        if size != self.size_px:
            if self.size_px is not None:
                before, after = (f"{width} x {height}" for width, height in (self.size_px, size))
                self._say(f"{self.source.name}: the pictures were {before} px and are {after} px now")
            self.size_px = size
        if self._pacer is not None:
            arrived = self._pacer.wait(seconds)
        if not self._is_due(seconds):
            return
        with self._changed:
            if self._pace == "all":
                self._changed.wait_for(lambda: self._slot is None or self._stopped.is_set())
            if self._is_of_the_last_look(seconds):
                return
            # What was sent before it was joined comes all at once; leaving that out is no loss.
            in_first_burst = self._pacer is None and time.monotonic() - self._joined_at < _FIRST_BURST_SECONDS
            if self._slot is not None and not in_first_burst:
                self.dropped += self._number_of(self._slot.seconds) != self._number_of(seconds)
            self._slot = TakenFrame(frame, seconds, arrived)
            self._changed.notify_all()

    def _is_of_the_last_look(self, seconds: float) -> bool:
        """Whether a frame would be one look with that which was taken last, and may not have been looked at yet."""
        last = self._last_taken_seconds
        return last is not None and self._number_of(last) == self._number_of(seconds)
