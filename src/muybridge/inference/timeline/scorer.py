"""What scores a video stretch by stretch: frames in, scores of steps out, whatever windows it looks through.

Axes: T frames, N scores, H, W, C (RGB), K classes.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from muybridge.inference.engines.engine import Frames, Logits, require_finite

Kept = dict[str, Tensor]
"""What a scorer needs to go on where it was: tensors by name."""


class WindowScorer(ABC):
    """Frames in, scores out, in stretches.

    Attributes:
        frames_per_score: How many frames one step of the scores stands for.
        frames_seen: How many have come.
        scores_given: How many steps have been scored.
    """

    frames_per_score: int

    def __init__(self, class_count: int, device: torch.device) -> None:
        self.class_count = class_count
        self.device = device
        self.frames_seen = 0
        self.scores_given = 0

    @torch.inference_mode()
    def push(self, frames_THWC: Frames) -> Logits:
        """Take the next frames.

        Returns:
            logits_NK of the steps whose windows are complete now; N may be 0.
        """
        frames = torch.from_numpy(frames_THWC).to(self.device)
        self._take(frames)
        self.frames_seen += len(frames)
        return self._scores(ended=False)

    @torch.inference_mode()
    def hold(self, count: int) -> Logits:
        """Let the last frame count for so many more, which are not encoded: what a stream left out.

        Returns:
            logits_NK of the steps whose windows are complete now.
        """
        self._take_again(count)
        self.frames_seen += count
        return self._scores(ended=False)

    def start_at(self, frame: int, score: int) -> None:
        """Begin inside a video: the next frame is of this number, and the first score wanted of that.

        The scores are those of the whole video where the frames begin early enough (see ``spans``).
        """
        self.frames_seen, self.scores_given = frame, score

    @torch.inference_mode()
    def finish(self) -> Logits:
        """The scores of the last steps, whose windows the video's end cuts short: logits_NK."""
        return self._scores(ended=True)

    @abstractmethod
    def _take(self, frames_THWC: Tensor) -> None:
        """Encode and keep frames."""

    @abstractmethod
    def _take_again(self, count: int) -> None:
        """Keep the last frame so many times more."""

    @abstractmethod
    def _scores(self, *, ended: bool) -> Logits:
        """Scores of the steps that are complete and were not given yet."""

    @abstractmethod
    def kept(self) -> Kept:
        """What ``restore`` needs, after any ``push``."""

    @abstractmethod
    def restore(self, kept: Kept) -> None:
        """Go on where a scorer was when it gave ``kept``."""

    def _counts(self) -> Tensor:
        return torch.tensor([self.frames_seen, self.scores_given])

    def _restore_counts(self, counts: Tensor) -> None:
        self.frames_seen, self.scores_given = (int(count) for count in counts)

    def _given(self, logits: Sequence[Tensor]) -> Logits:
        if not logits:
            return np.zeros((0, self.class_count), np.float32)
        logits_NK = torch.cat(list(logits)).float().cpu().numpy()
        require_finite(logits_NK)
        self.scores_given += len(logits_NK)
        return np.asarray(logits_NK)
