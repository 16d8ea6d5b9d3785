"""Reading the packets of an index again from the beginning of the file on, where jumps in it cannot be relied on."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import av
from av.video.stream import VideoStream

from muybridge.errors import VideoError
from muybridge.video.container import open_video, packets_of
from muybridge.video.index.packets import PacketIndex


class ForwardReader:
    """Reads the packets of an index from the beginning of the file on, without a jump."""

    def __init__(self, path: Path, index: PacketIndex) -> None:
        self._path, self._index = path, index
        self._opened = ExitStack()
        self._packets: Iterator[av.Packet[VideoStream]] | None = None
        self.position = 0  # of the packet that comes next

    def close(self) -> None:
        """Close the file."""
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
