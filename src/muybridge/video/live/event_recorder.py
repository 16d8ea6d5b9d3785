"""The video of events, with seconds before and after, out of the packets of a stream.

A thread of its own writes, so that a slow disk holds up nothing: packets wait for it up to a limit of bytes, and what
it cannot take is said and counted. An event is told a
while after it began, and its end a while after it ended: until then packets wait, so a file has what was asked for.
Before its first second a file reaches back to a keyframe, because nothing can be decoded without one.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import av
from av.video.stream import VideoStream

from muybridge.errors import UserError, VideoError
from muybridge.text import one_line
from muybridge.video.live.packet_ring import PacketRing
from muybridge.video.live.stream_file import StreamFile
from muybridge.video.live.stream_parts import StreamPacket

_MOST_WAITING_PACKETS = 5000
MOST_WAITING_BYTES = 128 * 2**20
"""Of packets that the disk has not taken: a second of raw pictures of 1920 x 1080, or 50 s of H.264."""

_MOST_WAITING_JOBS = 10_000
_END_SECONDS = 10.0


@dataclass
class _Connection:
    """A connection whose packets are kept; without its stream once that is gone."""

    stream: VideoStream | None


@dataclass
class _Recording:
    """An event that is being written."""

    key: tuple[str, float]
    file: StreamFile
    start_seconds: float
    end_seconds: float | None = None
    waiting: deque[StreamPacket] = field(default_factory=deque)


class EventRecorder:
    """Keeps the video of events; a `live_reader.PacketTap`.

    Args:
        seconds_before: Kept before an event.
        seconds_after: Kept after it.
        told_after_seconds: How late the beginning or end of an event is told at most.
        say: Called with a line for what a user should know.
        saved: Called with the key of an event and its file.

    Attributes:
        failed: How many events have no video, because it could not be written.
    """

    def __init__(
        self,
        *,
        seconds_before: float,
        seconds_after: float,
        told_after_seconds: float,
        say: Callable[[str], None],
        saved: Callable[[tuple[str, float], Path], None],
    ) -> None:
        self.failed = 0
        self._before = seconds_before
        self._after = seconds_after
        self._told_after = told_after_seconds
        self._say = say
        self._saved = saved
        self._ring = PacketRing(seconds_before + told_after_seconds)
        self._joined: _Connection | None = None  # as the caller's thread has it
        self._connection: _Connection | None = None  # as the own thread has it
        self._recordings: list[_Recording] = []
        self._newest = 0.0
        self._said: set[str] = set()
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._waiting_packets = self._waiting_bytes = self._waiting_begins = 0
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="event videos", daemon=True)
        self._thread.start()

    def joined(self, stream: VideoStream) -> None:
        """A connection begins."""
        self._joined = connection = _Connection(stream)
        self._ask(lambda: setattr(self, "_connection", connection))

    def packet(self, packet: StreamPacket) -> None:
        """The next packet."""
        size = len(packet.data)
        with self._counting:
            fits = self._waiting_bytes + size <= MOST_WAITING_BYTES and self._waiting_packets < _MOST_WAITING_PACKETS
            if fits:
                self._waiting_packets += 1
                self._waiting_bytes += size
        if not fits:
            self._say_once("the disk does not keep up: packets are missing in the videos of events")
        elif not self._ask(lambda: self._take(packet)):
            self._took(size)

    def lost(self, *, broken: bool) -> None:
        """The connection ends: files end with it, and the stream is let go."""
        done = threading.Event()

        def lose() -> None:
            self._lose(broken=broken)
            done.set()

        if self._ask(lose) and not done.wait(_END_SECONDS) and self._joined is not None:
            self._joined.stream = None  # an event that still waits must not look at it

    def begin(self, key: tuple[str, float], path: Path, start_seconds: float) -> None:
        """Keep an event that began.

        Args:
            key: Names it.
            path: The file, without an ending.
            start_seconds: When it began.
        """
        with self._counting:
            self._waiting_begins += 1
        if not self._ask(lambda: self._begin(key, path, start_seconds)):
            with self._counting:
                self._waiting_begins -= 1
            self._lose_event(f"{path.name} has no video: the disk does not keep up")

    def end(self, key: tuple[str, float], end_seconds: float) -> None:
        """An event has ended."""
        if not self._ask(lambda: self._end(key, end_seconds)):
            self._say_once("the disk does not keep up: the video of an event goes on after its end")

    def close(self) -> None:
        """End all files, and the thread."""
        self._ask(lambda: self._lose(broken=False))
        self._jobs.put(None)
        self._thread.join(timeout=_END_SECONDS)
        if self._thread.is_alive():
            with self._counting:
                left = len(self._recordings) + self._waiting_begins
            self._lose_event(f"the disk does not keep up: {left} events have no whole video", left)

    def _ask(self, job: Callable[[], object]) -> bool:
        """Have the own thread do something, without waiting; whether it will."""
        if not self._thread.is_alive() or self._jobs.qsize() - self._waiting_packets >= _MOST_WAITING_JOBS:
            return False
        self._jobs.put(job)
        return True

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # whatever a container raises: watching goes on
                self._count_lost(1)
                self._say_once(f"the video of an event is lost: {type(error).__name__}: {one_line(error)}")

    def _take(self, packet: StreamPacket) -> None:
        self._took(len(packet.data))
        self._newest = max(self._newest, packet.seconds)
        self._ring.add(packet)
        if self._ring.cut_short:
            self._say_once("the stream is so large that less is kept before an event than was asked for")
        for recording in list(self._recordings):
            recording.waiting.append(packet)
            self._write(recording, up_to=self._newest - self._told_after)
            end = recording.end_seconds
            if end is not None and packet.seconds > end + self._after:
                self._finish(recording)

    def _took(self, size: int) -> None:
        with self._counting:
            self._waiting_packets -= 1
            self._waiting_bytes -= size

    def _begin(self, key: tuple[str, float], path: Path, start_seconds: float) -> None:
        with self._counting:
            self._waiting_begins -= 1
        packets = self._ring.since(start_seconds - self._before)
        stream = None if self._connection is None else self._connection.stream
        if stream is None or not packets:
            self._count_lost(1)
            self._say_once("an event has no video: its stream had no keyframe yet, or was lost")
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = StreamFile(path, stream)
        except (OSError, av.FFmpegError, UserError) as error:
            self._fail(path, error)
            return
        if file.encoded_because is not None:
            self._say_once(f"the videos of events are encoded anew as H.264 ({file.encoded_because})")
        self._recordings.append(_Recording(key, file, start_seconds, waiting=deque(packets)))

    def _end(self, key: tuple[str, float], end_seconds: float) -> None:
        for recording in list(self._recordings):
            if recording.key == key and recording.end_seconds is None:
                recording.end_seconds = end_seconds
                if self._newest > end_seconds + self._after:
                    self._finish(recording)

    def _write(self, recording: _Recording, *, up_to: float) -> None:
        try:
            while recording.waiting and recording.waiting[0].seconds <= up_to:
                recording.file.write(recording.waiting.popleft())
        except (OSError, av.FFmpegError, VideoError) as error:
            self._recordings.remove(recording)
            recording.file.discard()
            self._fail(recording.file.path, error)

    def _finish(self, recording: _Recording) -> None:
        end = recording.end_seconds
        self._write(recording, up_to=float("inf") if end is None else end + self._after)
        if recording not in self._recordings:  # writing failed
            return
        if not recording.file.count:
            self._recordings.remove(recording)
            recording.file.discard()
            self._fail(recording.file.path, ValueError("nothing of it decodes"))
            return
        try:
            recording.file.close()
        except (OSError, av.FFmpegError, VideoError) as error:
            self._fail(recording.file.path, error)
            return
        finally:
            self._recordings.remove(recording)
        self._saved(recording.key, recording.file.path)

    def _lose(self, *, broken: bool) -> None:
        for recording in list(self._recordings):
            if broken and recording.waiting:
                recording.waiting.pop()
            self._finish(recording)
        self._ring.clear()
        self._connection = None

    def _fail(self, path: Path, error: Exception) -> None:
        self._lose_event(f"{path} is not written: {one_line(getattr(error, 'strerror', None) or error)}")

    def _lose_event(self, line: str, count: int = 1) -> None:
        self._count_lost(count)
        self._say(line)

    def _count_lost(self, count: int) -> None:
        with self._counting:
            self.failed += count

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)
