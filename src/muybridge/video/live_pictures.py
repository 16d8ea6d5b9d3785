"""Pictures of a live stream that come one by one as bytes: JPEG, or H.264 access units (Annex B).

Where the bytes are a stranger's, another process decodes them (`isolation`), and sends back squares as the model sees
them, so that little goes through the pipe.

Legend: H height, W width, C channels (RGB).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext

from muybridge.errors import UserError, VideoError
from muybridge.video.fit_names import Fit
from muybridge.video.isolation import Held
from muybridge.video.limits import Limits
from muybridge.video.picture import Image, ImageMaker, to_square

LiveFormat = Literal["jpeg", "h264"]
NAME = Path("stream")
_JPEG = b"\xff\xd8\xff"
# Start of frame of all kinds of JPEG (ITU-T T.81, table B.1), without DHT, JPG and DAC.
_FRAME_MARKS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_H264_INTRA, _H264_PARAMETERS = 5, 7


class LivePictures:
    """Decodes the parts of one stream in order.

    Args:
        format: What they are.
        size_px: Side of the square that each picture becomes.
        fit: How it becomes one, see `picture.to_square`.
    """

    def __init__(self, format: LiveFormat, *, size_px: int, fit: Fit) -> None:
        self._format = format
        self._size_px = size_px
        self._fit: Fit = fit
        self._limits = Limits.current()
        self._maker = ImageMaker(size_px, fit, name="stream")
        self._context: VideoCodecContext | None = None
        self._count = 0

    def decode(self, parts: Sequence[bytes]) -> list[tuple[int, Image]]:
        """Decode the next parts.

        Returns:
            Pictures, each with the number of the part that it came from, counted from the first of the stream.

        Raises:
            VideoError: One is no such picture, or it is too large.
        """
        found: list[tuple[int, Image]] = []
        for data in parts:
            if self._format == "jpeg":
                found.append((self._count, self._jpeg(data)))
            else:
                found += self._h264(data)
            self._count += 1
        return found

    def _jpeg(self, data: bytes) -> Image:
        size = jpeg_size(data)
        if size is None:
            raise VideoError(NAME, "a frame is no JPEG picture", "send whole pictures as JPEG")
        self._limits.check_size(NAME, *size)
        picture_HWC = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        if picture_HWC is None:
            raise VideoError(NAME, "a JPEG picture is damaged", "send whole pictures")
        return to_square(np.asarray(picture_HWC, np.uint8), self._size_px, self._fit)

    def _h264(self, data: bytes) -> list[tuple[int, Image]]:
        if self._context is None:
            if not begins_anew(data):
                return []  # what it is predicted from was never sent
            context = av.CodecContext.create("h264", "r")
            assert isinstance(context, VideoCodecContext)
            context.options = {"max_pixels": str(self._limits.pixels), "flags": "low_delay"}
            context.thread_count = 1
            self._context = context
        packet = av.Packet(data)
        packet.pts = packet.dts = self._count
        try:
            frames = self._context.decode(packet)
        except av.FFmpegError as error:
            raise VideoError(
                NAME, f"an access unit does not decode: {error.strerror}", "begin anew with a key frame"
            ) from None
        found = []
        for frame in frames:
            self._limits.check_size(NAME, frame.width, frame.height)
            number = self._count if frame.pts is None else int(frame.pts)
            found.append((number, self._maker.image(frame)))
        return found


class IsolatedPictures:
    """The same in another process.

    Args:
        held: The process.
        format: See `LivePictures`.
        size_px: See there.
        fit: See there.
    """

    def __init__(self, held: Held, format: LiveFormat, *, size_px: int, fit: Fit) -> None:
        if format not in get_args(LiveFormat):
            raise UserError(f"frames as {format!r} are not known; send jpeg or h264")
        self._held = held
        held.call(NAME, "pictures_begin", format=format, size_px=size_px, fit=fit)

    def decode(self, parts: Sequence[bytes]) -> list[tuple[int, Image]]:
        """See `LivePictures`."""
        header, pictures = self._held.call(NAME, "pictures_next", parts=list(parts))
        return list(zip(map(int, header["numbers"]), pictures, strict=True))


def begins_anew(data: bytes) -> bool:
    """Whether an H.264 access unit can be decoded without those before it: it holds an IDR picture or parameters."""
    place = data.find(b"\0\0\1")
    while 0 <= place < len(data) - 3:
        if data[place + 3] & 31 in (_H264_INTRA, _H264_PARAMETERS):
            return True
        place = data.find(b"\0\0\1", place + 3)
    return False


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height as the header of a JPEG picture says; None where it is none."""
    if not data.startswith(_JPEG):
        return None
    place = 2
    while place + 9 <= len(data):
        if data[place] != 0xFF:
            return None
        mark = data[place + 1]
        if mark == 0xFF:  # filling
            place += 1
        elif mark in _FRAME_MARKS:
            return int.from_bytes(data[place + 7 : place + 9]), int.from_bytes(data[place + 5 : place + 7])
        elif mark in _WITHOUT_LENGTH:
            place += 2
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4])
    return None
