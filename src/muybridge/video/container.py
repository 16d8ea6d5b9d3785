"""Opening a file as video, or saying exactly why it is not one.

FFmpeg opens far more than videos: a text file becomes an animation of ANSI art or a list of other files, a photograph
a film of one frame, the cover picture of a song a video stream. All these are refused here, with the reason, so that
everything behind this door can rely on a real video stream: of a format that is on the list (`formats`), in a regular
file, with pictures of a size that the limits allow (`limits`). Decoders and demuxers are C code that strangers' files
go through; whatever they raise becomes a `VideoError`.

FFmpeg's log lines stay silent, which is PyAV's default. Decoder threads are off: the callers decode many short files in
parallel, where threads inside one file cost more processor time than they save.
"""

import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from muybridge.errors import VideoError
from muybridge.file_parts import is_ordinary, open_bytes, part_at, status_of
from muybridge.text import one_line
from muybridge.video.formats import (
    CODECS,
    known_by_beginning,
    lists_streams_in_header,
    not_on_the_list,
    not_opened,
    open_options,
    refuse_by_beginning,
    size_in_header,
)
from muybridge.video.frame_record import as_film, is_frame_record
from muybridge.video.hardware import acceleration
from muybridge.video.limits import Limits

_REPLACE_FILE = "replace or remove the file"
_HEAD_BYTES = 4096


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open ``path`` and yield its container and its video stream, ready to decode in this thread.

    Raises:
        VideoError: the file is missing, unreadable, no regular file, empty, not a video, of a format that is not on
            the list, a still image or only audio, or its pictures are larger than the limits allow.
    """
    path = Path(path)
    limits = Limits.current()
    head = _head(path)
    film = as_film(path) if is_frame_record(path) else None
    container = _open(path, head if film is None else film[:_HEAD_BYTES], film, limits)
    try:
        yield container, _video_stream(path, container, limits)
    finally:
        container.close()


def packets_of(path: Path, container: InputContainer, stream: VideoStream) -> "Iterator[av.Packet[VideoStream]]":
    """The packets of a stream from where the container stands to its end; none is empty and only meant to flush.

    Raises:
        av.FFmpegError: the file breaks off here.
        VideoError: reading does not get on, or fails in another way.
    """
    limits = Limits.current()
    demuxed = container.demux(stream)
    while True:
        began = time.monotonic()
        try:
            packet = next(demuxed)
        except (StopIteration, IndexError):
            # PyAV ends with a packet for each stream to flush its decoder. Of streams that turned up on the way it
            # has no list, and an IndexError says so; all packets with data have come by then.
            return
        except av.FFmpegError:
            if time.monotonic() - began >= limits.stall_seconds:
                raise limits.stalled(path) from None
            raise
        except Exception as error:
            raise unforeseen(path, error) from error
        if packet.stream_index == stream.index and (packet.size or packet.pts is not None or packet.dts is not None):
            yield packet


def unforeseen(path: Path, error: Exception) -> VideoError:
    """The error for what FFmpeg or PyAV raise beside their own errors."""
    detail = one_line(str(error) or "no reason given")
    return VideoError(path, f"reading fails: {type(error).__name__}: {detail}", _REPLACE_FILE)


def _head(path: Path) -> bytes:
    """The first bytes of a file, which is a regular one and not empty; nothing else is opened."""
    try:
        found = status_of(path)
    except FileNotFoundError:
        raise VideoError(path, "no such file", "check the path") from None
    except PermissionError as error:
        raise VideoError(path, "not readable: permission denied", "change its permissions") from error
    except (OSError, ValueError) as error:  # a loop of links, a name too long, a name with a zero byte
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(path, f"not readable: {reason}", "check the path") from error
    if stat.S_ISDIR(found.st_mode):
        raise VideoError(path, "a folder, not a video file", "name one file")
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "a device")
        raise VideoError(path, f"{kind}, not a regular file", "save the video to a file first")
    part = part_at(path)
    if (found.st_size if part is None else part.size_bytes) == 0:
        raise VideoError(path, "empty file", "copy or download it again")
    try:
        with open_bytes(path) as file:
            return file.read(_HEAD_BYTES)
    except PermissionError as error:
        raise VideoError(path, "not readable: permission denied", "change its permissions") from error
    except OSError as error:
        raise VideoError(path, f"not readable: {error.strerror}", "check the disk, or copy the file again") from error


_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def _open(path: Path, head: bytes, film: bytes | None, limits: Limits) -> InputContainer:
    refuse_by_beginning(path, head)
    size = size_in_header(head)
    if size is not None:
        limits.check_size(path, *size)
    if not lists_streams_in_header(head):
        # FFmpeg decodes pictures to learn about streams that turn up on the way, before a limit can be set for them.
        _check_sizes(path, head, film, limits)
    container = _try_open(path, head, film, limits, decode=True)
    if any(s.codec_context is not None and not s.codec_context.width for s in container.streams.video):
        try:  # a decoder that refuses a size forgets it, too
            _check_sizes(path, head, film, limits)
        except VideoError:
            container.close()
            raise
    return container


def _check_sizes(path: Path, head: bytes, film: bytes | None, limits: Limits) -> None:
    """Refuse a file with pictures that are too large, by its headers alone."""
    container = _try_open(path, head, film, limits, decode=False)
    try:
        for stream in container.streams.video:
            if stream.codec_context is not None:
                limits.check_size(path, stream.codec_context.width, stream.codec_context.height)
    finally:
        container.close()


def _try_open(path: Path, head: bytes, film: bytes | None, limits: Limits, *, decode: bool) -> InputContainer:
    began = time.monotonic()
    try:
        # The prefix keeps FFmpeg from reading "a:b.mp4" as protocol "a". Some real HMDB-51 files carry
        # metadata that is not UTF-8. PyAV keeps an opened part alive as long as its container.
        container = av.open(
            f"file:{path}" if is_ordinary(path) else open_bytes(path) if film is None else BytesIO(film),
            options=open_options(limits.pixels, decode=decode),
            metadata_errors="replace",
            timeout=limits.stall_seconds,
            hwaccel=acceleration() if decode else None,
        )
    except av.ArgumentError as error:
        # What FFmpeg answers to a format that is not on the list; text and pictures are told apart by their bytes.
        raise (known_by_beginning(path, head) or not_on_the_list(path, "its format")) from error
    except av.FFmpegError as error:
        if time.monotonic() - began >= limits.stall_seconds:
            raise limits.stalled(path) from error
        raise (known_by_beginning(path, head) or not_opened(path, str(error.strerror))) from error
    except Exception as error:
        if decode and acceleration() is not None and "no stream is compatible" in str(error):
            raise VideoError(path, "its codec is none that the GPU decodes", "say data.decoder cpu") from error
        raise unforeseen(path, error) from error
    assert isinstance(container, InputContainer)
    return container


def _video_stream(path: Path, container: InputContainer, limits: Limits) -> VideoStream:
    # The cover picture of a song is a video stream with one frame, marked as attached.
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        reason = "no video stream, only audio" if container.streams.audio else "no video stream"
        raise VideoError(path, reason, _REPLACE_FILE)
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise VideoError(path, "this FFmpeg has no decoder for its codec", "re-encode it, e.g. as H.264")
    if context.name not in CODECS:
        raise not_on_the_list(path, f"its codec {context.name}")
    limits.check_size(path, context.width, context.height)
    context.options = {"max_pixels": str(limits.pixels)}  # also where the size changes later
    stream.thread_type = "NONE"
    context.thread_count = 1
    return stream
