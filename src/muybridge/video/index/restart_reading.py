"""Frames from one restart point to the next, damaged or not: what defines the frames of a file with an index.

Reading by the index jumps over stretches, so it cannot know whether something in them is damaged. So that the answer
does not depend on what was jumped over, the frames of such a file are defined from restart point to restart point, each
stretch by itself:

- decoding begins at the restart point with an empty decoder, and with a new one if the stretch before was damaged;
- a packet that the decoder refuses costs its own picture and those that come out damaged after it, up to the next
  restart point;
- the place of a picture that does not come is taken by the picture before it, as a player shows it; at the beginning of
  a stretch by the first that comes; where a whole stretch is lost, by the last picture before it.

So the number of frames and their times are always those of the index.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from muybridge.errors import VideoError
from muybridge.video.container import open_video, packets_of, unforeseen
from muybridge.video.index.index_reading import frames_by_index, packets_in_file
from muybridge.video.index.packets import PacketIndex, PacketOrderError
from muybridge.video.probing import nothing_decodes


class RestartReader:
    """Reads the frames of a file by its index.

    Use it in a ``with`` statement: it opens the file again where a decoder has met damage.

    Args:
        path: The file.
        container: It, open; its reading position does not matter.
        stream: Its video stream.
        index: Its index.

    Attributes:
        damaged: Of those stretches that were decoded whole, the frames that are damaged or stand in for one that is.
    """

    def __init__(self, path: Path, container: InputContainer, stream: VideoStream, index: PacketIndex) -> None:
        self._path, self._container, self._stream, self._index = path, container, stream, index
        self._restarts: list[int] = index.restarts.tolist()
        self._shown_pts: list[int] = index.shown_pts.tolist()
        self._is_spoilt = False
        self._reopened = ExitStack()
        self._forward = _ForwardReader(path, index)
        self.damaged: set[int] = set()

    def __enter__(self) -> "RestartReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._reopened.close()
        self._forward.close()

    def chosen(self, wanted: Sequence[int], *, least_jump: int) -> Iterator[av.VideoFrame]:
        """The frames with the rising indices ``wanted``, decoding little else; see `index_reading`."""
        rest = list(wanted)
        while rest:
            self._renew()
            given = 0
            try:
                for frame in frames_by_index(self._container, self._stream, self._index, rest, least_jump=least_jump):
                    given += 1
                    yield frame
                return
            except PacketOrderError:
                self._is_spoilt = True
            except (AttributeError, IndexError, TypeError, ValueError) as error:
                raise unforeseen(self._path, error) from error
            rest = rest[given:]
            group = bisect_right(self._restarts, rest[0]) - 1
            inside = bisect_left(rest, self._end(group))
            yield from self._picked(group, frozenset(rest[:inside]))
            rest = rest[inside:]

    def in_order(self, first: int = 0) -> Iterator[tuple[int, av.VideoFrame]]:
        """All frames with their indices, from one on; each stretch is decoded whole."""
        start = bisect_right(self._restarts, first) - 1
        for group in range(start, len(self._restarts)):
            for number, frame in self._whole(group):
                if number >= first:
                    yield number, frame

    def _picked(self, group: int, wanted: frozenset[int]) -> Iterator[av.VideoFrame]:
        for number, frame in self._whole(group):
            if number in wanted:
                yield frame

    def _whole(self, group: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """All frames of a stretch; another stands in for each that does not come."""
        last: av.VideoFrame | None = None
        number = self._restarts[group]
        for number_come, frame in self._coming(group):
            for missing in range(number, number_come):
                self.damaged.add(missing)
                yield missing, last or frame
            yield number_come, frame
            number, last = number_come + 1, frame
        if number < self._end(group):
            last = last or self._stand_in(group)
            for missing in range(number, self._end(group)):
                self.damaged.add(missing)
                yield missing, last

    def _coming(self, group: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """The frames of a stretch that come, with rising indices."""
        self._renew()
        context = self._stream.codec_context
        context.flush_buffers()
        number, end = self._restarts[group], self._end(group)
        for packet in self._packets(group):
            try:
                frames = context.decode(packet)
            except av.FFmpegError:
                self._is_spoilt = True
                continue
            except Exception as error:
                raise unforeseen(self._path, error) from error
            for frame in frames:
                come = self._number(frame)
                if come is None or not number <= come < end:
                    self._is_spoilt = True
                    continue
                if frame.is_corrupt:
                    self.damaged.add(come)
                self._is_spoilt |= frame.is_corrupt or come != number
                yield come, frame
                number = come + 1
        self._is_spoilt |= number != end
        context.flush_buffers()

    def _packets(self, group: int) -> "Iterator[av.Packet[VideoStream] | None]":
        positions = range(self._restarts[group], self._end(group))
        if self._index.packets is not None:
            yield from (self._index.packets[position] for position in positions)
        else:
            yield from self._packets_in_file(positions)
        yield None

    def _packets_in_file(self, positions: range) -> "Iterator[av.Packet[VideoStream]]":
        read = 0
        if positions.start not in (0, self._forward.position):
            try:
                for packet in packets_in_file(self._container, self._stream, self._index, tuple(positions)):
                    read += 1
                    yield packet
                return
            except (PacketOrderError, av.FFmpegError):  # a jump in the file leads elsewhere
                pass
        if self._forward.position > positions[read]:
            self._forward.close()
            self._forward = _ForwardReader(self._path, self._index)
        yield from (self._forward.packet_at(position) for position in positions[read:])

    def _stand_in(self, group: int) -> av.VideoFrame:
        """A picture for a stretch of which none comes: the last before it or, where there is none, the first after."""
        for before in range(group - 1, -1, -1):
            last = None
            for _, last in self._coming(before):  # noqa: B007 - the last is wanted
                pass
            if last is not None:
                return last
        for after in range(group + 1, len(self._restarts)):
            for _, frame in self._coming(after):
                self._is_spoilt = True  # left in the middle
                return frame
        raise nothing_decodes(self._path, "the decoder refuses every picture")

    def _number(self, frame: av.VideoFrame) -> int | None:
        """The index of a frame by its time; None where no packet has that time."""
        if frame.pts is None:
            return None
        place = bisect_left(self._shown_pts, frame.pts)
        return place if place < len(self._shown_pts) and self._shown_pts[place] == frame.pts else None

    def _end(self, group: int) -> int:
        return self._restarts[group + 1] if group + 1 < len(self._restarts) else len(self._shown_pts)

    def _renew(self) -> None:
        """A new decoder, where the present one has met damage that could live on in it."""
        if self._is_spoilt:
            self._reopened.close()
            self._reopened = ExitStack()
            self._container, self._stream = self._reopened.enter_context(open_video(self._path))
            self._is_spoilt = False


class _ForwardReader:
    """Reads the packets of an index from the beginning of the file on, without a jump."""

    def __init__(self, path: Path, index: PacketIndex) -> None:
        self._path, self._index = path, index
        self._opened = ExitStack()
        self._packets: Iterator[av.Packet[VideoStream]] | None = None
        self.position = 0  # of the packet that comes next

    def close(self) -> None:
        self._opened.close()

    def packet_at(self, position: int) -> "av.Packet[VideoStream]":
        """The packet at a position that is not behind."""
        if self._packets is None:
            self._packets = packets_of(self._path, *self._opened.enter_context(open_video(self._path)))
        try:
            for packet in self._packets:
                if packet.pts in self._index.no_picture_pts:
                    continue
                here, self.position = self.position, self.position + 1
                if here < position:
                    continue
                if packet.pts == self._index.pts[here] and packet.size == self._index.sizes_bytes[here]:
                    return packet
                break
        except av.FFmpegError:
            pass
        raise VideoError(self._path, "it changes while it is read", "copy it, and see that nothing writes to it")
