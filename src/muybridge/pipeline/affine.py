"""Affine maps over all frames of a clip: from an output pixel (x, y) to an input pixel, centres at whole numbers.

Axes: T frames, H height, W width, C channels (RGB).
"""

import cv2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]


def apply_affine(frames_THWC: Frames, matrix: Matrix) -> Frames:
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


def about_centre(linear: Matrix, *, width_px: int, height_px: int) -> Matrix:
    """The 2x3 map that does ``linear`` (2x2) and leaves the centre of the picture where it is."""
    centre = np.array([(width_px - 1) / 2, (height_px - 1) / 2])
    offset = centre - linear @ centre
    return np.hstack([linear, offset[:, None]])


def compose(first: Matrix | None, second: Matrix | None) -> Matrix | None:
    """One map that does what ``first`` and then ``second`` would do; None does nothing."""
    if first is None or second is None:
        return second if first is None else first
    # From output to input: the picture's last change is the coordinates' first.
    linear = first[:, :2] @ second[:, :2]
    return np.hstack([linear, (first[:, :2] @ second[:, 2] + first[:, 2])[:, None]])
