"""Opening a stream, with a limit on how long that may take, or saying why it does not open."""

import time
from contextlib import ExitStack
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from muybridge.errors import UserError
from muybridge.text import one_line
from muybridge.video.container import open_video
from muybridge.video.formats import CODECS
from muybridge.video.limits import PIXELS, Limits
from muybridge.video.live.live_formats import BY_ARRIVAL, live_options
from muybridge.video.live.live_sources import LiveSource

OPEN_SECONDS = 5.0
"""How long a stream may take to open when it is joined; what it holds is looked at meanwhile."""

_PLAYLIST_SECONDS = 30.0
"""A playlist brings its pictures in parts of several seconds: it stalls when none comes for this long."""


@dataclass(frozen=True)
class OpenStream:
    """A stream that is open.

    Attributes:
        container: It.
        stream: Its pictures.
        by_arrival: Whether its frames have no times but those at which they come.
        is_recording: Whether it has an end and could be read faster than it plays: a file, also one over HTTP.
        in_bursts: Whether it brings pictures for seconds at once.
        held: What is closed with it.
    """

    container: InputContainer
    stream: VideoStream
    held: ExitStack
    by_arrival: bool = False
    is_recording: bool = False
    in_bursts: bool = False

    def close(self) -> None:
        """Close it."""
        self.held.close()


def open_stream_of(source: LiveSource, *, stall_seconds: float) -> OpenStream:
    """Open a stream.

    Args:
        source: What it is.
        stall_seconds: How long reading waits for the next packet.

    Raises:
        UserError: It does not open, or has no pictures; the line holds no credentials.
    """
    if source.kind == "file":
        return _open_file(source)
    limits = Limits.current()
    is_playlist = ".m3u8" in source.opened_as.partition("?")[0]
    container = _open(source, limits, stall_seconds=_PLAYLIST_SECONDS if is_playlist else stall_seconds)
    with ExitStack() as stack:
        stack.callback(container.close)
        if container.format.name == "hls" and not is_playlist:  # its limit of reading is set when it is opened
            container.close()
            container = _open(source, limits, stall_seconds=_PLAYLIST_SECONDS)
            stack.callback(container.close)
        stream = _checked(source, container, limits)
        return _described(source, container, stream, stack.pop_all())


def _open(source: LiveSource, limits: Limits, *, stall_seconds: float) -> InputContainer:
    began = time.monotonic()
    try:
        container = av.open(
            source.opened_as,
            format=source.demuxer,
            options=live_options(
                source.allowed, max_pixels=limits.pixels, socket_seconds=max(OPEN_SECONDS, stall_seconds) + 1
            ),
            metadata_errors="replace",
            timeout=(OPEN_SECONDS if source.kind == "address" else None, stall_seconds),
        )
    except av.ArgumentError:
        raise UserError(
            f"{source.name}: its format is not among those that are opened; docs/how-to/watch.md lists them"
        ) from None
    except Exception as error:  # FFmpeg's errors name the address, which may hold a password
        raise UserError(f"{source.name}: {_why(error, time.monotonic() - began)}") from None
    assert isinstance(container, InputContainer)
    return container


def _open_file(source: LiveSource) -> OpenStream:
    with ExitStack() as stack:
        container, stream = stack.enter_context(open_video(source.opened_as))
        return OpenStream(container, stream, stack.pop_all(), is_recording=True)


def _checked(source: LiveSource, container: InputContainer, limits: Limits) -> VideoStream:
    streams = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    if not streams:
        raise UserError(f"{source.name}: it has no pictures; check that it is the address of the video")
    stream = streams[0]
    context = stream.codec_context
    if context is None or context.name not in CODECS:
        codec = "unknown" if context is None else context.name
        raise UserError(f"{source.name}: its codec {codec} is not among those that are opened; have it sent as H.264")
    if context.width * context.height > limits.pixels:
        raise UserError(f"{source.name}: pictures of {context.width} x {context.height} pixels; {PIXELS} allows fewer")
    context.options = {"max_pixels": str(limits.pixels)}
    stream.thread_type = "NONE"  # threads of a decoder hold frames back
    context.thread_count = 1
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    return stream


def _described(source: LiveSource, container: InputContainer, stream: VideoStream, held: ExitStack) -> OpenStream:
    format_name = container.format.name
    has_end = bool(container.duration and container.duration > 0) and format_name not in BY_ARRIVAL
    return OpenStream(
        container,
        stream,
        held,
        by_arrival=format_name in BY_ARRIVAL,
        is_recording=has_end and source.allowed in ("http", "https"),
        in_bursts=format_name == "hls",
    )


def _why(error: Exception, took_seconds: float) -> str:
    if isinstance(error, av.error.ExitError) or took_seconds >= OPEN_SECONDS:
        return f"it does not answer within {OPEN_SECONDS:g} s; check the address, and that the other side is on"
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return "it wants another user or password; write them like rtsp://user:password@host/path"
    if isinstance(error, av.FFmpegError):
        why = one_line(error.strerror or type(error).__name__)
        return f"it does not open: {why}; check the address, and that the other side is on"
    return f"it does not open: {type(error).__name__}"
