"""A decoded frame to an image: turned as its rotation tag says, RGB, and of the asked size.

Legend: H height, W width, C channels (RGB).
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.buffer import Buffer
from av.video.reformatter import VideoReformatter

from muybridge.errors import VideoError
from muybridge.text import one_line
from muybridge.video.fit_names import Fit

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Orientation:
    """How the pictures of a file are meant to be shown: mirrored left and right first, if at all, and then turned."""

    mirrored: bool = False
    quarter_turns: int = 0  # counter-clockwise: 0, 1, 2 or 3

    def apply(self, image_HWC: Image) -> Image:
        """The picture as it is meant to be shown."""
        if self.mirrored:
            image_HWC = image_HWC[:, ::-1]
        return cast(Image, np.ascontiguousarray(np.rot90(image_HWC, self.quarter_turns)))


_AS_STORED = Orientation()
_TURNS = {(1, 0): 0, (0, -1): 1, (-1, 0): 2, (0, 1): 3}


def orientation(frame: av.VideoFrame) -> Orientation:
    """What the display matrix of ``frame`` asks for.

    Phones write multiples of 90 degrees, and mirror pictures of the camera at the front; any other angle is rounded to
    the nearest of these eight. A scale, as files have it whose pixels are not square, is left aside: pictures keep the
    pixels that they have.
    """
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV knows not all kinds of data beside a frame, and then gives none; but it has the rotation
        return Orientation(quarter_turns=round(frame.rotation / 90) % 4)
    if matrix is None:
        return _AS_STORED
    return orientation_of(bytes(cast(Buffer, matrix)))


def orientation_of(matrix: bytes) -> Orientation:
    """The same of a display matrix: nine 32-bit numbers, of which x' = a x + c y and y' = b x + d y need four.

    >>> orientation_of(struct.pack("=9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))  # a phone held upright
    Orientation(mirrored=False, quarter_turns=3)
    """
    a, b, _, c, d = (value / 65536 for value in struct.unpack_from("=5i", matrix))
    # Each direction of the shown picture by itself, so that a scale of one of them does not count as an angle.
    across, down = math.hypot(a, c), math.hypot(b, d)
    if not across or not down:
        return _AS_STORED
    a, c, b, d = a / across, c / across, b / down, d / down
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b  # what remains once the picture is mirrored
    step = (round(math.copysign(1, a)), 0) if abs(a) >= abs(b) else (0, round(math.copysign(1, b)))
    return Orientation(mirrored, _TURNS[step])


def displayed_size(frame: av.VideoFrame) -> tuple[int, int]:
    """Width and height of ``frame`` in pixels, after rotation."""
    if orientation(frame).quarter_turns % 2:
        return frame.height, frame.width
    return frame.width, frame.height


class ImageMaker:
    """Makes images of the frames of one file; the tables for converting its colours are set up once.

    Args:
        size_px: side of the square that the picture becomes; None keeps the native size.
        fit: how it becomes one, see `to_square`.
        name: the file, for errors.
    """

    def __init__(self, size_px: int | None, fit: Fit = "squash", *, name: str | Path = "picture") -> None:
        self._name = name
        self._size_px = size_px
        self._fit: Fit = fit
        self._converter = VideoReformatter()

    def image(self, frame: av.VideoFrame) -> Image:
        """Convert ``frame``, of any pixel format, to ``image_HWC``, uint8 RGB, as it is meant to be displayed.

        Raises:
            VideoError: FFmpeg does not convert it.
        """
        try:
            # One thread: for small pictures, waking the others costs more than the conversion.
            rgb = self._converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        except Exception as error:  # of whatever kind, as everywhere at this door
            reason = f"its pictures ({frame.format.name}) are not converted: {type(error).__name__}: {one_line(error)}"
            raise VideoError(self._name, reason, "re-encode it, e.g. as H.264") from error
        image = orientation(frame).apply(cast(Image, rgb))
        return image if self._size_px is None else to_square(image, self._size_px, self._fit)


def to_square(image_HWC: Image, size_px: int, fit: Fit = "squash") -> Image:
    """Make an image a square of ``size_px``: how the frames of files and of arrays are.

    ``"squash"`` takes the whole picture, whatever its aspect (as the paper does); ``"crop"`` keeps its aspect and
    takes the square in its middle, as high or as wide as its short side. Shrinking averages over areas, enlarging
    interpolates linearly.
    """
    if fit == "crop":
        height, width = image_HWC.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image_HWC = np.ascontiguousarray(image_HWC[top : top + side, left : left + side])
    shrinks = image_HWC.shape[0] * image_HWC.shape[1] >= size_px * size_px
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cast(Image, cv2.resize(image_HWC, (size_px, size_px), interpolation=interpolation))


def to_jpeg(image_HWC: Image, *, quality: int) -> bytes:
    """Compress an RGB image; ``quality`` is JPEG's, up to 100."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image_HWC, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV cannot write JPEG")
    return bytes(data)
