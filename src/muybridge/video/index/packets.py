"""The packets of a file as an index, and whether that index may be trusted to name frames.

Demuxing lists every packet without decoding any, about twenty times faster than decoding. If every packet is
exactly one frame, the list says how many frames there are, when each is shown, where decoding can restart, and
which pictures no other needs. Real files break this in many ways: empty or "repeat the last picture" packets,
two pictures in one packet, fields, packets that an edit list hides, missing or repeated timestamps. So a file
is trusted only if each of its packets passes a look at its first bytes (`packet_kinds`).

Packets are read from the file once: up to a limit they are kept, and decoded from memory, whether by the index
or, where the file is not trusted, in order.

What this cannot see lies inside packets that are never decoded. So damage there may change no other stretch between two
restart points than its own: `restart_reading` defines the frames that way, and a file stands aside whose decoder learns
anything on the way that outlives a stretch (headers between pictures, tables that only some pictures bring). Also an
H.264 stream that reorders its pictures and does not declare how deep: FFmpeg finds out from the first packets, and
drops a picture wherever the depth grows later.
"""

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from muybridge.video.container import packets_of
from muybridge.video.index.h264_headers import read_header
from muybridge.video.index.packet_kinds import PacketKind, kind_of_packets
from muybridge.video.limits import Limits
from muybridge.video.probing import declared_frames

# Packets are kept up to this size, about five minutes of 320x240; beyond, they are read again where needed.
KEEP_BYTES = 32 * 2**20
# Members of an Enum are slow to look up, and this is done for every packet.
_RESTART, _DISPOSABLE, _NO_PICTURE = PacketKind.RESTART, PacketKind.DISPOSABLE, PacketKind.NO_PICTURE


class PacketOrderError(Exception):
    """Reading by the index met something else than the index says: the file must be read in order."""


class PacketReader:
    """The packets of a stream, each read from the file once as long as all of them are small enough to keep."""

    def __init__(self, path: Path, container: InputContainer, stream: VideoStream) -> None:
        self._rest = packets_of(path, container, stream)
        self.keeps_all = True  # whether every packet that was read so far is still kept
        self._kept: list[av.Packet[VideoStream]] = []

    def read(self) -> "Iterator[av.Packet[VideoStream]]":
        """Read the file to its end; once."""
        room_bytes = KEEP_BYTES
        try:
            for packet in self._rest:
                room_bytes -= packet.size
                if room_bytes >= 0:
                    self._kept.append(packet)
                elif self.keeps_all:
                    self.keeps_all = False
                    self._kept.clear()
                yield packet
        except av.FFmpegError:
            self.keeps_all = False
            raise

    def from_first(self) -> "Iterator[av.Packet[VideoStream]]":
        """All packets: those kept, then the rest of the file. Only while `keeps_all`."""
        return chain(self._kept, self._rest)


