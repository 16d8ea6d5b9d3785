"""A look-up that knows colours and no motion: what it gets right under a protocol is leak.

Clips of one take share clothes and backdrop. Where a test clip has a sibling in train, the clip with the nearest
colours reveals its class; where it has none, colours say nothing about these actions.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from muybridge.dataset.catalog import Clip
from muybridge.dataset.split import Split
from muybridge.video.decoding import read_sampled
from muybridge.video.sampling import UniformSampler

_GRID = (4, 3)
_FRAMES = UniformSampler(frames=6)


def nearest_colours_accuracy(split: Split, known: dict[Path, npt.NDArray[np.float64]]) -> float:
    """Share of test clips whose class is that of the training clip with the nearest colours.

    Args:
        split: Which clips are known and which are asked for.
        known: Colours by file; filled with what is missing, to be used for the next split of the same clips.
    """
    train, test = split.clips_of("train"), split.clips_of("test")
    train_ND, test_MD = _colours(train, known), _colours(test, known)
    nearest_M = np.argmin(np.linalg.norm(test_MD[:, None] - train_ND[None], axis=2), axis=1)
    return float(np.mean([clip.label == train[n].label for clip, n in zip(test, nearest_M, strict=True)]))


def _colours(clips: Sequence[Clip], known: dict[Path, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Mean colours of the clips' mean frames, on a grid of 4x3 fields."""
    for clip in clips:
        if clip.path not in known:
            mean_HWC = read_sampled(clip.path, _FRAMES).frames_THWC.mean(axis=0)
            known[clip.path] = np.asarray(cv2.resize(mean_HWC, _GRID, interpolation=cv2.INTER_AREA)).ravel()
    return np.stack([known[clip.path] for clip in clips])
