"""The packets of an AVI file by the index that the file itself has (``idx1``), without reading them one by one.

Reading packets through FFmpeg costs a few microseconds each, and so does the look at each in Python. Here all are
looked at together. An index can be wrong, so it only counts where the file bears it out to the last byte: its chunks
lie end to end from the start of the list of chunks (``movi``) to its end, and each chunk's own header repeats its name
and size. Reading in order then meets the same chunks. Each chunk of the stream must be one I or P picture, marked as
a key frame where it is an I picture and nowhere else; and the header must declare as many frames.

All else stands aside for the packets as FFmpeg reads them (`packets`): files cut off, shuffled or without an index, of
several parts (OpenDML beyond the first gigabyte), with chunks grouped in ``rec`` lists, of other codecs.
"""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from muybridge.file_parts import open_bytes, size_of
from muybridge.video.index.packet_kinds import MPEG4_CODED_BYTES, MPEG4_VOP, KindOf, PacketKind, mpeg4_kinds
from muybridge.video.index.packets import KEEP_BYTES, PacketIndex
from muybridge.video.probing import declared_frames

_ENTRY = np.dtype([("name", "S4"), ("flags", "<u4"), ("offset", "<u4"), ("size", "<u4")])
_KEY_FRAME = 0x10
_HEADER_BYTES = 8  # of a chunk: its name and its size
_LIST_BYTES = 12  # of a list: "LIST", its size, and what kind it is


class PacketsInMemory:
    """Packets by their positions, made from the bytes of the file when asked for."""

    def __init__(self, data: bytes, starts: list[int], sizes: list[int], pts: list[int], time_base: Fraction) -> None:
        self._data, self._starts, self._sizes = data, starts, sizes
        self._pts, self._time_base = pts, time_base

    def __getitem__(self, position: int) -> "av.Packet[VideoStream]":
        start = self._starts[position]
        # Made by its size, it has the zeros behind its bytes that a decoder reads ahead into; made of bytes, not.
        packet: Any = av.Packet(self._sizes[position])
        packet.update(self._data[start : start + self._sizes[position]])
        packet.pts = packet.dts = self._pts[position]
        packet.time_base = self._time_base
        found: av.Packet[VideoStream] = packet
        return found


def index_avi(path: Path, container: InputContainer, stream: VideoStream) -> PacketIndex | None:
    """The index of a stream as the file has it; None where only reading its packets can tell.

    Args:
        path: The file.
        container: It, open; it is not read.
        stream: Its video stream.
    """
    context = stream.codec_context
    if container.format.name != "avi" or context.name != "mpeg4" or stream.time_base is None:
        return None
    if size_of(path) > KEEP_BYTES:
        return None
    with open_bytes(path) as file:
        data = file.read()
    chunks = _chunks(data)
    if chunks is None:
        return None
    own = chunks["name"].astype("S2") == f"{stream.index:02}".encode()  # cut to the number of the stream
    names = chunks["name"][own]
    if not np.all((names == f"{stream.index:02}dc".encode()) | (names == f"{stream.index:02}db".encode())):
        return None
    own_chunks = chunks[own]
    starts, sizes = own_chunks["offset"].astype(np.int64) + _HEADER_BYTES, own_chunks["size"].astype(np.int64)
    if not len(starts) or declared_frames(stream) not in (None, len(starts)):
        return None
    kinds = _kinds(data, starts, sizes, mpeg4_kinds(context.width, context.height, context.extradata or b""))
    if kinds is None:
        return None
    is_intra, is_picture = kinds
    if not np.array_equal(is_intra, own_chunks["flags"] & _KEY_FRAME != 0) or not is_picture[0] or not is_intra[0]:
        return None
    pts = np.flatnonzero(is_picture)  # a chunk that repeats the picture before takes a place in time, too
    return PacketIndex(
        pts=pts,
        dts=pts,
        sizes_bytes=sizes[is_picture],
        restarts=np.flatnonzero(is_intra[is_picture]),
        shown_pts=pts,
        disposable=np.zeros(len(pts), dtype=np.bool_),
        no_picture_pts=frozenset(np.flatnonzero(~is_picture).tolist()),
        packets=PacketsInMemory(
            data, starts[is_picture].tolist(), sizes[is_picture].tolist(), pts.tolist(), stream.time_base
        ),
    )


