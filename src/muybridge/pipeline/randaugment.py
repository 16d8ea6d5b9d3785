"""RandAugment for clips: a few operations drawn from a list, each done to all frames alike.

Notable: one draw per clip. Where an operation looks at the picture (autocontrast, equalize, contrast), it looks at all
frames together, so that nothing flickers. Nothing mirrors, so it suits classes for which sides matter. What a
shift or a turn brings in from outside repeats the border, as in ``augmentation``.

Source: Cubuk et al., RandAugment: Practical Automated Data Augmentation with a Reduced Search Space, 2019, section 3;
the ranges are those of AutoAugment (Cubuk et al., 2018, table 6), with 10 as the largest magnitude.

Axes: T frames, H height, W width, C channels (RGB).
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from muybridge.pipeline.affine import Frames, about_centre, apply_affine

LARGEST_MAGNITUDE = 10

_LEVELS = np.arange(256)
# ITU-R BT.601, as in OpenCV's and Pillow's conversion to grey.
_GREY_SHARES_C = np.array([0.299, 0.587, 0.114])
_SMOOTHING = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13

Operation = Callable[[Frames, float], Frames]
"""Changes frames_THWC by a strength between -1 and 1: the share of the largest magnitude, with a random sign."""


def randaugment(frames_THWC: Frames, generator: np.random.Generator, *, operations: int, magnitude: float) -> Frames:
    """Draw operations, with replacement, and do them one after the other to all frames.

    Args:
        frames_THWC: uint8 RGB.
        generator: Source of randomness.
        operations: How many are drawn (N of the paper).
        magnitude: How strong they are, from 0 to 10 (M of the paper).

    Returns:
        frames_THWC of the same shape, uint8.
    """
    names = list(OPERATIONS)
    for _ in range(operations):
        name = names[generator.integers(len(names))]
        sign = 1 if generator.random() < 0.5 else -1
        frames_THWC = OPERATIONS[name](frames_THWC, sign * magnitude / LARGEST_MAGNITUDE)
    return frames_THWC


def _identity(frames_THWC: Frames, strength: float) -> Frames:
    return frames_THWC


def _autocontrast(frames_THWC: Frames, strength: float) -> Frames:
    """Stretch each channel to the whole range."""
    table = np.empty((256, 3))
    for channel, counts in enumerate(_histograms(frames_THWC)):
        low, high = counts.nonzero()[0][[0, -1]]
        table[:, channel] = (_LEVELS - low) * 255 / (high - low) if high > low else _LEVELS
    return _look_up(frames_THWC, table)


def _equalize(frames_THWC: Frames, strength: float) -> Frames:
    """Make all levels of each channel about equally frequent."""
    table = np.empty((256, 3))
    for channel, counts in enumerate(_histograms(frames_THWC)):
        below = np.cumsum(counts) - counts[counts.nonzero()[0][0]]
        table[:, channel] = below * 255 / below[-1] if below[-1] else _LEVELS
    return _look_up(frames_THWC, table)


def _solarize(frames_THWC: Frames, strength: float) -> Frames:
    """Invert what is brighter than a threshold, which falls from 256 to 0."""
    return _look_up(frames_THWC, np.where(256 * (1 - abs(strength)) <= _LEVELS, 255 - _LEVELS, _LEVELS))


def _posterize(frames_THWC: Frames, strength: float) -> Frames:
    """Keep fewer bits of each channel, 8 down to 4."""
    dropped = round(4 * abs(strength))
    return _look_up(frames_THWC, _LEVELS >> dropped << dropped)


def _brightness(frames_THWC: Frames, strength: float) -> Frames:
    return _look_up(frames_THWC, _LEVELS * _factor(strength))


def _contrast(frames_THWC: Frames, strength: float) -> Frames:
    """Blend with the mean grey of the clip."""
    factor = _factor(strength)
    mean = float(np.array(cv2.mean(_rows(frames_THWC))[:3]) @ _GREY_SHARES_C)
    return _look_up(frames_THWC, _LEVELS * factor + mean * (1 - factor))


def _color(frames_THWC: Frames, strength: float) -> Frames:
    """Blend with the grey picture."""
    factor = _factor(strength)
    mixing_CC = factor * np.eye(3) + (1 - factor) * np.tile(_GREY_SHARES_C, (3, 1))
    return np.asarray(cv2.transform(_rows(frames_THWC), mixing_CC), dtype=np.uint8).reshape(frames_THWC.shape)


def _sharpness(frames_THWC: Frames, strength: float) -> Frames:
    """Blend with the smoothed picture."""
    factor = _factor(strength)
    kernel = (1 - factor) * _SMOOTHING
    kernel[1, 1] += factor
    return np.stack([cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REPLICATE) for frame in frames_THWC])


def _rotate(frames_THWC: Frames, strength: float) -> Frames:
    radians = np.deg2rad(30 * strength)
    cos, sin = np.cos(radians), np.sin(radians)
    return _warp(frames_THWC, linear=((cos, -sin), (sin, cos)))


def _shear_x(frames_THWC: Frames, strength: float) -> Frames:
    return _warp(frames_THWC, linear=((1, 0.3 * strength), (0, 1)))


def _shear_y(frames_THWC: Frames, strength: float) -> Frames:
    return _warp(frames_THWC, linear=((1, 0), (0.3 * strength, 1)))


def _translate_x(frames_THWC: Frames, strength: float) -> Frames:
    return _warp(frames_THWC, shift_px=(0.45 * strength * frames_THWC.shape[2], 0))


def _translate_y(frames_THWC: Frames, strength: float) -> Frames:
    return _warp(frames_THWC, shift_px=(0, 0.45 * strength * frames_THWC.shape[1]))


OPERATIONS: dict[str, Operation] = {
    "identity": _identity,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "rotate": _rotate,
    "solarize": _solarize,
    "color": _color,
    "posterize": _posterize,
    "contrast": _contrast,
    "brightness": _brightness,
    "sharpness": _sharpness,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}
"""By the names of the paper."""


def _factor(strength: float) -> float:
    """The blending factor, from 0.1 (nearly the degenerate picture) over 1 (no change) to 1.9 (exaggerated)."""
    return 1 + 0.9 * strength


def _rows(frames_THWC: Frames) -> Frames:
    """All frames as one tall picture."""
    return frames_THWC.reshape(-1, *frames_THWC.shape[2:])


def _histograms(frames_THWC: Frames) -> list[npt.NDArray[np.int64]]:
    """How many pixels of the clip have each level, for each channel."""
    rows = [_rows(frames_THWC)]
    return [cv2.calcHist(rows, [channel], None, [256], [0, 256]).ravel().astype(np.int64) for channel in range(3)]


def _look_up(frames_THWC: Frames, table: npt.NDArray[np.generic]) -> Frames:
    """Replace every level, by one column of 256 new ones for all channels or by one column for each."""
    levels = np.asarray(table, dtype=float).reshape(256, -1)
    table_C = np.ascontiguousarray(np.broadcast_to(np.clip(np.rint(levels), 0, 255), (256, 3)), dtype=np.uint8)
    return np.asarray(cv2.LUT(_rows(frames_THWC), table_C[None]), dtype=np.uint8).reshape(frames_THWC.shape)


def _warp(
    frames_THWC: Frames,
    *,
    linear: tuple[tuple[float, float], tuple[float, float]] = ((1, 0), (0, 1)),
    shift_px: tuple[float, float] = (0, 0),
) -> Frames:
    height, width = frames_THWC.shape[1:3]
    matrix = about_centre(np.array(linear, dtype=float), width_px=width, height_px=height)
    matrix[:, 2] += shift_px
    return apply_affine(frames_THWC, matrix)
