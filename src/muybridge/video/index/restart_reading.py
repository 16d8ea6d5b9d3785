"""Frames from one restart point to the next, damaged or not: what defines the frames of a file with an index.

Reading by the index jumps over stretches, so it cannot know whether something in them is damaged. So that the answer
does not depend on what was jumped over, the frames of such a file are defined from restart point to restart point, each
stretch by itself:

- decoding begins at the restart point with an empty decoder, that complains of all that is not as it should be;
- where it complains of a picture that no other needs, that picture is lost, and the stretch is decoded without it;
- where it complains of another, or anything but the expected frames comes, a new decoder takes the stretch again, which
  conceals damage as players do. What it returns counts. (Not of motion JPEG, where it would return whatever was in
  memory; there a picture that the strict decoder refuses is lost.)
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
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from muybridge.errors import VideoError
from muybridge.video.container import open_video, unforeseen
from muybridge.video.index.forward_reading import ForwardReader
from muybridge.video.index.index_reading import frames_by_index, packets_in_file
from muybridge.video.index.packets import PacketIndex, PacketOrderError
from muybridge.video.probing import nothing_decodes

# All that FFmpeg can find wrong. The last three mind also what odd encoders write, which costs time and no picture.
_STRICT = "explode+crccheck+bitstream+buffer+careful+compliant+aggressive"


class _RefusedError(PacketOrderError):
    """The strict decoder refuses the packet at a position."""

    def __init__(self, position: int) -> None:
        self.position = position


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
        self._forward = ForwardReader(path, index)
        self.damaged: set[int] = set()
        _set_strict(stream, _STRICT)

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
            except VideoError:
                raise
            except Exception as error:
                raise unforeseen(self._path, error) from error
            rest = rest[given:]
            group = bisect_right(self._restarts, rest[0]) - 1
            inside = bisect_left(rest, self._end(group))
            picked = frozenset(rest[:inside])
            for number, frame in self._whole(group):
                if number in picked:
                    yield frame
            rest = rest[inside:]

    def in_order(self, first: int = 0) -> Iterator[tuple[int, av.VideoFrame]]:
        """All frames with their indices, from one on; each stretch is decoded whole."""
        start = bisect_right(self._restarts, first) - 1
        for group in range(start, len(self._restarts)):
            for number, frame in self._whole(group):
                if number >= first:
                    yield number, frame

    def _whole(self, group: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """All frames of a stretch; another stands in for each that does not come."""
        lost: set[int] = set()  # positions of packets
        number = self._restarts[group]
        while True:
            try:
                for come, frame in self._filled(group, self._clean(group, lost)):
                    if come >= number:
                        yield come, frame
                        number = come + 1
                return
            except _RefusedError as error:
                self._is_spoilt = True
                if not self._index.disposable[error.position]:
                    break
                lost.add(error.position)
            except PacketOrderError:
                self._is_spoilt = True
                break
        self._note_damage(group)
        for come, frame in self._filled(group, self._concealed(group, lost)):
            if come >= number:
                yield come, frame

    def _filled(self, group: int, coming: Iterator[tuple[int, av.VideoFrame]]) -> Iterator[tuple[int, av.VideoFrame]]:
        """The frames of a stretch that come, and for each other one that stands in for it."""
        last: av.VideoFrame | None = None
        number = self._restarts[group]
        for come, frame in coming:
            for missing in range(number, come):
                self.damaged.add(missing)
                yield missing, last or frame
            yield come, frame
            number, last = come + 1, frame
        if number < self._end(group):
            last = last or self._stand_in(group)
            for missing in range(number, self._end(group)):
                self.damaged.add(missing)
                yield missing, last

    def _clean(self, group: int, lost: set[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """The frames of a stretch with their indices, by the strict decoder, without those that are lost.

        Raises:
            _RefusedError: It refused a packet.
            PacketOrderError: Something else came than the index says.
        """
        self._renew()
        context = self._stream.codec_context
        context.flush_buffers()
        without = {self._number(int(self._index.pts[position])) for position in lost}
        expected = (number for number in range(self._restarts[group], self._end(group)) if number not in without)
        for position, packet in self._packets(group):
            if packet is not None and position in lost:
                continue
            try:
                frames = self._decoded(context, packet)
            except PacketOrderError as error:
                raise _RefusedError(position) from error
            for frame in frames:
                number = next(expected, None)
                if number is None or frame.is_corrupt or frame.pts != self._shown_pts[number]:
                    raise PacketOrderError
                yield number, frame
        if next(expected, None) is not None:
            raise PacketOrderError
        context.flush_buffers()

    def _concealed(self, group: int, lost: set[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """The frames of a damaged stretch that come from a new decoder, with rising indices."""
        with open_video(self._path) as (_, stream):
            if stream.codec_context.name == "mjpeg":
                _set_strict(stream, _STRICT)
            number, end = self._restarts[group], self._end(group)
            for position, packet in self._packets(group):
                if packet is not None and position in lost:
                    continue
                try:
                    frames = self._decoded(stream.codec_context, packet)
                except PacketOrderError:
                    continue
                for frame in frames:
                    come = self._number(frame.pts)
                    if come is not None and number <= come < end:
                        if frame.is_corrupt:
                            self.damaged.add(come)
                        yield come, frame
                        number = come + 1

    def _note_damage(self, group: int) -> None:
        """Note as damaged what a decoder refuses that does not conceal damage, but is no stickler for the rest."""
        with open_video(self._path) as (_, stream):
            _set_strict(stream, "explode")
            for position, packet in self._packets(group):
                try:
                    self._decoded(stream.codec_context, packet)
                except PacketOrderError:
                    if packet is not None:
                        self.damaged.add(bisect_left(self._shown_pts, int(self._index.pts[position])))

    def _decoded(self, context: VideoCodecContext, packet: "av.Packet[VideoStream] | None") -> list[av.VideoFrame]:
        try:
            return context.decode(packet)
        except av.FFmpegError as error:
            raise PacketOrderError from error
        except Exception as error:
            raise unforeseen(self._path, error) from error

    def _packets(self, group: int) -> "Iterator[tuple[int, av.Packet[VideoStream] | None]]":
        """The packets of a stretch with their positions, and None at its end."""
        positions = range(self._restarts[group], self._end(group))
        if self._index.packets is not None:
            yield from ((position, self._index.packets[position]) for position in positions)
        else:
            yield from zip(positions, self._packets_in_file(positions), strict=True)
        yield positions.stop - 1, None

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
            self._forward = ForwardReader(self._path, self._index)
        yield from (self._forward.packet_at(position) for position in positions[read:])

    def _stand_in(self, group: int) -> av.VideoFrame:
        """A picture for a stretch of which none comes: the last before it or, where there is none, the first after."""
        for before in range(group - 1, -1, -1):
            last = None
            for _, last in self._concealed(before, set()):  # noqa: B007 - the last is wanted
                pass
            if last is not None:
                return last
        for after in range(group + 1, len(self._restarts)):
            for _, frame in self._concealed(after, set()):
                return frame
        raise nothing_decodes(self._path, "the decoder refuses every picture")

    def _number(self, pts: int | None) -> int | None:
        """The index of a frame by its time; None where no packet has that time."""
        if pts is None:
            return None
        place = bisect_left(self._shown_pts, pts)
        return place if place < len(self._shown_pts) and self._shown_pts[place] == pts else None

    def _end(self, group: int) -> int:
        return self._restarts[group + 1] if group + 1 < len(self._restarts) else len(self._shown_pts)

    def _renew(self) -> None:
        """A new decoder, where the present one has met damage that could live on in it."""
        if self._is_spoilt:
            self._reopened.close()
            self._reopened = ExitStack()
            self._container, self._stream = self._reopened.enter_context(open_video(self._path))
            _set_strict(self._stream, _STRICT)
            self._is_spoilt = False


def _set_strict(stream: VideoStream, what: str) -> None:
    """Let the decoder, which is not open yet, refuse what it would else conceal."""
    stream.codec_context.options = {**stream.codec_context.options, "err_detect": what}