def _chunks(data: bytes) -> npt.NDArray[np.void] | None:
    """All chunks of the file's one list of chunks, their offsets from its start; None if index and file disagree."""
    if data[:4] != b"RIFF" or data[8:12] != b"AVI " or len(data) < int.from_bytes(data[4:8], "little") + _HEADER_BYTES:
        return None
    lists = _lists(data)
    if lists is None:
        return None
    movi, movi_end, entries = lists
    if not len(entries):
        return None
    chunks = entries.copy()
    first = movi + _LIST_BYTES
    # Offsets count from the start of the file or from the word "movi"; the first chunk says which.
    offsets = entries["offset"].astype(np.int64) + (first - int(entries["offset"][0]))
    sizes = entries["size"].astype(np.int64)
    ends = offsets + _HEADER_BYTES + sizes + sizes % 2
    if not np.array_equal(offsets[1:], ends[:-1]) or ends[-1] not in (movi_end, movi_end + movi_end % 2):
        return None
    if ends[-1] > len(data) + sizes[-1] % 2:
        return None
    bytes_of_file = np.frombuffer(data, dtype=np.uint8)
    headers = bytes_of_file[offsets[:, None] + np.arange(_HEADER_BYTES)]
    if not np.array_equal(headers[:, :4].copy().view("S4")[:, 0], entries["name"]):
        return None
    if not np.array_equal(headers[:, 4:].copy().view("<u4")[:, 0], entries["size"]):
        return None
    chunks["offset"] = offsets
    return chunks


def _lists(data: bytes) -> tuple[int, int, npt.NDArray[np.void]] | None:
    """Where the list of chunks begins and ends, and the entries of the index; None unless there is one of each."""
    position, movi, movi_end = _LIST_BYTES, None, 0
    entries = None
    riff_end = int.from_bytes(data[4:8], "little") + _HEADER_BYTES
    while position + _HEADER_BYTES <= riff_end:
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        end = position + _HEADER_BYTES + size
        if end > len(data):
            return None
        if name == b"LIST" and data[position + 8 : position + 12] == b"movi":
            if movi is not None:
                return None
            movi, movi_end = position, end
        elif name == b"idx1":
            if entries is not None or size % _ENTRY.itemsize:
                return None
            entries = np.frombuffer(data, _ENTRY, size // _ENTRY.itemsize, position + _HEADER_BYTES)
        position = end + size % 2
    if movi is None or entries is None or data.find(b"AVIX", riff_end) >= 0:
        return None
    return movi, movi_end, entries


def _kinds(
    data: bytes, starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], kind_of: KindOf
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None:
    """Of each packet whether it is an I picture and whether a picture at all; None unless each is one I or P picture.

    As `packet_kinds` has it: packets that begin with a picture and are not short are looked at all together.
    """
    if int(sizes.min()) < len(MPEG4_VOP) + 1:
        return None
    # A picture's start code may stand in no packet twice. Where it is in other bytes by chance, too, all stand aside.
    if data.count(MPEG4_VOP) != len(starts):
        return None
    heads = np.frombuffer(data, dtype=np.uint8)[starts[:, None] + np.arange(len(MPEG4_VOP) + 1)]
    is_plain = (heads[:, :-1] == np.frombuffer(MPEG4_VOP, dtype=np.uint8)).all(axis=1) & (sizes >= MPEG4_CODED_BYTES)
    coding_type = heads[:, -1] >> 6
    if (coding_type[is_plain] > 1).any():
        return None
    is_intra, is_picture = is_plain & (coding_type == 0), np.ones(len(starts), dtype=np.bool_)
    for number in np.union1d([0], np.flatnonzero(~is_plain)).tolist():  # the first brings the headers
        kind = kind_of(data[starts[number] : starts[number] + sizes[number]])
        if kind is None:
            return None
        is_intra[number] = kind is PacketKind.RESTART
        is_picture[number] = kind is not PacketKind.NO_PICTURE
    return is_intra, is_picture
