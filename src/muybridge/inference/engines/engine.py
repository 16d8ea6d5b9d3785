"""What every engine does: frames of clips in, scores out.

An engine is the part of a recognizer between the frames and the scores. Decoding, sampling and the combination of
views are the recognizer's, so they are the same whatever computes.

Axes: B clips, T frames, H, W, C (RGB), N scores, K classes.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from muybridge.errors import UserError

Frames = npt.NDArray[np.uint8]
"""The frames of one view of a clip, THWC."""
Logits = npt.NDArray[np.float32]
"""The scores before the softmax."""

EngineName = Literal["torch", "onnx", "openvino"]
Precision = Literal["fp32", "bf16", "int8"]


def require_finite(logits_NK: Logits) -> None:
    """Make sure that scores are numbers, whatever computed them.

    Raises:
        UserError: If one is infinite or no number.
    """
    if not np.isfinite(logits_NK).all():
        raise UserError(
            "the model's scores are no finite numbers: its weights are damaged or were never sound; train it again"
        )


class Engine(ABC):
    """Computes scores from frames.

    Attributes:
        name: What a user calls it: ``torch``, or the engine and precision of an export, such as ``openvino-int8``.
        workers: How many threads are to call ``score``, each with clips of its own.
    """

    name: str
    workers: int = 1

    @abstractmethod
    def score(self, clips: Sequence[Frames]) -> Logits:
        """Score clips of one size, of equal or different lengths.

        Args:
            clips: At least one; uint8 RGB, THWC.

        Returns:
            logits_BK, one row per clip.
        """


class FixedLengthEngine(Engine):
    """An engine that knows no padding: clips of different lengths are computed length by length.

    A padded frame would reach the temporal head, so padding is not an option where the lengths cannot be passed.
    """

    def score(self, clips: Sequence[Frames]) -> Logits:
        """Score clips; see ``Engine``."""
        by_length: dict[int, list[int]] = defaultdict(list)
        for number, frames_THWC in enumerate(clips):
            by_length[len(frames_THWC)].append(number)
        rows: dict[int, Logits] = {}
        for numbers in by_length.values():
            logits_BK = self.score_batch(np.stack([clips[number] for number in numbers]))
            rows.update(zip(numbers, logits_BK, strict=True))
        return np.stack([rows[number] for number in range(len(clips))])

    @abstractmethod
    def score_batch(self, frames_BTHWC: Frames) -> Logits:
        """Score clips that all have T frames: logits_BK."""
