"""All frames of a file from the first on, with their times, by the rule that defines them.

Where the packets of a file are seen to be one frame each (`index.packets`), its frames are those of the index, decoded
from restart point to restart point (`index.restart_reading`). Any other file is decoded in order, as it comes
(`reading`). Which of the two is known before the first frame comes, so whoever reads some frames only, and whoever
reads all, see the same.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from muybridge.errors import VideoError
from muybridge.video.clip_times import Seconds
from muybridge.video.container import open_video
from muybridge.video.index.avi_index import index_avi
from muybridge.video.index.packets import PacketIndex, PacketReader, index_packets
from muybridge.video.index.restart_reading import RestartReader
from muybridge.video.index.table_index import index_table
from muybridge.video.limits import Limits
from muybridge.video.probing import nothing_decodes
from muybridge.video.reading import Clock, OrderedReader, TimeRange


class OpenedFile:
    """An open file and, where it has one, its index; used in a ``with`` statement.

    Attributes:
        container: It.
        stream: Its video stream.
        index: Its index; None where only decoding in order tells its frames.
        seconds_N: With an index, the time of each frame since the first.
        restarts: With an index, reads by it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stack = ExitStack()
        self.container: InputContainer
        self.stream: VideoStream
        self.index: PacketIndex | None = None
        self.restarts: RestartReader | None = None
        self.seconds_N: Seconds = np.zeros(0)
        self._packets: PacketReader | None = None
        self._in_order: OrderedReader | None = None

    def __enter__(self) -> "OpenedFile":
        try:
            self.container, self.stream = self._stack.enter_context(open_video(self.path))
            reader = self._packets = PacketReader(self.path, self.container, self.stream)
            self.index = (
                index_avi(self.path, self.container, self.stream)
                or index_table(self.path, self.container, self.stream)
                or index_packets(self.container, self.stream, reader)
            )
            if self.index is not None:
                Limits.current().check_count(self.path, len(self.index.shown_pts))
                self.seconds_N = self.index.seconds(self.stream)
                self.restarts = self._stack.enter_context(
                    RestartReader(self.path, self.container, self.stream, self.index)
                )
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def damaged_frames(self) -> int:
        """Of the frames read so far, how many are damaged."""
        if self.restarts is not None:
            return len(self.restarts.damaged)
        return 0 if self._in_order is None else self._in_order.damaged_frames

    @property
    def clock(self) -> Clock | None:
        """What gave the frames their times; None with an index, or before any was read."""
        return None if self._in_order is None else self._in_order.clock

    @property
    def stopped_by(self) -> str | None:
        """FFmpeg's reason, where it refused to decode to the end; it is known once the frames have been read."""
        return None if self._in_order is None else self._in_order.stopped_by

    def nothing_decodes(self) -> VideoError:
        """The error for a file whose frames have been read, and were none."""
        return nothing_decodes(self.path, self.stopped_by or "it holds no picture")

    def frames(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """All frames, with their times."""
        if self.restarts is not None:
            for number, frame in self.restarts.in_order():
                yield float(self.seconds_N[number]), frame
            return
        yield from self._decoded_in_order()

    def _decoded_in_order(self) -> Iterator[tuple[float, av.VideoFrame]]:
        container, stream, packets = self.container, self.stream, None
        if self._packets is not None and self._packets.keeps_all:
            packets = self._packets.from_first()
        else:
            container, stream = self._stack.enter_context(open_video(self.path))
        self._packets = None  # read once
        reader = self._in_order = OrderedReader(self.path, container, stream, packets)
        yield from reader

    def range_of(self, time_range: TimeRange) -> tuple[int, int]:
        """With an index: the first frame of a time range, and the one behind its last.

        Raises:
            VideoError: There is none in it.
        """
        first = int(np.searchsorted(self.seconds_N, time_range.start_seconds))
        end = int(np.searchsorted(self.seconds_N, time_range.end_seconds))
        if first == end:
            raise time_range.nothing_inside(self.path, float(self.seconds_N[-1]))
        return first, end

    def frames_within(self, time_range: TimeRange) -> Iterator[tuple[int, float, av.VideoFrame]]:
        """The frames within a time range: the index within it, the seconds since frame 0, the frame.

        Raises:
            VideoError: There is none.
        """
        if self.restarts is not None:
            first, end = self.range_of(time_range)
            for number, frame in self.restarts.in_order(first):
                if number == end:
                    break
                yield number - first, float(self.seconds_N[number]), frame
            return
        index, seconds = 0, None
        for seconds, frame in self._decoded_in_order():
            if seconds >= time_range.end_seconds:
                break
            if seconds >= time_range.start_seconds:
                yield index, seconds, frame
                index += 1
        if seconds is None:
            raise self.nothing_decodes()
        if index == 0:
            raise time_range.nothing_inside(self.path, seconds)
