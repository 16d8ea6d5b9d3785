"""Whole windows that overlap by half: for encoders that see clips only, and for exports; see `window_scoring`.

Axes: T frames, N scores, H, W, C (RGB), K classes.
"""

import torch
from torch import Tensor

from muybridge.inference.engines.engine import Engine, Logits
from muybridge.inference.timeline.scorer import Kept, WindowScorer


class _FrameScorer(WindowScorer):
    """What keeps frames: those of windows that are still to come.

    Args:
        engine: What scores a window.
        class_count: K.
        window_frames: Frames of a window; even.
    """

    def __init__(self, engine: Engine, class_count: int, *, window_frames: int) -> None:
        super().__init__(class_count, torch.device("cpu"))  # the engine takes frames from there
        self.engine = engine
        self.window_frames = window_frames
        self.frames_per_score = window_frames // 2
        self._frames_THWC: Tensor | None = None
        self._first = 0  # the number of the first frame kept

    def start_at(self, frame: int, score: int) -> None:
        """Begin inside a video; see ``WindowScorer``."""
        super().start_at(frame, score)
        self._first = frame

    def _take(self, frames_THWC: Tensor) -> None:
        old = self._frames_THWC
        self._frames_THWC = frames_THWC if old is None else torch.cat([old, frames_THWC])

    def _take_again(self, count: int) -> None:
        assert self._frames_THWC is not None, "nothing to hold before the first frame"
        self._take(self._frames_THWC[-1:].expand(count, -1, -1, -1))

    def _window(self, start: int, end: int) -> Tensor:
        """logits_1K of the frames from one to another, as far as they have come."""
        assert self._frames_THWC is not None
        return torch.from_numpy(self.engine.score([self._frames_THWC[start - self._first : end - self._first].numpy()]))

    def _forget(self, needed: int) -> None:
        """Drop the frames before one."""
        if self._frames_THWC is not None and needed > self._first:
            # Copied: a view would keep them all.
            self._frames_THWC = self._frames_THWC[needed - self._first :].clone()
            self._first = needed

    def kept(self) -> Kept:
        """The frames of windows that are still to come."""
        found = {"counts": self._counts(), "first": torch.tensor([self._first])}
        if self._frames_THWC is not None:
            found["frames_THWC"] = self._frames_THWC.contiguous()
        return found

    def restore(self, kept: Kept) -> None:
        """Go on where a scorer was; see ``kept``."""
        self._restore_counts(kept["counts"])
        self._first = int(kept["first"][0])
        frames_THWC = kept.get("frames_THWC")
        self._frames_THWC = None if frames_THWC is None else frames_THWC.to(self.device)


class ClipScorer(_FrameScorer):
    """A step is half a window, and has the mean of its two windows."""

    def __init__(self, engine: Engine, class_count: int, *, window_frames: int) -> None:
        super().__init__(engine, class_count, window_frames=window_frames)
        self._window_logits: list[Tensor] = []  # of the last windows, each logits_1K
        self._first_window = 0

    def start_at(self, frame: int, score: int) -> None:
        """Begin inside a video; see ``WindowScorer``. A score has the window before its own, too."""
        super().start_at(frame, score)
        self._first_window = max(0, score - 1)

    def _scores(self, *, ended: bool) -> Logits:
        # The windows that are whole; at the end of the video a shorter one, where frames are left.
        half = self.frames_per_score
        while True:
            window = self._first_window + len(self._window_logits)
            start = window * half
            whole = start + self.window_frames <= self.frames_seen
            last = ended and start < self.frames_seen and (window == 0 or start + half < self.frames_seen)
            if not whole and not last:
                break
            self._window_logits.append(self._window(start, start + self.window_frames))
            self._forget(start + half)
        windows = self._first_window + len(self._window_logits)
        steps = -(-self.frames_seen // half) if ended else max(0, windows)
        found: list[Tensor] = []
        for step in range(self.scores_given, steps):
            both = [
                self._window_logits[window - self._first_window] for window in (step - 1, step) if 0 <= window < windows
            ]
            found.append(torch.stack(both).mean(dim=0))
        given = self._given(found)
        outdated = max(0, self.scores_given - 1 - self._first_window)
        self._window_logits = self._window_logits[outdated:]
        self._first_window += outdated
        return given

    def kept(self) -> Kept:
        """The frames of the last half window, and the scores of the last windows."""
        found = super().kept() | {"first": torch.tensor([self._first, self._first_window])}
        if self._window_logits:
            found["window_logits"] = torch.cat(self._window_logits)
        return found

    def restore(self, kept: Kept) -> None:
        """Go on where a scorer was; see ``kept``."""
        super().restore(kept)
        self._first_window = int(kept["first"][1])
        logits_BK = kept.get("window_logits")
        self._window_logits = [] if logits_BK is None else [row_K[None] for row_K in logits_BK.to(self.device)]


class TrailingClipScorer(_FrameScorer):
    """One window each half a window; score n is of that which step n ends.

    The first window is half as long.
    """

    def _scores(self, *, ended: bool) -> Logits:
        half = self.frames_per_score
        found: list[Tensor] = []
        while True:
            end = (self.scores_given + len(found) + 1) * half
            if end > self.frames_seen and not (ended and end - half < self.frames_seen):
                break
            found.append(self._window(max(0, end - self.window_frames), end))
        given = self._given(found)
        self._forget(max(0, (self.scores_given + 1) * half - self.window_frames))
        return given
