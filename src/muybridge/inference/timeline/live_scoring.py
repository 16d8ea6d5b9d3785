"""A live stream through a trained model: pictures with their times in, scores and events out, as soon as they are due.

Notable: windows end at the newest frame, so nothing is waited for. What a window shows as a whole is of the moment in
its middle, so the borders of events are set back by half of it (``look_ahead_seconds``); an LSTM head, which reads
towards the newest frame, answers for that frame and has none. With the same frames the scores are those of a whole
file that is looked at through trailing windows.

A `LiveScorer` is of one stream and one thread; any number of them may share a recognizer.

Axes: T frames, H, W, C (RGB), N scores, K classes.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muybridge.errors import UserError
from muybridge.inference.engines.engine import Logits
from muybridge.inference.probabilities import softmax
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.live_events import LONGEST_DELAY_SECONDS, LiveEvent, LiveSegmenter
from muybridge.inference.timeline.scorer import WindowScorer
from muybridge.inference.timeline.video_scoring import Rate, window_frames_of
from muybridge.inference.timeline.window_scoring import sees_frames, window_scorer
from muybridge.models.heads.recurrent import BiLSTMHead, LSTMHead
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.video.clip_times import TOLERANCE_SECONDS
from muybridge.video.picture import Image, to_square


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveScore:
    """What the model says at one time.

    Attributes:
        seconds: The time of the newest frame that it is of.
        label: The most probable class.
        score: Its probability.
        none_of_these: Whether none of the classes is shown, as far as the model can tell.
        probabilities_K: Of all classes.
        logits_K: The same before the softmax.
    """

    seconds: float
    label: str
    score: float
    none_of_these: bool
    probabilities_K: npt.NDArray[np.float64]
    logits_K: Logits


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveAnswer:
    """What is due now: any number of scores, and of events that begin or end."""

    scores: tuple[LiveScore, ...] = ()
    events: tuple[LiveEvent, ...] = ()


class LiveScorer:
    """Scores a stream frame by frame.

    Args:
        recognizer: The model; it computes in torch.
        windows: How the stream is looked at.
        rules: From scores to events.
        source_frames_per_second: Of the stream; asked only by recipes that count frames and not seconds.

    Attributes:
        classes: Names of the K classes.
        frames_per_second: How often the model looks; frames between are passed over.
        step_seconds: Time from one score to the next.
        window_seconds: How much of the stream a score is of.
        look_ahead_seconds: How far behind the newest frame the moment lies that a score is of.
        told_after_seconds: How late events are told, at most: after they begin as after they end.

    Raises:
        UserError: The model cannot take such windows.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        windows: WindowConfig | None = None,
        rules: SegmentRules | None = None,
        *,
        source_frames_per_second: float = 25.0,
    ) -> None:
        windows = windows or WindowConfig()
        rate = Rate.of(recognizer, windows.frames_per_second)
        self.classes = recognizer.classes
        self.frames_per_second = rate.frames_per_second or source_frames_per_second / rate.every
        self._recognizer = recognizer
        self._rules = rules or SegmentRules()
        self._window_frames = window_frames_of(recognizer, rate, windows, self.frames_per_second)
        self._hop_frames = max(1, round(windows.hop_seconds * self.frames_per_second))
        rejection = recognizer.rejection
        self._threshold = None if rejection is None else rejection.threshold
        self._scorer = self._new_scorer()
        frames_per_score = self._scorer.frames_per_score
        self.step_seconds = frames_per_score / self.frames_per_second
        self.window_seconds = self._window_frames / self.frames_per_second
        behind = 0 if _reads_to_the_newest(recognizer) else self._window_frames - 1 - self._window_frames // 2
        self.look_ahead_seconds = behind / self.frames_per_second
        rules_wait = max(self._rules.gap_seconds, self._rules.least_seconds) + abs(self._rules.lag_seconds)
        decision = LONGEST_DELAY_SECONDS if self._rules.way == "path" else self._rules.smoothing_seconds / 2
        self.told_after_seconds = self.look_ahead_seconds + decision + rules_wait + 2 * self.step_seconds
        # The frame of a step that its window ends with: an encoder of clips has whole steps.
        self._last_of_step = 0 if sees_frames(recognizer) else frames_per_score - 1
        self._segmenter: LiveSegmenter | None = None
        self._origin = 0.0
        self._newest: float | None = None

    def is_due(self, seconds: float) -> bool:
        """Whether a frame of this time is looked at; others need not be converted to be pushed."""
        return self._segmenter is None or self.frame_number(seconds) >= self._scorer.frames_seen

    def push(self, frame_HWC: Image, seconds: float) -> LiveAnswer:
        """Take the next frame.

        Args:
            frame_HWC: uint8 RGB, of any size, as it is meant to be seen.
            seconds: Its time, from any origin; not before that of the frame before.

        Returns:
            What is due with it; nothing where it comes too soon to be looked at. Where frames are missing, the one
            before counts for their time; where more are missing than a window has, the stream begins anew, and what
            lasted has ended.

        Raises:
            UserError: This is no picture, or no time, or an earlier one.
        """
        _require_picture(frame_HWC)
        if not math.isfinite(seconds) or (self._newest is not None and seconds < self._newest):
            before = "" if self._newest is None else f" after {self._newest:g} s"
            raise UserError(f"the time of a frame is {seconds:g} s{before}; give times that do not go back")
        if not self.is_due(seconds):
            self._newest = seconds
            return LiveAnswer()
        events: list[LiveEvent] = []
        scores: list[LiveScore] = []
        missing = 0 if self._segmenter is None else self.frame_number(seconds) - self._scorer.frames_seen
        if missing > self._window_frames:
            events += self.finish().events
            missing = 0
        if self._segmenter is None:
            self._begin(seconds)
        self._newest = seconds
        if missing:
            self._add(self._scorer.hold(missing), scores, events)
        picture_HWC = to_square(frame_HWC, self._recognizer.size_px, self._recognizer.fit)
        self._add(self._scorer.push(picture_HWC[None]), scores, events)
        return LiveAnswer(scores=tuple(scores), events=tuple(events))

    def finish(self) -> LiveAnswer:
        """End the stream, and with it what lasts; the next frame begins another one."""
        if self._segmenter is None or self._newest is None:
            return LiveAnswer()
        events = self._segmenter.finish(self._newest + 1 / self.frames_per_second)
        self._segmenter = self._newest = None
        self._scorer = self._new_scorer()
        return LiveAnswer(events=tuple(events))

    def _new_scorer(self) -> WindowScorer:
        size = self._recognizer.size_px
        return window_scorer(
            self._recognizer,
            window_frames=self._window_frames,
            hop_frames=self._hop_frames,
            example_THWC=np.zeros((self._window_frames, size, size, 3), np.uint8),
            trailing=True,
        )

    def _begin(self, seconds: float) -> None:
        self._origin = seconds
        self._segmenter = LiveSegmenter(
            self.classes,
            self._rules,
            step_seconds=self.step_seconds,
            first_seconds=self._seconds_of(0) - self.look_ahead_seconds,
            not_before=seconds,
            rejection_threshold=self._threshold,
        )

    def frame_number(self, seconds: float) -> int:
        """Which of the frames that are looked at one of this time would be, counted from the stream's beginning."""
        return math.floor((seconds - self._origin + TOLERANCE_SECONDS) * self.frames_per_second)

    def _seconds_of(self, score: int) -> float:
        """The time of the newest frame of a score."""
        return self._origin + (score * self._scorer.frames_per_score + self._last_of_step) / self.frames_per_second

    def _add(self, logits_NK: Logits, scores: list[LiveScore], events: list[LiveEvent]) -> None:
        assert self._segmenter is not None
        if not len(logits_NK):
            return
        first = self._scorer.scores_given - len(logits_NK)
        for number, logits_K in enumerate(logits_NK, start=first):
            probabilities_K = softmax(logits_K.astype(np.float64))
            best = int(probabilities_K.argmax())
            scores.append(
                LiveScore(
                    seconds=self._seconds_of(number),
                    label=self.classes[best],
                    score=float(probabilities_K[best]),
                    none_of_these=self._is_none(logits_K, float(probabilities_K[best])),
                    probabilities_K=probabilities_K,
                    logits_K=logits_K,
                )
            )
        events += self._segmenter.push(logits_NK)

    def _is_none(self, logits_K: Logits, probability: float) -> bool:
        """By the same rules as events: the model's own threshold, else the least probability."""
        if not self._rules.use_none_of_these:
            return False
        if self._threshold is None:
            return probability < self._rules.off
        return float(logits_K.max()) < self._threshold + self._rules.none_of_these


def _reads_to_the_newest(recognizer: Recognizer) -> bool:
    """Whether a window's score is of its newest frame: an LSTM over frames, none of which sees later ones."""
    head = recognizer.net.head
    return sees_frames(recognizer) and isinstance(head, LSTMHead) and not isinstance(head, BiLSTMHead)


def _require_picture(frame_HWC: Image) -> None:
    if frame_HWC.dtype != np.uint8 or frame_HWC.ndim != 3 or frame_HWC.shape[2] != 3 or not frame_HWC.size:
        raise UserError(
            f"a frame has shape {tuple(frame_HWC.shape)} and type {frame_HWC.dtype}; give (height, width, 3) in uint8"
        )
