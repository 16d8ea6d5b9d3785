"""From the scores of a live stream to events, as they begin and end.

The rules are those of `segmenting`, as far as they can be kept while the stream runs. By path: the likeliest course,
which is that of the whole stream but where a decision would take longer than four seconds (`online_path`). By tracks:
hysteresis on probabilities that are averaged over as much time, which delays them by half of it; segments that overlap
better ones of other classes are not thinned out, since the better ones may still come. A gap is waited for before an
event ends, and an event begins once it has lasted as long as the shortest that count. Its start is then told as it was.
A class `background` is no event, and none of these is none.

Axes: K classes.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from muybridge.dataset.background import BACKGROUND
from muybridge.inference.engines.engine import Logits
from muybridge.inference.probabilities import softmax
from muybridge.inference.timeline.online_path import OnlinePath
from muybridge.inference.timeline.segmenting import familiar, log_likelihoods
from muybridge.recipes.timeline_rules import SegmentRules

LONGEST_DELAY_SECONDS = 4.0
"""By path: after so much time a moment is decided, whatever may still come."""

Numbers = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class LiveEvent:
    """An event that begins or ends.

    Attributes:
        state: ``begin`` or ``end``; of one event first the one, then the other, with the same start and label.
        label: The class.
        start_seconds: When it began, by the times of the frames.
        end_seconds: When it ended; None while it lasts.
        score: The mean probability of the class so far.
    """

    state: Literal["begin", "end"]
    label: str
    start_seconds: float
    end_seconds: float | None
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "state": self.state,
            "label": self.label,
            "start_seconds": round(self.start_seconds, 3),
            "end_seconds": None if self.end_seconds is None else round(self.end_seconds, 3),
            "score": round(self.score, 6),
        }


class LiveSegmenter:
    """Scores in, events out.

    Args:
        classes: Names of the K classes.
        rules: From scores to segments.
        step_seconds: Time from one score to the next.
        first_seconds: The moment that the first score is of.
        not_before: No event starts earlier: when the stream began.
        rejection_threshold: The model's own, for none of these; None where it has none.
    """

    def __init__(
        self,
        classes: Sequence[str],
        rules: SegmentRules,
        *,
        step_seconds: float,
        first_seconds: float,
        not_before: float,
        rejection_threshold: float | None,
    ) -> None:
        self._rules = rules
        self._threshold = rejection_threshold
        delay = max(1, round(LONGEST_DELAY_SECONDS / step_seconds))
        self._decider: _PathDecider | _TrackDecider = (
            _PathDecider(rules, step_seconds=step_seconds, longest_delay=delay)
            if rules.way == "path"
            else _TrackDecider(rules, half=round(rules.smoothing_seconds / step_seconds) // 2)
        )
        clock = _Clock(step_seconds, first_seconds - rules.lag_seconds, not_before)
        self._spans = [
            _Spans(number, label, rules, clock) for number, label in enumerate(classes) if label != BACKGROUND
        ]
        self._probabilities: deque[Numbers] = deque()  # of the steps that are not decided
        self._decided = 0

    def push(self, logits_NK: Logits) -> list[LiveEvent]:
        """Take the next scores.

        Returns:
            What begins and ends with them, in order.
        """
        events: list[LiveEvent] = []
        for logits_1K in np.split(logits_NK, len(logits_NK)):
            self._probabilities.append(softmax(logits_1K[0].astype(np.float64)))
            events += self._advance(self._decider.push(logits_1K, self._threshold))
        return events

    def finish(self, end_seconds: float) -> list[LiveEvent]:
        """End all that lasts, because the stream ends."""
        events = self._advance(self._decider.finish())
        for spans in self._spans:
            events += spans.finish(self._decided, end_seconds)
        return events

    def _advance(self, decided: list[tuple[Marks, Marks]]) -> list[LiveEvent]:
        events: list[LiveEvent] = []
        for inside_K, reaches_K in decided:
            probabilities_K = self._probabilities.popleft()
            for spans in self._spans:
                number = spans.number
                events += spans.push(
                    self._decided, bool(inside_K[number]), bool(reaches_K[number]), float(probabilities_K[number])
                )
            self._decided += 1
        return events


class _PathDecider:
    """Whether each step is in each class, by the likeliest course."""

    def __init__(self, rules: SegmentRules, *, step_seconds: float, longest_delay: int) -> None:
        self._rules = rules
        self._path = OnlinePath(change_cost=rules.change_cost_of_steps(step_seconds), longest_delay=longest_delay)
        self._class_count = 0

    def push(self, logits_1K: Logits, threshold: float | None) -> list[tuple[Marks, Marks]]:
        self._class_count = logits_1K.shape[1]
        logs_1S = log_likelihoods(logits_1K, self._rules, rejection_threshold=threshold)
        return self._inside(self._path.push(logs_1S[0]))

    def finish(self) -> list[tuple[Marks, Marks]]:
        return self._inside(self._path.finish())

    def _inside(self, states: list[int]) -> list[tuple[Marks, Marks]]:
        marks = [np.arange(self._class_count) == state for state in states]
        return [(row_K, row_K) for row_K in marks]


class _TrackDecider:
    """Whether each step lies above the thresholds, by its probabilities averaged over ``half`` steps to each side."""

    def __init__(self, rules: SegmentRules, *, half: int) -> None:
        self._rules = rules
        self._half = half
        self._rows: deque[Numbers] = deque(maxlen=2 * half + 1)
        self._pushed = 0
        self._given = 0

    def push(self, logits_1K: Logits, threshold: float | None) -> list[tuple[Marks, Marks]]:
        self._rows.append(familiar(logits_1K, self._rules, rejection_threshold=threshold)[0])
        self._pushed += 1
        return [self._next()] if self._pushed > self._half else []

    def finish(self) -> list[tuple[Marks, Marks]]:
        return [self._next() for _ in range(self._pushed - self._given)]

    def _next(self) -> tuple[Marks, Marks]:
        first_kept = self._pushed - len(self._rows)
        start, end = max(0, self._given - self._half), self._given + self._half + 1
        mean_K = np.mean(list(self._rows)[start - first_kept : end - first_kept], axis=0)
        self._given += 1
        return mean_K >= self._rules.off, mean_K >= self._rules.on


@dataclass(frozen=True)
class _Clock:
    """From steps to seconds."""

    step_seconds: float
    origin_seconds: float
    not_before: float

    def at(self, step: int) -> float:
        return max(self.not_before, self.origin_seconds + step * self.step_seconds)


@dataclass
class _Span:
    """Steps of one class: from ``first`` to before ``end``, with the sum of its probabilities before and in them."""

    first: int
    end: int
    sum_before: float
    sum_at_end: float

    @property
    def score(self) -> float:
        return (self.sum_at_end - self.sum_before) / (self.end - self.first)


class _Spans:
    """The events of one class, out of whether each step lies in it."""

    def __init__(self, number: int, label: str, rules: SegmentRules, clock: _Clock) -> None:
        self.number = number
        self._label = label
        self._gap_steps = rules.gap_seconds / clock.step_seconds + 1e-9
        self._least_seconds = max(rules.least_seconds, 1e-9)
        self._clock = clock
        self._sum = 0.0
        self._run: _Span | None = None  # of consecutive steps inside
        self._reached = False  # whether they count
        self._span: _Span | None = None  # runs that count, with the gaps between
        self._begun = False

    def push(self, step: int, inside: bool, reaches: bool, probability: float) -> list[LiveEvent]:
        events: list[LiveEvent] = []
        before, self._sum = self._sum, self._sum + probability
        if not inside:
            self._run, self._reached = None, False
        elif self._run is None:
            self._run = _Span(step, step + 1, before, self._sum)
        self._reached = self._reached or (inside and reaches)
        # Where the next stretch can start at the earliest; one that goes on may yet count.
        earliest = step + 1 if self._run is None else self._run.first
        if self._span is not None and earliest - self._span.end > self._gap_steps:
            events += self._close(self._clock.at(self._span.end))
        if self._run is not None and self._reached:
            if self._span is None:
                self._span = self._run
            self._span.end, self._span.sum_at_end = step + 1, self._sum
            events += self._begin()
        return events

    def finish(self, steps: int, end_seconds: float) -> list[LiveEvent]:
        if self._span is None:
            return []
        # What lasts until the last score lasts until the end.
        end = end_seconds if self._span.end >= steps else self._clock.at(self._span.end)
        events = self._begin(end) if not self._begun else []
        return events + self._close(end)

    def _begin(self, end_seconds: float | None = None) -> list[LiveEvent]:
        assert self._span is not None
        start = self._clock.at(self._span.first)
        end = self._clock.at(self._span.end) if end_seconds is None else end_seconds
        if self._begun or end - start < self._least_seconds:
            return []
        self._begun = True
        return [
            LiveEvent(state="begin", label=self._label, start_seconds=start, end_seconds=None, score=self._span.score)
        ]

    def _close(self, end_seconds: float) -> list[LiveEvent]:
        assert self._span is not None
        start, score, begun = self._clock.at(self._span.first), self._span.score, self._begun
        self._span, self._begun = None, False
        if not begun:
            return []
        return [LiveEvent(state="end", label=self._label, start_seconds=start, end_seconds=end_seconds, score=score)]
