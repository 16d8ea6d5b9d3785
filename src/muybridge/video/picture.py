"""A decoded frame to an image: turned as its rotation tag says, RGB, and of the asked size.

Legend: H height, W width, C channels (RGB).
"""

from typing import cast

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from muybridge.video.fit_names import Fit

Image = npt.NDArray[np.uint8]


def quarter_turns(frame: av.VideoFrame) -> int:
    """How many quarter turns counter-clockwise the display matrix of ``frame`` asks for: 0, 1, 2 or 3.

    Phones write multiples of 90 degrees; any other angle is rounded to the nearest one. A matrix that mirrors
    is taken for its rotation alone.
    """
    return round(frame.rotation / 90) % 4


def displayed_size(frame: av.VideoFrame) -> tuple[int, int]:
    """Width and height of ``frame`` in pixels, after rotation."""
    if quarter_turns(frame) % 2:
        return frame.height, frame.width
    return frame.width, frame.height


class ImageMaker:
    """Makes images of the frames of one file; the tables for converting its colours are set up once.

    Args:
        size_px: side of the square that the picture becomes; None keeps the native size.
        fit: how it becomes one, see `to_square`.
    """

    def __init__(self, size_px: int | None, fit: Fit = "squash") -> None:
        self._size_px = size_px
        self._fit: Fit = fit
        self._converter = VideoReformatter()

    def image(self, frame: av.VideoFrame) -> Image:
        """Convert ``frame``, of any pixel format, to ``image_HWC``, uint8 RGB, as it is meant to be displayed."""
        # One thread: for small pictures, waking the others costs more than the conversion.
        rgb = self._converter.reformat(frame, format="rgb24", threads=1)
        image = cast(Image, np.ascontiguousarray(np.rot90(rgb.to_ndarray(), quarter_turns(frame))))
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