class KeptPackets(Protocol):
    """Packets by their positions in decoding order."""

    def __getitem__(self, position: int, /) -> "av.Packet[VideoStream]":
        """The packet at a position."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PacketIndex:
    """The packets of the video stream that are a frame, in decoding order.

    Attributes:
        pts: presentation timestamp of each packet, in units of the stream's time base.
        dts: decoding timestamp of each packet, or the presentation one where there is none.
        sizes_bytes: size of each packet.
        restarts: rising positions of packets at which decoding can begin. All packets before such a one are
            shown before it, so its position is also the index of its frame.
        shown_pts: the timestamps in order of presentation: that of frame i is ``shown_pts[i]``.
        disposable: whether each packet can be left out without a change to any other picture.
        no_picture_pts: timestamps of the packets in between that hold no frame.
        packets: the packets themselves; None where they were too big to keep.
    """

    pts: npt.NDArray[np.int64]
    dts: npt.NDArray[np.int64]
    sizes_bytes: npt.NDArray[np.int64]
    restarts: npt.NDArray[np.int64]
    shown_pts: npt.NDArray[np.int64]
    disposable: npt.NDArray[np.bool_]
    no_picture_pts: frozenset[int]
    packets: "KeptPackets | None"

    def seconds(self, stream: VideoStream) -> npt.NDArray[np.float64]:
        """Time of each frame since the first, rounded once, so that 0.3 s compares equal to 0.3."""
        base = stream.time_base or Fraction(1)
        numerator, denominator = base.numerator, base.denominator
        return np.array([each * numerator / denominator for each in (self.shown_pts - self.shown_pts[0]).tolist()])


def index_packets(
    container: InputContainer, stream: VideoStream, reader: PacketReader | None = None
) -> PacketIndex | None:
    """Demux ``stream`` to its end; return its index, or None if only decoding can find its frames.

    Args:
        container: the open file, of which nothing was read.
        stream: its video stream.
        reader: reads the packets; what it has read afterwards can still be read in order.
    """
    kind_of = kind_of_packets(stream.codec_context)
    if kind_of is None:
        return None
    reader = PacketReader(Path(container.name.removeprefix("file:")), container, stream) if reader is None else reader
    limits = Limits.current()
    pts_list: list[int] = []
    dts_list: list[int] = []
    sizes_bytes: list[int] = []
    intra: list[int] = []
    disposable: list[bool] = []
    no_picture_pts: list[int] = []
    packets: list[av.Packet[VideoStream]] = []
    try:
        for packet in reader.read():
            pts, dts = packet.pts, packet.dts
            if pts is None or packet.is_corrupt or packet.is_discard:
                return None
            if packet.has_sidedata("new_extradata"):
                return None
            kind = kind_of(bytes(packet))
            if kind is None:
                return None
            if kind is _NO_PICTURE:
                no_picture_pts.append(pts)
                continue
            if kind is _RESTART and packet.is_keyframe:
                intra.append(len(pts_list))
            pts_list.append(pts)
            if len(pts_list) > limits.pictures:
                return None
            dts_list.append(pts if dts is None else dts)
            sizes_bytes.append(packet.size)
            disposable.append(kind is _DISPOSABLE)
            if reader.keeps_all:
                packets.append(packet)
            else:
                packets.clear()
    except av.FFmpegError:
        return None
    if not intra or intra[0] != 0:
        return None
    if declared_frames(stream) not in (None, len(pts_list) + len(no_picture_pts)):
        return None
    pts_array = np.array(pts_list, dtype=np.int64)
    shown_pts = np.unique(pts_array)
    if len(shown_pts) != len(pts_array):
        return None
    is_reordered = not np.array_equal(shown_pts, pts_array)
    if is_reordered and not declares_its_reordering(stream, pts_array):
        return None
    return PacketIndex(
        pts=pts_array,
        dts=np.array(dts_list, dtype=np.int64),
        sizes_bytes=np.array(sizes_bytes, dtype=np.int64),
        restarts=closed_restarts(pts_array, intra),
        shown_pts=shown_pts,
        disposable=np.array(disposable),
        no_picture_pts=frozenset(no_picture_pts),
        packets=tuple(packets) if reader.keeps_all else None,
    )


def closed_restarts(pts: npt.NDArray[np.int64], intra: list[int]) -> npt.NDArray[np.int64]:
    """Those positions where everything before is shown before everything from there on."""
    latest_before = np.maximum.accumulate(pts)
    earliest_from = np.minimum.accumulate(pts[::-1])[::-1]
    return np.array([i for i in intra if i == 0 or latest_before[i - 1] < earliest_from[i]], dtype=np.int64)


def declares_its_reordering(stream: VideoStream, pts: npt.NDArray[np.int64]) -> bool:
    """Whether the header of an H.264 stream allows all the reordering that its packets show."""
    header = read_header(stream.codec_context.extradata or b"")
    return header is not None and header.reorder_depth is not None and header.reorder_depth >= reordering(pts)


def reordering(pts: npt.NDArray[np.int64]) -> int:
    """The most packets before any one that are shown after it, by presentation times in decoding order.

    >>> reordering(np.array([0, 3, 1, 2, 6, 4, 5]))
    1
    """
    most, before = 0, list[int]()
    for position, ticks in enumerate(pts.tolist()):
        place = bisect(before, ticks)
        most = max(most, position - place)
        before.insert(place, ticks)
    return most
