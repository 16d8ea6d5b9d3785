"""Scores of a window that slides over a long video, each frame of which goes through the encoder once.

Frames come in stretches of any length and leave as features; of these only as many are kept as a window has, so memory
does not grow with the video. Every head scores a window of features as it scores a clip. A streaming encoder (MoViNet)
carries its state from one stretch to the next. Encoders that see clips only (I3D, R(2+1)D, SlowFast) have no features
of single frames: they see windows that overlap by half, so that each frame goes through them twice.

Scores are those of steps: score n is of the time from n to n + 1 steps. It comes as soon as the frames are there that
its window ends with, whatever the stretches were, so a camera and a whole file get the same.

Axes: B windows, T frames, S steps of features of a window, P tokens of a frame, N scores, H, W, C (RGB), D, K classes.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from muybridge.errors import UserError
from muybridge.inference.engines.engine import Frames, Logits, require_finite
from muybridge.inference.engines.torch_engine import TorchEngine
from muybridge.inference.recognizer import Recognizer
from muybridge.models.encoders.encoder import FrameEncoder
from muybridge.models.encoders.movinet import StreamingMoViNet
from muybridge.models.network import RecognizerNet

# Windows that a head scores together; more would only need more memory.
_WINDOWS_AT_ONCE = 256

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

    def __init__(self, net: RecognizerNet, device: torch.device) -> None:
        self.net = net
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
    def finish(self) -> Logits:
        """The scores of the last steps, whose windows the video's end cuts short: logits_NK."""
        return self._scores(ended=True)

    @abstractmethod
    def _take(self, frames_THWC: Tensor) -> None:
        """Encode and keep frames."""

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
            return np.zeros((0, self.net.class_count), np.float32)
        logits_NK = torch.cat(list(logits)).float().cpu().numpy()
        require_finite(logits_NK)
        self.scores_given += len(logits_NK)
        return np.asarray(logits_NK)


class FeatureScorer(WindowScorer):
    """Windows over the features of frames; score n is of a window with frame n in its middle.

    At the ends of the video windows are as much shorter as there are frames missing.

    Args:
        net: Prepared for inference; its encoder sees frames one by one, or past frames only.
        device: Where it computes.
        window_frames: Frames of a window.
        hop_frames: Frames between two windows.
    """

    def __init__(self, net: RecognizerNet, device: torch.device, *, window_frames: int, hop_frames: int) -> None:
        super().__init__(net, device)
        self.window_frames = window_frames
        self.frames_per_score = hop_frames
        self._state: tuple[Tensor, ...] | None = None
        self._features_SPD: Tensor | None = None
        self._first = 0  # the frame that the first features kept are of

    @property
    def _before(self) -> int:
        """Frames of a window before its middle."""
        return self.window_frames // 2

    def _take(self, frames_THWC: Tensor) -> None:
        net = self.net
        if isinstance(net.encoder, StreamingMoViNet):
            features_BSD, self._state = net.encode_stream(frames_THWC[None], self._state)
        else:
            features_BSD = net.encode(frames_THWC[None])
        new_SPD = features_BSD[0].reshape(len(frames_THWC), net.pool.places, -1)
        old_SPD = self._features_SPD
        self._features_SPD = new_SPD if old_SPD is None else torch.cat([old_SPD, new_SPD])

    def _scores(self, *, ended: bool) -> Logits:
        windows: list[tuple[int, int]] = []
        while True:
            middle = (self.scores_given + len(windows)) * self.frames_per_score
            end = middle - self._before + self.window_frames
            if middle >= self.frames_seen or (end > self.frames_seen and not ended):
                break
            windows.append((max(0, middle - self._before), min(end, self.frames_seen)))
        found = [
            self._score(windows[start : start + _WINDOWS_AT_ONCE]) for start in range(0, len(windows), _WINDOWS_AT_ONCE)
        ]
        given = self._given(found)
        self._forget()
        return given

    def _score(self, windows: Sequence[tuple[int, int]]) -> Tensor:
        features_SPD = self._features_SPD
        assert features_SPD is not None
        parts = [features_SPD[start - self._first : end - self._first].flatten(0, 1) for start, end in windows]
        lengths_B = torch.tensor([len(part) for part in parts])
        features_BSD = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
        return self.net.classify(features_BSD, lengths_B)

    def _forget(self) -> None:
        """Drop features that no later window has."""
        needed = max(0, self.scores_given * self.frames_per_score - self._before)
        if self._features_SPD is not None and needed > self._first:
            # Copied: a view would keep the whole stretch.
            self._features_SPD = self._features_SPD[needed - self._first :].clone()
            self._first = min(needed, self.frames_seen)

    def kept(self) -> Kept:
        """The features of the last frames, and the encoder's state."""
        found = {"counts": self._counts(), "first": torch.tensor([self._first])}
        if self._features_SPD is not None:
            found["features_SPD"] = self._features_SPD.contiguous()
        for number, tensor in enumerate(self._state or ()):
            found[f"state_{number:03}"] = tensor.contiguous()
        return found

    def restore(self, kept: Kept) -> None:
        """Go on where a scorer was; see ``kept``."""
        self._restore_counts(kept["counts"])
        self._first = int(kept["first"][0])
        features_SPD = kept.get("features_SPD")
        self._features_SPD = None if features_SPD is None else features_SPD.to(self.device)
        state = [kept[name].to(self.device) for name in sorted(kept) if name.startswith("state_")]
        self._state = tuple(state) or None


