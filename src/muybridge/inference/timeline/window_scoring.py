"""Scores of a window that slides over a long video, each frame of which goes through the encoder once.

Frames come in stretches of any length and leave as features; of these only as many are kept as a window has, so memory
does not grow with the video. Every head scores a window of features as it scores a clip. A streaming encoder (MoViNet)
carries its state from one stretch to the next. Encoders that see clips only (I3D, R(2+1)D, SlowFast), and exports, have
no features of single frames: they see windows that overlap by half, so that each frame goes through them twice.

Scores are those of steps: score n is of the time from n to n + 1 steps. It comes as soon as the frames are there that
its window ends with, whatever the stretches were, so a camera and a whole file get the same. Trailing windows end at
the newest frame: those of a live stream, whose score n comes with the first frame of step n.

Axes: B windows, T frames, S steps of features of a window, P tokens of a frame, N scores, H, W, C (RGB), D, K classes.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from muybridge.errors import UserError
from muybridge.inference.engines.engine import Frames, Logits
from muybridge.inference.engines.torch_engine import TorchEngine
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.clip_windows import ClipScorer, TrailingClipScorer
from muybridge.inference.timeline.scorer import Kept, WindowScorer
from muybridge.models.encoders.encoder import FrameEncoder
from muybridge.models.encoders.movinet import StreamingMoViNet
from muybridge.models.network import RecognizerNet

# Windows that a head scores together; more would only need more memory.
_WINDOWS_AT_ONCE = 256


class FeatureScorer(WindowScorer):
    """Windows over the features of frames; score n is of a window with the first frame of step n in its middle.

    At the ends of the video windows are as much shorter as there are frames missing.

    Args:
        net: Prepared for inference; its encoder sees frames one by one, or past frames only.
        device: Where it computes.
        window_frames: Frames of a window.
        hop_frames: Frames between two windows.
        trailing: The frame is the last one of its window.
    """

    def __init__(
        self, net: RecognizerNet, device: torch.device, *, window_frames: int, hop_frames: int, trailing: bool = False
    ) -> None:
        super().__init__(net.class_count, device)
        self.net = net
        self.window_frames = window_frames
        self.frames_per_score = hop_frames
        # Frames of a window before the one that it is of.
        self._before = window_frames - 1 if trailing else window_frames // 2
        self._state: tuple[Tensor, ...] | None = None
        self._features_SPD: Tensor | None = None
        self._last_PD: Tensor | None = None
        self._first = 0  # the frame that the first features kept are of

    def start_at(self, frame: int, score: int) -> None:
        """Begin inside a video; see ``WindowScorer``."""
        super().start_at(frame, score)
        self._first = frame

    def _take(self, frames_THWC: Tensor) -> None:
        net = self.net
        if isinstance(net.encoder, StreamingMoViNet):
            features_BSD, self._state = net.encode_stream(frames_THWC[None], self._state)
        else:
            features_BSD = net.encode(frames_THWC[None])
        new_SPD = features_BSD[0].reshape(len(frames_THWC), net.pool.places, -1)
        self._last_PD = new_SPD[-1].clone()
        self._keep(new_SPD)

    def _take_again(self, count: int) -> None:
        assert self._last_PD is not None, "nothing to hold before the first frame"
        self._keep(self._last_PD.expand(count, -1, -1))

    def _keep(self, new_SPD: Tensor) -> None:
        old_SPD = self._features_SPD
        self._features_SPD = new_SPD if old_SPD is None else torch.cat([old_SPD, new_SPD])

    def _scores(self, *, ended: bool) -> Logits:
        windows: list[tuple[int, int]] = []
        while True:
            frame = (self.scores_given + len(windows)) * self.frames_per_score
            end = frame - self._before + self.window_frames
            if frame >= self.frames_seen or (end > self.frames_seen and not ended):
                break
            windows.append((max(0, frame - self._before), min(end, self.frames_seen)))
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
        if self._features_SPD is not None and self._last_PD is not None:
            found["features_SPD"] = self._features_SPD.contiguous()
            found["last_PD"] = self._last_PD
        for number, tensor in enumerate(self._state or ()):
            found[f"state_{number:03}"] = tensor.contiguous()
        return found

    def restore(self, kept: Kept) -> None:
        """Go on where a scorer was; see ``kept``."""
        self._restore_counts(kept["counts"])
        self._first = int(kept["first"][0])
        features_SPD = kept.get("features_SPD")
        self._features_SPD = None if features_SPD is None else features_SPD.to(self.device)
        last_PD = kept.get("last_PD")  # jobs that began before it was kept hold nothing
        self._last_PD = None if last_PD is None else last_PD.to(self.device)
        state = [kept[name].to(self.device) for name in sorted(kept) if name.startswith("state_")]
        self._state = tuple(state) or None


def sees_frames(recognizer: Recognizer) -> bool:
    """Whether what computes has features of single frames, so that each frame is encoded once."""
    by_torch = isinstance(recognizer.engine, TorchEngine)  # others give scores alone
    return by_torch and isinstance(recognizer.net.encoder, FrameEncoder | StreamingMoViNet)


def frames_per_score(recognizer: Recognizer, *, window_frames: int, hop_frames: int) -> int:
    """How many frames a score of ``window_scorer`` stands for."""
    return hop_frames if sees_frames(recognizer) else -(-window_frames // 2)


def window_scorer(
    recognizer: Recognizer, *, window_frames: int, hop_frames: int, example_THWC: Frames, trailing: bool = False
) -> WindowScorer:
    """A scorer of windows for a trained model; its engine computes.

    Args:
        recognizer: The model.
        window_frames: Frames of a window, at least 1.
        hop_frames: Frames between two windows; encoders of clips, and exports, have half a window.
        example_THWC: Any frames of the size that the model sees.
        trailing: Windows end at the newest frame, as a live stream needs it.

    Raises:
        UserError: The head cannot take windows of so many frames.
    """
    if not sees_frames(recognizer):
        of_clips = TrailingClipScorer if trailing else ClipScorer
        frames = window_frames + window_frames % 2
        return of_clips(recognizer.engine, len(recognizer.classes), window_frames=frames)
    net, engine = recognizer.net, recognizer.engine
    assert isinstance(engine, TorchEngine)
    steps, most = window_frames * net.pool.places, net.head.positions
    if most is not None and steps > most:
        raise UserError(
            f"windows of {window_frames} frames are {steps} steps, more than the {most} positions of the model's "
            "temporal head; choose shorter windows or fewer frames a second"
        )
    prepared = engine.prepared(torch.from_numpy(np.ascontiguousarray(example_THWC))[None].to(engine.device))
    return FeatureScorer(prepared, engine.device, window_frames=window_frames, hop_frames=hop_frames, trailing=trailing)
