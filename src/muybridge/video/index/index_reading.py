"""Getting decoded frames by the packet index: decode only what the wanted frames need.

Each frame that comes is checked against the index, so that this either returns the same frames as decoding every
stretch from restart point to restart point (`restart_reading`), or says that it cannot. It saves work in three ways:

- it jumps over stretches from one restart point to another that hold no wanted frame;
- it leaves out pictures that nobody wants and no other needs;
- it stops at the last wanted frame of each stretch.

Which of these pay depends on the spacing of a file's restart points: with a few frames between them nearly
every wanted frame is a jump; with one at the start only, the file is read through to the last wanted frame.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from muybridge.video.index.packets import PacketIndex, PacketOrderError

# Where a jump means to seek in the file, it costs about as much as decoding a few frames of a small video;
# measured speeds are flat from 1 to 16.
_SEEK_COST_FRAMES = 4
# With the packets in memory it only empties the decoder.
_RESTART_COST_FRAMES = 1


@dataclass(frozen=True)
class Stretch:
    """A part of the file that is decoded in one go."""

    positions: tuple[int, ...]  # of the packets to decode, rising; the first is a restart point
    frames: tuple[int, ...]  # the rising indices of the frames that come out
    wanted: frozenset[int]  # those of them that are wanted


def jump_cost_frames(index: PacketIndex) -> int:
    """How many frames must be saved for a jump to pay."""
    return _SEEK_COST_FRAMES if index.packets is None else _RESTART_COST_FRAMES


def plan_stretches(index: PacketIndex, wanted: Sequence[int], *, least_jump: int) -> list[Stretch]:
    """Choose what to decode for the frames with the rising indices ``wanted``.

    A new stretch begins where jumping to the restart point before a frame saves decoding ``least_jump`` frames.
    """
    positions_of = np.argsort(index.pts)  # frame -> packet
    frames_of = np.argsort(positions_of)  # packet -> frame
    # How many pictures before each packet must be decoded if none of them is wanted.
    needed_before = np.concatenate([[0], np.cumsum(~index.disposable)])
    spans: list[tuple[int, int, list[int]]] = []  # first packet, end, wanted frames
    for frame in wanted:
        restart = int(index.restarts[bisect_right(index.restarts, frame) - 1])
        end = int(positions_of[frame]) + 1
        if spans:
            first, last_end, frames = spans[-1]
            if restart < last_end or needed_before[restart] - needed_before[last_end] < least_jump:
                spans[-1] = (first, max(last_end, end), [*frames, frame])
                continue
        spans.append((restart, end, [frame]))
    stretches = []
    for first, end, frames in spans:
        is_sent = ~index.disposable[first:end]
        is_sent[positions_of[frames] - first] = True
        positions = np.flatnonzero(is_sent) + first
        stretches.append(
            Stretch(tuple(positions.tolist()), tuple(np.sort(frames_of[positions]).tolist()), frozenset(frames))
        )
    return stretches


def frames_by_index(
    container: InputContainer,
    stream: VideoStream,
    index: PacketIndex,
    wanted: Sequence[int],
    *,
    least_jump: int,
) -> Iterator[av.VideoFrame]:
    """Yield the frames with the rising indices ``wanted``, decoding little else.

    Args:
        container: the open file; its reading position does not matter.
        stream: its video stream.
        index: from `index_packets` on the same file.
        wanted: rising frame indices.
        least_jump: a jump must save decoding this many frames.

    Raises:
        PacketOrderError: the decoder returned another frame than the index promises, or marked it as damaged.
    """
    if len(index.shown_pts) != len(index.pts):
        raise PacketOrderError
    try:
        restarts = frozenset(index.restarts.tolist())
        for stretch in plan_stretches(index, wanted, least_jump=least_jump):
            coming = iter(stretch.frames)
            for frame in _decoded(container, stream, index, stretch.positions, restarts):
                number = next(coming, None)
                if number is None or frame.is_corrupt or frame.pts != index.shown_pts[number]:
                    raise PacketOrderError
                if number in stretch.wanted:
                    yield frame
            if next(coming, None) is not None:
                raise PacketOrderError
    except av.FFmpegError as error:
        raise PacketOrderError from error


def _decoded(
    container: InputContainer,
    stream: VideoStream,
    index: PacketIndex,
    positions: tuple[int, ...],
    restarts: frozenset[int],
) -> Iterator[av.VideoFrame]:
    """Decode the packets at ``positions``; each restart point meets an empty decoder."""
    context = stream.codec_context
    if index.packets is None:
        packets = packets_in_file(container, stream, index, positions)
    else:
        context.flush_buffers()
        packets = (index.packets[position] for position in positions)
    for position, packet in zip(positions, packets, strict=True):
        if position in restarts and position != positions[0]:
            yield from context.decode(None)
            context.flush_buffers()
        yield from context.decode(packet)
    yield from context.decode(None)


def packets_in_file(
    container: InputContainer, stream: VideoStream, index: PacketIndex, positions: tuple[int, ...]
) -> "Iterator[av.Packet[VideoStream]]":
    """Read the packets at ``positions`` again, checking that all packets on the way are those of the index.

    Raises:
        PacketOrderError: They are not.
    """
    position, wanted = positions[0], frozenset(positions)
    container.seek(int(min(index.pts[position], index.dts[position])), stream=stream, backward=True)  # and flush
    started = False
    for packet in container.demux(stream):
        started = started or packet.pts == index.pts[position]
        if not started or packet.pts in index.no_picture_pts:
            continue
        if packet.pts != index.pts[position] or packet.size != index.sizes_bytes[position]:
            raise PacketOrderError
        if position in wanted:
            yield packet
        if position == positions[-1]:
            return
        position += 1
    raise PacketOrderError