class ClipScorer(WindowScorer):
    """Whole windows through a network that sees clips; a step is half a window, and has the mean of its two windows.

    Args:
        net: Prepared for inference.
        device: Where it computes.
        window_frames: Frames of a window; even.
    """

    def __init__(self, net: RecognizerNet, device: torch.device, *, window_frames: int) -> None:
        super().__init__(net, device)
        self.window_frames = window_frames
        self.frames_per_score = window_frames // 2
        self._frames_THWC: Tensor | None = None
        self._first = 0
        self._window_logits: list[Tensor] = []  # of the last windows, each logits_1K
        self._first_window = 0

    def _take(self, frames_THWC: Tensor) -> None:
        old = self._frames_THWC
        self._frames_THWC = frames_THWC if old is None else torch.cat([old, frames_THWC])

    def _scores(self, *, ended: bool) -> Logits:
        # The windows that are whole; at the end of the video a shorter one, where frames are left.
        half = self.frames_per_score
        while True:
            window = self._first_window + len(self._window_logits)
            start = window * half
            seen = self.frames_seen + 0
            whole = start + self.window_frames <= seen
            last = ended and start < seen and (window == 0 or start + half < seen)
            if not whole and not last:
                break
            assert self._frames_THWC is not None
            clip_THWC = self._frames_THWC[start - self._first : start - self._first + self.window_frames]
            self._window_logits.append(self.net(clip_THWC[None]))
            self._frames_THWC = self._frames_THWC[start + half - self._first :].clone()
            self._first = start + half
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
        found = {"counts": self._counts(), "first": torch.tensor([self._first, self._first_window])}
        if self._frames_THWC is not None:
            found["frames_THWC"] = self._frames_THWC.contiguous()
        if self._window_logits:
            found["window_logits"] = torch.cat(self._window_logits)
        return found

    def restore(self, kept: Kept) -> None:
        """Go on where a scorer was; see ``kept``."""
        self._restore_counts(kept["counts"])
        self._first, self._first_window = (int(each) for each in kept["first"])
        frames_THWC, logits_BK = kept.get("frames_THWC"), kept.get("window_logits")
        self._frames_THWC = None if frames_THWC is None else frames_THWC.to(self.device)
        self._window_logits = [] if logits_BK is None else [row_K[None] for row_K in logits_BK.to(self.device)]


def sees_frames(net: RecognizerNet) -> bool:
    """Whether the network has features of single frames, so that each frame is encoded once."""
    return isinstance(net.encoder, FrameEncoder | StreamingMoViNet)


def frames_per_score(net: RecognizerNet, *, window_frames: int, hop_frames: int) -> int:
    """How many frames a score of ``window_scorer`` stands for."""
    return hop_frames if sees_frames(net) else -(-window_frames // 2)


def window_scorer(recognizer: Recognizer, *, window_frames: int, hop_frames: int, example_THWC: Frames) -> WindowScorer:
    """A scorer of windows for a trained model, computing in torch as its engine does.

    Args:
        recognizer: The model.
        window_frames: Frames of a window, at least 1.
        hop_frames: Frames between two windows; encoders of clips have half a window.
        example_THWC: Any frames of the size that the model sees.

    Raises:
        UserError: The head cannot take windows of so many frames.
    """
    net = recognizer.net
    if sees_frames(net):
        steps, most = window_frames * net.pool.places, net.head.positions
        if most is not None and steps > most:
            raise UserError(
                f"windows of {window_frames} frames are {steps} steps, more than the {most} positions of the model's "
                "temporal head; choose shorter windows or fewer frames a second"
            )
    engine = recognizer.engine
    if not isinstance(engine, TorchEngine):  # other engines give no features
        engine = TorchEngine(net, device=recognizer.device)
    prepared = engine.prepared(torch.from_numpy(np.ascontiguousarray(example_THWC))[None].to(engine.device))
    if sees_frames(net):
        return FeatureScorer(prepared, engine.device, window_frames=window_frames, hop_frames=hop_frames)
    return ClipScorer(prepared, engine.device, window_frames=window_frames + window_frames % 2)
