"""Augmentation: the paper's and random crops as one affine map per clip, then colours.

Notable: crop, zoom, flip, rotation and shifts are drawn once per clip, multiplied into a single matrix and applied to
every frame in one interpolation, where the paper's code resampled frame after frame with scipy. The draw comes
from a generator that the caller seeds from (seed, epoch, clip), so a clip's augmentation does not depend on the
number of workers, on the order of clips or on an interruption.

Source: Keras's ``ImageDataGenerator`` (fill mode "nearest"), with the ranges of the paper; crops as
in Szegedy et al., Going Deeper with Convolutions, 2015, section 6.

Axes: T frames, H height, W width, C channels (RGB).
"""

import re
from typing import NamedTuple

import cv2
import numpy as np

from muybridge.pipeline.affine import Frames, Matrix, about_centre, apply_affine, compose
from muybridge.recipes.augment import AugmentConfig

# Bounds of a crop's aspect, against that of the whole frame.
_CROP_ASPECT = (3 / 4, 4 / 3)


class Transform(NamedTuple):
    """What one clip's frames go through: a 2x3 matrix from output to input pixel, or None, and a brightness factor."""

    matrix: Matrix | None
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
) -> Matrix | None:
    """Draw one random affine map from the paper's ranges.

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
    matrix = about_centre(linear, width_px=width_px, height_px=height_px)
    matrix[:, 2] += config.shift * np.array([shift_x * width_px, shift_y * height_px])
    return matrix


def draw_crop(smallest_share: float, generator: np.random.Generator, *, width_px: int, height_px: int) -> Matrix | None:
    """Draw a random part of the frame, to be resized to the whole.

    Args:
        smallest_share: Of the area; 1 takes the whole frame.
        generator: Source of randomness; the same number of draws is taken whatever the share.
        width_px: Width of the frames.
        height_px: Height of the frames.

    Returns:
        A 2x3 matrix from output pixel (x, y) to input pixel, or None when nothing is to be done.
    """
    share, aspect, right, down = generator.random(size=4)
    if smallest_share == 1:
        return None
    share = smallest_share + (1 - smallest_share) * share
    # Only aspects with which the part fits into the frame, so that no draw has to be repeated.
    low, high = np.log([max(_CROP_ASPECT[0], share), min(_CROP_ASPECT[1], 1 / share)])
    ratio = np.exp(low + (high - low) * aspect)
    scale = np.sqrt([share * ratio, share / ratio])
    size = np.array([width_px, height_px])
    start = np.array([right, down]) * (1 - scale) * size
    # Pixel centres lie at whole numbers, the frame's edge half a pixel before the first.
    return np.hstack([np.diag(scale), (start + (scale - 1) / 2)[:, None]])


def draw_transform(
    config: AugmentConfig, generator: np.random.Generator, *, width_px: int, height_px: int, may_flip: bool
) -> Transform:
    """Draw the affine map, the crop's included, and the brightness of one clip."""
    matrix = draw_affine(config, generator, width_px=width_px, height_px=height_px, may_flip=may_flip)
    gain = 1 + config.brightness * generator.uniform(-1, 1)
    crop = draw_crop(config.crop_scale, generator, width_px=width_px, height_px=height_px)
    return Transform(compose(crop, matrix), gain)


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
