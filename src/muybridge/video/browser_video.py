"""A video that browsers play: the file itself, or a copy as H.264 in MP4, without sound.

What browsers play is what all current ones do (developer.mozilla.org, media type and format guide): H.264, VP8, VP9 and
AV1 with eight bits, in MP4 or WebM; an H.264 of 4:2:2 or ten bits is played by some only.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from muybridge.errors import VideoError
from muybridge.files import replacing
from muybridge.video.container import open_video
from muybridge.video.picture import ImageMaker
from muybridge.video.whole_reading import OpenedFile

_CONTAINERS = {".mp4", ".m4v", ".webm"}
_CODECS = {"h264", "vp8", "vp9", "av1"}
_PIXELS = {"yuv420p", "yuvj420p"}
_TICKS = 90_000
_X264 = {"preset": "veryfast", "crf": "23"}


def plays_in_browsers(path: Path) -> bool:
    """Whether every current browser plays a file.

    Raises:
        VideoError: It is no readable video.
    """
    if path.suffix.lower() not in _CONTAINERS:
        return False
    with open_video(path) as (_, stream):
        context = stream.codec_context
        return context.name in _CODECS | {"libdav1d", "libvpx", "libvpx-vp9"} and context.pix_fmt in _PIXELS


def write_for_browsers(path: Path, copy: Path, *, report: Callable[[float], None] | None = None) -> None:
    """Write a copy of a video as H.264 in MP4, with the times of its frames, upright.

    Args:
        path: The video.
        copy: The file to write, whole or not at all.
        report: Called now and then with the seconds that are done.

    Raises:
        VideoError: It is no readable video.
    """
    maker = ImageMaker(None, name=path)
    with replacing(copy, durable=False) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream: VideoStream | None = None
        last = -1
        with OpenedFile(path) as file:
            for number, (seconds, frame) in enumerate(file.frames()):
                image_HWC = maker.image(frame)
                # 4:2:0 halves both sides.
                image_HWC = image_HWC[: image_HWC.shape[0] // 2 * 2, : image_HWC.shape[1] // 2 * 2]
                if stream is None:
                    stream = container.add_stream("libx264", rate=Fraction(25), options=_X264)
                    stream.height, stream.width = image_HWC.shape[:2]
                    stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, _TICKS)
                    stream.codec_context.time_base = Fraction(1, _TICKS)
                if image_HWC.shape[:2] != (stream.height, stream.width):
                    raise VideoError(path, "the picture size changes within the file", "re-encode it, e.g. as H.264")
                out = av.VideoFrame.from_ndarray(image_HWC, format="rgb24")
                last = max(last + 1, round(seconds * _TICKS))
                out.pts, out.time_base = last, Fraction(1, _TICKS)
                container.mux(stream.encode(out))
                if report is not None and number % 250 == 0:
                    report(seconds)
        assert stream is not None  # a file without a frame has raised
        container.mux(stream.encode())
