"""A look-up that knows colours and no motion: the class of the training clip with the nearest colours.

Clips of one take share clothes and backdrop. Where a test clip has a sibling in train, the clip with the nearest
colours reveals its class. Where it has none, what the look-up gets right is what the scene alone tells of the class;
a model that gets no more may have learned no more.

Axes: N training clips, M test clips, D colours.
"""

import cv2
import numpy as np
import numpy.typing as npt

from muybridge.pipeline.affine import Frames

_GRID = (4, 3)
COLOURS = 3 * _GRID[0] * _GRID[1]
"""D, the length of what `colours_of` returns."""


def colours_of(frames_THWC: Frames) -> npt.NDArray[np.float32]:
    """Mean colours of a clip's mean frame, on a grid of 4x3 fields, as one vector."""
    mean_HWC = frames_THWC.mean(axis=0, dtype=np.float32)
    return np.asarray(cv2.resize(mean_HWC, _GRID, interpolation=cv2.INTER_AREA), dtype=np.float32).ravel()


def nearest(train_ND: npt.NDArray[np.float32], test_MD: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """For each test clip, which training clip has the nearest colours; the first of equals."""
    # Row by row, so that memory stays small whatever the number of clips.
    return np.array([np.argmin(((train_ND - test_D) ** 2).sum(axis=1)) for test_D in test_MD], dtype=np.intp)
