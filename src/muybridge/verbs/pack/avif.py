"""Frames as AVIF images, by Pillow, whose wheels bring libavif and libaom."""

import io

from PIL import Image as PillowImage
from PIL import features

from muybridge.errors import UserError
from muybridge.video.picture import Image

_SPEED = 8
"""Of libaom, 0 to 10: twice as fast as Pillow's default for files a few percent larger."""


def require_avif() -> None:
    """Make sure that Pillow writes AVIF.

    Raises:
        UserError: It does not.
    """
    if not features.check("avif"):
        raise UserError("this Pillow writes no AVIF; install the wheel of Pillow 11.3 or newer, or pack kind jpeg")


def to_avif(image_HWC: Image, *, quality: int) -> bytes:
    """Compress an RGB image; ``quality`` is AVIF's, up to 100."""
    buffer = io.BytesIO()
    # One thread: several clips are encoded at once.
    PillowImage.fromarray(image_HWC).save(buffer, "AVIF", quality=quality, speed=_SPEED, max_threads=1)
    return buffer.getvalue()
