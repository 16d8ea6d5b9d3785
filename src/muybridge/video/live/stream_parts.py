"""What a stream is handed on as: frames to look at, and packets to keep."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
from av.video.stream import VideoStream


@dataclass(frozen=True, eq=False)
class TakenFrame:
    """A frame to look at.

    Attributes:
        frame: As it was decoded.
        seconds: Its time since the first.
        arrived: When it came, or was due, by the monotonic clock.
    """

    frame: av.VideoFrame
    seconds: float
    arrived: float


@dataclass(frozen=True, eq=False)
class StreamPacket:
    """A packet as it came, in memory of its own.

    Attributes:
        data: Its bytes.
        pts: When it is shown, in ticks; None where the stream has no times.
        dts: When it is decoded.
        time_base: Seconds of a tick.
        is_key: Whether decoding can begin with it.
        seconds: Its time since the first frame.
    """

    data: bytes
    pts: int | None
    dts: int | None
    time_base: Fraction | None
    is_key: bool
    seconds: float


class PacketTap(Protocol):
    """Who keeps what comes, as it came."""

    def joined(self, stream: VideoStream) -> None:
        """A connection begins; the stream is there until ``lost``."""

    def packet(self, packet: StreamPacket) -> None:
        """The next packet."""

    def lost(self, *, broken: bool) -> None:
        """The connection ends; the stream is gone once this returns.

        Args:
            broken: Whether it broke off, so that the last packet may be half of one.
        """
