"""Opening a file as video, or saying exactly why it is not one.

FFmpeg opens far more than videos: a text file becomes an animation of ANSI art, a photograph a film of one
frame, the cover picture of a song a video stream. All these are refused here, with the reason, so that
everything behind this door can rely on a real video stream. FFmpeg's log lines stay silent, which is PyAV's
default; its errors arrive as exceptions. Decoder threads are off: the callers decode many short files in
parallel, where threads inside one file cost more processor time than they save.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from muybridge.errors import VideoError

_REPLACE_FILE = "replace or remove the file"


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open ``path`` and yield its container and its video stream, ready to decode in this thread.

    Raises:
        VideoError: the file is missing, unreadable, empty, not a video, a still image or only audio.
    """
    container = _open(Path(path))
    try:
        yield container, _video_stream(Path(path), container)
    finally:
        container.close()


def _open(path: Path) -> InputContainer:
    if not path.exists():
        raise VideoError(path, "no such file", "check the path")
    if path.is_dir():
        raise VideoError(path, "a folder, not a video file", "name one file")
    if path.is_file() and path.stat().st_size == 0:
        raise VideoError(path, "empty file", "copy or download it again")
    try:
        # The prefix keeps FFmpeg from reading "a:b.mp4" as protocol "a". Some real HMDB-51 files carry
        # metadata that is not UTF-8.
        container = av.open(f"file:{path}", metadata_errors="replace")
    except PermissionError as error:
        raise VideoError(path, "not readable: permission denied", "change its permissions") from error
    except av.FFmpegError as error:
        reason = f"not a video, or cut off before its header is complete: {error.strerror}"
        raise VideoError(path, reason, _REPLACE_FILE) from error
    if container.format.name == "tty":
        container.close()
        raise VideoError(path, "not a video but text", _REPLACE_FILE)
    if container.format.name == "image2" or container.format.name.endswith("_pipe"):
        container.close()
        raise VideoError(path, "a still image, not a video", _REPLACE_FILE)
    return container


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    # The cover picture of a song is a video stream with one frame, marked as attached.
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        reason = "no video stream, only audio" if container.streams.audio else "no video stream"
        raise VideoError(path, reason, _REPLACE_FILE)
    stream = streams[0]
    if stream.codec_context is None:
        raise VideoError(path, "this FFmpeg has no decoder for its codec", "re-encode it, e.g. as H.264")
    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    return stream
