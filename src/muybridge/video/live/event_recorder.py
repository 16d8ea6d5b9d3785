"""The video of events, with seconds before and after, out of the packets of a stream.

A thread of its own writes, so that a slow disk holds up nothing; what it cannot take is said. An event is told a
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

_MOST_WAITING = 5000
_END_SECONDS = 10.0


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
        failed: How many files could not be written.
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
        self._stream: VideoStream | None = None
        self._recordings: list[_Recording] = []
        self._newest = 0.0
        self._said: set[str] = set()
        self._jobs: queue.Queue[Callable[[], object] | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="event videos", daemon=True)
        self._thread.start()

    def joined(self, stream: VideoStream) -> None:
        """A connection begins."""
        self._ask(lambda: setattr(self, "_stream", stream), wait=True)

    def packet(self, packet: StreamPacket) -> None:
        """The next packet."""
        if not self._ask(lambda: self._take(packet), wait=False):
            self._say_once("the disk does not keep up: packets are missing in the videos of events")

    def lost(self, *, broken: bool) -> None:
        """The connection ends: files end with it, and the stream is let go."""
        done = threading.Event()

        def lose() -> None:
            self._lose(broken=broken)
            done.set()

        self._ask(lose, wait=True)
        done.wait(_END_SECONDS)

    def begin(self, key: tuple[str, float], path: Path, start_seconds: float) -> None:
        """Keep an event that began.

        Args:
            key: Names it.
            path: The file, without an ending.
            start_seconds: When it began.
        """
        self._ask(lambda: self._begin(key, path, start_seconds), wait=True)

    def end(self, key: tuple[str, float], end_seconds: float) -> None:
        """An event has ended."""
        self._ask(lambda: self._end(key, end_seconds), wait=True)

    def close(self) -> None:
        """End all files, and the thread."""
        self._ask(lambda: self._lose(broken=False), wait=True)
        self._jobs.put(None)
        self._thread.join(timeout=_END_SECONDS)

    def _ask(self, job: Callable[[], object], *, wait: bool) -> bool:
        if not self._thread.is_alive():
            return False
        try:
            self._jobs.put(job, block=wait, timeout=_END_SECONDS if wait else None)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # whatever a container raises: watching goes on
                self.failed += 1
                self._say_once(f"the video of an event is lost: {type(error).__name__}: {one_line(error)}")

    def _take(self, packet: StreamPacket) -> None:
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

    def _begin(self, key: tuple[str, float], path: Path, start_seconds: float) -> None:
        packets = self._ring.since(start_seconds - self._before)
        if self._stream is None or not packets:
            self._say_once("an event has no video: its stream had no keyframe yet, or was lost")
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = StreamFile(path, self._stream)
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
        self._recordings.remove(recording)
        if not recording.file.count:
            recording.file.discard()
            self._fail(recording.file.path, ValueError("nothing of it decodes"))
            return
        try:
            recording.file.close()
        except (OSError, av.FFmpegError, VideoError) as error:
            self._fail(recording.file.path, error)
            return
        self._saved(recording.key, recording.file.path)

    def _lose(self, *, broken: bool) -> None:
        for recording in list(self._recordings):
            if broken and recording.waiting:
                recording.waiting.pop()
            self._finish(recording)
        self._ring.clear()
        self._stream = None

    def _fail(self, path: Path, error: Exception) -> None:
        self.failed += 1
        self._say(f"{path} is not written: {one_line(getattr(error, 'strerror', None) or error)}")

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)
