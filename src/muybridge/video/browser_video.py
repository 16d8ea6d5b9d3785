"""A video that browsers play: the file itself, or a copy as H.264 and AAC in MP4, on whose pictures one may draw.

What browsers play is what all current ones do (developer.mozilla.org, guides to containers and codecs): H.264, VP8, VP9
and AV1 with eight bits and 4:2:0, in MP4 or WebM.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from muybridge.errors import VideoError
from muybridge.files import replacing
from muybridge.video.container import open_video
from muybridge.video.formats import SOUND_CODECS
from muybridge.video.isolation import current
from muybridge.video.picture import Image, ImageMaker
from muybridge.video.whole_reading import OpenedFile

_CONTAINERS = {".mp4", ".m4v", ".webm"}
_CODECS = {"h264", "vp8", "vp9", "av1", "libdav1d", "libvpx", "libvpx-vp9"}
_PIXELS = {"yuv420p", "yuvj420p"}
_TICK = Fraction(1, 90_000)
_X264 = {"preset": "veryfast", "crf": "23"}
_REPORT_EVERY = 250
# How large the copy of a stranger's video may become: a few bytes can hold hours of pictures.
_COPY_GROWTH, _LEAST_COPY_BYTES = 16, 2**28
_COPY_SECONDS = 3600.0
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

Paint = Callable[[Image, float], None]
"""Draws on a picture, given its time in seconds."""


def plays_in_browsers(path: Path) -> bool:
    """Whether every current browser plays a file.

    Raises:
        VideoError: It is no readable video.
    """
    if path.suffix.lower() not in _CONTAINERS:
        return False
    isolation = current()
    if isolation is not None:
        return bool(isolation.call(path, "plays")[0]["plays"])
    with open_video(path) as (_, stream):
        return stream.codec_context.name in _CODECS and stream.codec_context.pix_fmt in _PIXELS


def write_for_browsers(
    path: Path, copy: Path, *, paint: Paint | None = None, report: Callable[[float], None] | None = None
) -> str | None:
    """Write a copy of a video as H.264 in MP4, upright, with the times of its frames and its first sound.

    Args:
        path: The video; in isolation, another process decodes it and writes the copy, and nobody paints or reports.
        copy: The file to write, whole or not at all.
        paint: Draws on each picture.
        report: Called now and then with the seconds that are done.

    Returns:
        Why the sound is not whole, or None.

    Raises:
        VideoError: It is no readable video.
    """
    isolation = current()
    if isolation is not None and paint is None:
        with replacing(copy, durable=False) as temporary:
            most_bytes = max(_LEAST_COPY_BYTES, _COPY_GROWTH * path.stat().st_size)
            found = isolation.write(
                path, "for_browsers", most_bytes=most_bytes, most_seconds=_COPY_SECONDS, copy=temporary
            )
        return None if found["problem"] is None else str(found["problem"])
    maker = ImageMaker(None, name=path)
    with ExitStack() as stack:
        temporary = stack.enter_context(replacing(copy, durable=False))
        container = stack.enter_context(av.open(str(temporary), "w", format="mp4"))
        source, source_stream = stack.enter_context(open_video(path))
        sound = _Sound(source, source_stream)
        stream: VideoStream | None = None
        last = -1
        with OpenedFile(path) as file:
            for number, (seconds, frame) in enumerate(file.frames()):
                image_HWC = maker.image(frame)
                # 4:2:0 halves both sides.
                image_HWC = image_HWC[: image_HWC.shape[0] // 2 * 2, : image_HWC.shape[1] // 2 * 2].copy()
                if stream is None:
                    stream = _video_stream(container, image_HWC)
                    sound.begin(container)
                if image_HWC.shape[:2] != (stream.height, stream.width):
                    raise VideoError(path, "the picture size changes within the file", "re-encode it, e.g. as H.264")
                if paint is not None:
                    paint(image_HWC, seconds)
                out = av.VideoFrame.from_ndarray(image_HWC, format="rgb24")
                last = max(last + 1, round(seconds / _TICK))
                out.pts, out.time_base = last, _TICK
                sound.write_until(seconds)
                container.mux(stream.encode(out))
                if report is not None and number % _REPORT_EVERY == 0:
                    report(seconds)
        assert stream is not None  # a file without a frame has raised
        container.mux(stream.encode())
        sound.finish()
    return sound.problem


def _video_stream(container: OutputContainer, image_HWC: Image) -> VideoStream:
    stream = container.add_stream("libx264", rate=Fraction(25), options=_X264)
    stream.height, stream.width = image_HWC.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = _TICK
    return stream


class _Sound:
    """The first sound of a video on its way into a copy; nothing where there is none.

    Attributes:
        problem: Why it broke off, or None.
    """

    def __init__(self, source: InputContainer, video: VideoStream) -> None:
        self.problem: str | None = None
        self._stream: AudioStream | None = next(iter(source.streams.audio), None)
        if self._stream is not None and self._stream.codec_context.name not in SOUND_CODECS:
            self.problem = f"its sound ({self._stream.codec_context.name}) is not among the formats that are opened"
            self._stream = None
        self._frames = self._decoded(source, video)
        self._next: tuple[float, av.AudioFrame] | None = None
        self._container: OutputContainer | None = None
        self._out: AudioStream

    def begin(self, container: OutputContainer) -> None:
        """Make the stream of the copy."""
        self._next = next(self._frames, None)
        if self._next is not None:
            # What a header says of channels is not always what comes.
            frame = self._next[1]
            rate = frame.sample_rate if frame.sample_rate in _AAC_RATES else 48_000
            self._out = container.add_stream("aac", rate=rate)
            self._out.layout = "mono" if len(frame.layout.channels) == 1 else "stereo"
            self._container = container

    def write_until(self, seconds: float) -> None:
        """Write what sounds up to a time."""
        while self._container is not None and self._next is not None and self._next[0] <= seconds:
            self._container.mux(self._out.encode(self._next[1]))
            self._next = next(self._frames, None)

    def finish(self) -> None:
        """Write the rest."""
        if self._container is not None:
            self.write_until(float("inf"))
            self._container.mux(self._out.encode(None))

    def _decoded(self, source: InputContainer, video: VideoStream) -> Iterator[tuple[float, av.AudioFrame]]:
        """The frames with their times since the first picture; those before it are left out."""
        if self._stream is None:
            return
        start = 0.0 if video.start_time is None or video.time_base is None else video.start_time * video.time_base
        try:
            for frame in source.decode(self._stream):
                if frame.pts is None or frame.time_base is None:
                    continue
                seconds = float(frame.pts * frame.time_base - start)
                if seconds >= 0:
                    frame.pts, frame.time_base = round(seconds * frame.sample_rate), Fraction(1, frame.sample_rate)
                    yield seconds, frame
        except av.FFmpegError as error:
            self.problem = f"the sound breaks off: {error.strerror}"
