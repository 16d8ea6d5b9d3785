"""The report's augmentation as one affine map per clip.

Notable: zoom, flip, rotation and shifts are drawn once per clip, multiplied into a single matrix and applied to
every frame in one interpolation, where the report's code resampled frame after frame with scipy. The draw comes
from a generator that the caller seeds from (seed, epoch, clip), so a clip's augmentation does not depend on the
number of workers, on the order of clips or on an interruption.

Source: Keras's ``ImageDataGenerator`` (fill mode "nearest"), with the ranges of the report.

Axes: T frames, H height, W width, C channels (RGB).
"""

import re
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from muybridge.pipeline.config import AugmentConfig

Frames = npt.NDArray[np.uint8]


class Transform(NamedTuple):
    """What one clip's frames go through: a 2x3 matrix from output to input pixel, or None, and a brightness factor."""

    matrix: npt.NDArray[np.float64] | None
    gain: float


_SIDED = re.compile(r"(^|[^a-z])(left|right)([^a-z]|$)")


def is_sided(label: str) -> bool:
    """Whether a class name says that left and right matter ("walk_left", "TurnRight").

    >>> is_sided("walk_left"), is_sided("TurnRight"), is_sided("bright light")
    (True, True, False)
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label).lower()
    return _SIDED.search(words) is not None


def draw_affine(
    config: AugmentConfig, generator: np.random.Generator, *, width_px: int, height_px: int, may_flip: bool
) -> npt.NDArray[np.float64] | None:
    """Draw one random affine map.

    Args:
        config: The ranges.
        generator: Source of randomness; the same number of draws is taken whatever the options.
        width_px: Width of the frames.
        height_px: Height of the frames.
        may_flip: False for clips whose class must not be mirrored.

    Returns:
        A 2x3 matrix from output pixel (x, y) to input pixel, or None when nothing is to be done.
    """
    zoom_x, zoom_y, angle, shift_x, shift_y = generator.uniform(-1, 1, size=5)
    mirror = generator.random() < 0.5 and config.flip and may_flip
    if not (mirror or config.zoom or config.rotation_degrees or config.shift):
        return None
    radians = np.deg2rad(angle * config.rotation_degrees)
    cos, sin = np.cos(radians), np.sin(radians)
    scale = np.diag([1 + zoom_x * config.zoom, 1 + zoom_y * config.zoom]) @ np.diag([-1 if mirror else 1, 1])
    linear = np.array([[cos, -sin], [sin, cos]]) @ scale
    centre = np.array([(width_px - 1) / 2, (height_px - 1) / 2])
    shift = config.shift * np.array([shift_x * width_px, shift_y * height_px])
    offset = centre - linear @ centre + shift
    return np.hstack([linear, offset[:, None]])


def apply_affine(frames_THWC: Frames, matrix: npt.NDArray[np.float64]) -> Frames:
    """Resample every frame with one map; pixels from outside repeat the border.

    Args:
        frames_THWC: uint8 RGB.
        matrix: 2x3, from output pixel to input pixel.

    Returns:
        frames_THWC of the same shape.
    """
    # OpenCV warps four channels in half of the time of three, to the same bits: a fourth is lent to each frame.
    height, width = frames_THWC.shape[1:3]
    out_THWC = np.empty((len(frames_THWC), height, width, 3), dtype=np.uint8)
    padded_HW4, warped_HW4 = np.empty((2, height, width, 4), dtype=np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for frame_HWC, target_HWC in zip(frames_THWC, out_THWC, strict=True):
        cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2RGBA, dst=padded_HW4)
        cv2.warpAffine(
            padded_HW4, matrix, (width, height), dst=warped_HW4, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        cv2.cvtColor(warped_HW4, cv2.COLOR_RGBA2RGB, dst=target_HWC)
    return out_THWC


def draw_transform(
    config: AugmentConfig, generator: np.random.Generator, *, width_px: int, height_px: int, may_flip: bool
) -> Transform:
    """Draw the affine map and the brightness of one clip."""
    matrix = draw_affine(config, generator, width_px=width_px, height_px=height_px, may_flip=may_flip)
    return Transform(matrix, gain=1 + config.brightness * generator.uniform(-1, 1))


def augment(frames_THWC: Frames, config: AugmentConfig, generator: np.random.Generator, *, may_flip: bool) -> Frames:
    """Apply one random draw to all frames of a clip.

    Args:
        frames_THWC: uint8 RGB.
        config: The ranges.
        generator: Source of randomness.
        may_flip: False for clips whose class must not be mirrored.

    Returns:
        frames_THWC of the same shape, uint8.
    """
    height, width = frames_THWC.shape[1:3]
    matrix, gain = draw_transform(config, generator, width_px=width, height_px=height, may_flip=may_flip)
    if matrix is not None:
        frames_THWC = apply_affine(frames_THWC, matrix)
    if gain != 1:
        scaled = cv2.convertScaleAbs(frames_THWC.reshape(-1), alpha=gain)
        frames_THWC = np.asarray(scaled, dtype=np.uint8).reshape(frames_THWC.shape)
    return frames_THWC
