"""Packets of a stream into a file: as they are where a container takes them, else encoded anew as H.264.

The file is whole or not there.
"""

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
from av.codec import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from muybridge.files import replacing
from muybridge.text import one_line
from muybridge.video.live.stream_parts import StreamPacket
from muybridge.video.picture import ImageMaker

_IN_MP4 = frozenset({"h264", "hevc", "av1", "libdav1d", "mpeg4"})
_TICK = Fraction(1, 90_000)
_X264 = {"preset": "veryfast", "crf": "23"}


def ending_for(codec: str) -> str:
    """The ending of a file with packets of a codec: MP4 where every player takes it there, else Matroska."""
    return ".mp4" if codec in _IN_MP4 else ".mkv"


class StreamFile:
    """A file that packets are written to.

    Args:
        path: Its name without an ending; a number is added where it is taken.
        template: The stream that the packets are of.

    Attributes:
        path: Its name.
        encoded_because: Why the packets are encoded anew; None where they are not.
        count: Packets, or frames, that were written.
    """

    def __init__(self, path: Path, template: VideoStream) -> None:
        self.encoded_because: str | None = None
        self.count = 0
        self._stack = ExitStack()
        codec = template.codec_context.name
        try:
            self.path = _free(path, ending_for(codec))
            self._writer: _Copier | _Encoder = _Copier(self._stack, self.path, template)
        except (av.FFmpegError, ValueError, NotImplementedError) as error:
            self.discard()  # an end without an error would give the empty file its name
            self.encoded_because = f"{codec} in {self.path.suffix}: {one_line(getattr(error, 'strerror', error))}"
            self._stack = ExitStack()
            self.path = _free(path, ".mp4")
            self._writer = _Encoder(self._stack, self.path, template)

    def write(self, packet: StreamPacket) -> None:
        """Add a packet; the first one must be of a keyframe.

        Raises:
            OSError: The disk does not take it.
        """
        self.count += self._writer.write(packet)

    def close(self) -> None:
        """End the file and give it its name.

        Raises:
            OSError: The disk does not take it; nothing is left of it.
        """
        try:
            self._writer.finish()
        except BaseException:
            self.discard()
            raise
        self._stack.close()

    def discard(self) -> None:
        """Leave nothing behind."""
        error = RuntimeError("discarded")
        self._stack.__exit__(type(error), error, None)


def _free(path: Path, ending: str) -> Path:
    number, found = 2, path.with_name(path.name + ending)
    while found.exists():
        found, number = path.with_name(f"{path.name}-{number}{ending}"), number + 1
    return found


def _ticks(time: int | None, packet: StreamPacket) -> int:
    if time is None or packet.time_base is None:
        return round(packet.seconds / _TICK)
    return round(time * packet.time_base / _TICK)


class _Copier:
    """Packets as they are."""

    def __init__(self, stack: ExitStack, path: Path, template: VideoStream) -> None:
        temporary = stack.enter_context(replacing(path, durable=False))
        self._container = stack.enter_context(av.open(str(temporary), "w"))
        # Opaque: no encoder is looked for; there is none by the name of some decoders, such as libdav1d.
        self._out = self._container.add_stream_from_template(template, opaque=True)
        self._origin: int | None = None
        self._last_dts = -1
        self._container.start_encoding()

    def write(self, packet: StreamPacket) -> int:
        out = av.Packet(packet.data)
        out.stream = self._out
        out.is_keyframe = packet.is_key
        # All in one unit: the first packets of a stream may have no dts (Matroska) or no times at all.
        pts = _ticks(packet.pts, packet)
        dts = _ticks(packet.dts, packet) if packet.dts is not None else pts
        if self._origin is None:
            self._origin = dts
        dts = max(dts - self._origin, self._last_dts + 1)  # no container takes a time twice
        if packet.dts is None and packet.pts is not None and self._last_dts >= 0:
            dts = self._last_dts + 1  # before what follows, whose dts may be less than this pts
        if self._last_dts >= 0:
            out.duration = dts - self._last_dts  # else MP4 has the last frame last for no time, and leaves it out
        self._last_dts = dts
        out.time_base, out.dts, out.pts = _TICK, dts, max(dts, pts - self._origin)
        self._container.mux(out)
        return 1

    def finish(self) -> None:
        pass  # the container writes its index when it is closed


class _Encoder:
    """Packets decoded, and encoded as H.264."""

    def __init__(self, stack: ExitStack, path: Path, template: VideoStream) -> None:
        temporary = stack.enter_context(replacing(path, durable=False))
        self._container = stack.enter_context(av.open(str(temporary), "w", format="mp4"))
        context = template.codec_context
        decoder = CodecContext.create(context.name, "r")
        assert isinstance(decoder, VideoCodecContext)
        self._decoder = decoder
        if context.extradata is not None:
            decoder.extradata = context.extradata
        if context.width and context.height:  # what has no header of its own, such as raw pictures, needs them
            decoder.width, decoder.height = context.width, context.height
            if context.pix_fmt:
                decoder.pix_fmt = context.pix_fmt
        self._maker = ImageMaker(None)
        self._out: VideoStream | None = None
        self._seconds: list[float] = []  # of packets whose frames have not come
        self._origin: float | None = None
        self._last = -1

    def write(self, packet: StreamPacket) -> int:
        given = av.Packet(packet.data)
        given.is_keyframe = packet.is_key
        self._seconds.append(packet.seconds)
        try:
            frames = self._decoder.decode(given)
        except av.error.InvalidDataError:
            return 0
        return self._encode(frames)

    def _encode(self, frames: list[av.VideoFrame]) -> int:
        for frame in frames:
            seconds = min(self._seconds)
            self._seconds.remove(seconds)
            if self._origin is None:
                self._origin = seconds
            image_HWC = self._maker.image(frame)
            image_HWC = image_HWC[: image_HWC.shape[0] // 2 * 2, : image_HWC.shape[1] // 2 * 2].copy()
            if self._out is None:
                self._out = self._container.add_stream("libx264", rate=Fraction(25), options=_X264)
                self._out.height, self._out.width = image_HWC.shape[:2]
                self._out.pix_fmt = "yuv420p"
                self._out.time_base = self._out.codec_context.time_base = _TICK
            picture = av.VideoFrame.from_ndarray(image_HWC, format="rgb24")
            if (picture.width, picture.height) != (self._out.width, self._out.height):
                picture = picture.reformat(width=self._out.width, height=self._out.height)
            self._last = max(self._last + 1, round((seconds - self._origin) / _TICK))
            picture.pts, picture.time_base = self._last, _TICK
            self._container.mux(self._out.encode(picture))
        return len(frames)

    def finish(self) -> None:
        self._encode(self._decoder.decode(None))
        if self._out is not None:
            self._container.mux(self._out.encode())
