"""The index of a long MP4 in a bucket from its own table of samples, so that it need not be fetched whole.

`packets` looks at the first bytes of every packet, which would fetch nearly all of a file. An MP4 lists its samples in
a table at one end. FFmpeg reads that table; then the rest of the file reads as zeros while FFmpeg lists the packets, of
which nothing but times, sizes and marks is used. So the table is trusted where a file of this machine is looked at: its
marks of pictures at which decoding can begin, and that parameters do not change on the way. Each frame is still checked
as it is decoded (`index_reading`). What is no such file is fetched whole.
"""

from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from muybridge.file_parts import part_at, size_of
from muybridge.storage.remote_reading import WHOLE_BYTES, open_hollow
from muybridge.storage.urls import url_at
from muybridge.video.index.packets import PacketIndex, closed_restarts, declares_its_reordering
from muybridge.video.limits import Limits
from muybridge.video.probing import declared_frames


def index_table(path: Path, container: InputContainer, stream: VideoStream) -> PacketIndex | None:
    """The index of a long H.264 video in an MP4 of a bucket; None for any other file."""
    url = url_at(path)
    if url is None or part_at(path) is not None or size_of(path) <= WHOLE_BYTES:
        return None
    if "mp4" not in container.format.name.split(",") or stream.codec_context.name != "h264":
        return None
    limits = Limits.current()
    rows: list[tuple[int, int, int]] = []
    starts: list[int] = []
    file, hollow = open_hollow(url)
    try:
        with av.open(file, metadata_errors="replace", options={"fflags": "+noparse+nofillin"}) as listed:
            assert isinstance(listed, InputContainer)
            hollow()
            for packet in listed.demux(listed.streams[stream.index]):
                if not packet.size:
                    continue
                if packet.pts is None or packet.dts is None or packet.is_discard or len(rows) == limits.pictures:
                    return None
                if packet.is_keyframe:
                    starts.append(len(rows))
                rows.append((packet.pts, packet.dts, packet.size))
    except av.FFmpegError:
        return None
    if not starts or starts[0] != 0 or declared_frames(stream) not in (None, len(rows)):
        return None
    pts, dts, sizes_bytes = np.array(rows, dtype=np.int64).T
    shown_pts = np.unique(pts)
    if len(shown_pts) != len(pts):
        return None
    if not np.array_equal(shown_pts, pts) and not declares_its_reordering(stream, pts):
        return None
    return PacketIndex(
        pts=pts,
        dts=dts,
        sizes_bytes=sizes_bytes,
        restarts=closed_restarts(pts, starts),
        shown_pts=shown_pts,
        disposable=np.zeros(len(pts), dtype=np.bool_),
        no_picture_pts=frozenset(),
        packets=None,
    )
