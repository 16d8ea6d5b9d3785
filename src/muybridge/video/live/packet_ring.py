"""The last seconds of a stream as packets, so that what went before an event can be kept without encoding it again."""

from collections import deque

from muybridge.video.live.stream_parts import StreamPacket

MOST_BYTES = 256 * 2**20
"""Of one stream; a camera at 20 megabit a second takes 2.5 MB for each second."""


class PacketRing:
    """Packets of the last seconds, from a keyframe on.

    Args:
        seconds: How far back it reaches, and to the keyframe before that.

    Attributes:
        cut_short: Whether the limit of bytes left less than that.
    """

    def __init__(self, seconds: float) -> None:
        self.cut_short = False
        self._seconds = seconds
        self._packets: deque[StreamPacket] = deque()
        self._keys: deque[float] = deque()  # the seconds of the keyframes among them
        self._bytes = 0

    def add(self, packet: StreamPacket) -> None:
        """Take the next packet; the oldest go up to a keyframe that is old enough by itself."""
        if not self._packets and not packet.is_key:
            return  # nothing can begin with it
        self._packets.append(packet)
        self._bytes += len(packet.data)
        if packet.is_key:
            self._keys.append(packet.seconds)
        while len(self._keys) > 1 and (self._keys[1] <= packet.seconds - self._seconds or self._bytes > MOST_BYTES):
            self.cut_short = self.cut_short or self._keys[1] > packet.seconds - self._seconds
            self._drop_first_group()
        if self._bytes > MOST_BYTES:  # a single group of pictures that is too large
            self.cut_short = True
            self.clear()

    def since(self, seconds: float) -> list[StreamPacket]:
        """The packets from the last keyframe up to a time on; all, where that is too far back."""
        packets = list(self._packets)
        start = 0
        for number, packet in enumerate(packets):
            if packet.is_key and packet.seconds <= seconds:
                start = number
        return packets[start:]

    def clear(self) -> None:
        """Forget all."""
        self._packets.clear()
        self._keys.clear()
        self._bytes = 0

    def _drop_first_group(self) -> None:
        self._keys.popleft()
        while self._packets:
            self._bytes -= len(self._packets.popleft().data)
            if self._packets and self._packets[0].is_key:
                return
