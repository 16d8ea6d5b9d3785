"""Which frames of a clip: the samplers.

A sampler knows only how many frames there are, or their times, so it can be tested, stored with a model as JSON
and compared without touching a video. Each returns *views*: one view is the frame indices that one pass of a
network sees, in the order of time. Training takes one view, testing may average the scores of several.

Frames are counted, or asked for by time: with ``frames_per_second`` a step is that part of a second, whatever rate
the camera wrote. Where the rate of a clip is a whole multiple of it, that is the same as counting.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

import numpy as np

from muybridge.errors import UserError
from muybridge.text import did_you_mean
from muybridge.video.clip_times import TOLERANCE_SECONDS, ClipTimes
from muybridge.video.sampler import Indices, Sampler, TimedSampler
from muybridge.video.sampler_values import Policy, SamplerKind, UniformRule, renamed_sampler_values

_Start = TypeVar("_Start", int, float)


@dataclass(frozen=True, kw_only=True)
class UniformSampler(Sampler):
    """A fixed number of frames, spread over the whole clip (``VideoFrameGenerator`` of the paper).

    Rule ``"even"`` cuts the N frames into T equal segments; segment t covers ``[t*N/T, (t+1)*N/T)``, and view
    v of V takes the frame at the fraction ``(v + 1/2) / V`` of each: one view takes the centres.

        >>> UniformSampler(frames=4).views(12)  # segments 0-2, 3-5, 6-8, 9-11
        [array([ 1,  4,  7, 10])]
        >>> UniformSampler(frames=4).views(12, count=3)
        [array([0, 3, 6, 9]), array([ 1,  4,  7, 10]), array([ 2,  5,  8, 11])]

    Rule ``"paper"`` is the index rule of keras-video-generators 1.0.14, which the paper used, for
    comparable numbers. The step is ``max(1, N // (T - 1))``, where an odd N counts as N + 1. Counting from 1,
    frame i is kept if it is the first, the last, or a multiple of the step, until T are kept. One view only.

        >>> UniformSampler(frames=5, rule="paper").views(93)  # counted from 1: 1, 23, 46, 69, 92
        [array([ 0, 22, 45, 68, 91])]

    A clip is too short if it has fewer than ``frames`` frames; then all its frames are taken, and `policy`
    says what follows.

        >>> UniformSampler(frames=5).views(3)
        [array([0, 1, 2, 2, 2])]
    """

    kind: ClassVar[SamplerKind] = "uniform"
    frames: int = 16
    rule: UniformRule = "even"

    def _views(self, frame_count: int, count: int | None) -> list[Indices]:
        if self.rule == "paper" and count not in (None, 1):
            raise UserError(f"sampler.rule paper has one view, not {count}; use sampler.rule even")
        if frame_count < self.frames:
            view = self._fill(range(frame_count), self.frames, frame_count)
            return [view.copy() for _ in range(count or 1)]
        if self.rule == "paper":
            return [self._paper_view(frame_count)]
        return [self._even_view(frame_count, view, count or 1) for view in range(count or 1)]

    def _even_view(self, frame_count: int, view: int, count: int) -> Indices:
        # floor((t + (v + 1/2) / V) * N / T) in whole numbers, so that no rounding can move a frame.
        segment = np.arange(self.frames, dtype=np.int64)
        return (2 * count * segment + 2 * view + 1) * frame_count // (2 * count * self.frames)

    def _paper_view(self, frame_count: int) -> Indices:
        even_count = frame_count + frame_count % 2
        step = max(1, even_count // (self.frames - 1))
        numbers = {1, frame_count, *range(step, frame_count + 1, step)}
        return np.array(sorted(numbers)[: self.frames], dtype=np.int64) - 1


@dataclass(frozen=True, kw_only=True)
class EverySampler(TimedSampler):
    """Each n-th frame from the first on (Ullah et al. take each 6th), at most ``frames`` of them.

        >>> EverySampler(every=6).views(20)
        [array([ 0,  6, 12, 18])]

    More views start later, by equal parts of the step:

        >>> EverySampler(every=6).views(20, count=2)
        [array([ 0,  6, 12, 18]), array([ 3,  9, 15])]

    With ``frames=0`` there is no limit: the length follows the clip and no clip is too short. Otherwise a clip that
    has fewer is, and `policy` decides; as the length varies by nature, the default is to leave it shorter.

        >>> EverySampler(every=6, frames=5, policy="repeat_last").views(20)
        [array([ 0,  6, 12, 18, 18])]

    With ``frames_per_second`` a step is that part of a second, and ``every`` says nothing:

        >>> EverySampler(frames_per_second=5).views(20, seconds_N=np.arange(20) / 25)
        [array([ 0,  5, 10, 15])]
    """

    kind: ClassVar[SamplerKind] = "every"
    policy: Policy = "shorter"
    every: int = 6
    frames: int = 0

    def _views(self, frame_count: int, count: int | None) -> list[Indices]:
        count = count or 1
        # In a clip shorter than one step, all starts must still lie inside the clip.
        starts = (view * min(self.every, frame_count) // count for view in range(count))
        return [
            self._fill(range(start, frame_count, self.every)[: self.frames or None], self.frames, frame_count)
            for start in starts
        ]

    def _start_seconds(self, times: ClipTimes, count: int | None) -> list[float]:
        step = min(1 / self.frames_per_second, times.length_seconds)
        return [view * step / (count or 1) for view in range(count or 1)]


@dataclass(frozen=True, kw_only=True)
class DenseSampler(TimedSampler):
    """Consecutive frames, or each ``stride``-th, from one stretch of the clip: the middle, or spread views.

    With ``span = (frames - 1) * stride + 1``, a stretch can start at any of the ``N - span + 1`` frames;
    view v of V starts at the fraction ``(v + 1/2) / V`` of these.

        >>> DenseSampler(frames=4).views(9)  # six possible starts, 0 to 5
        [array([3, 4, 5, 6])]
        >>> DenseSampler(frames=4, stride=2).views(9, count=3)  # span 7, starts 0 to 2
        [array([0, 2, 4, 6]), array([1, 3, 5, 7]), array([2, 4, 6, 8])]

    A clip is too short if it has fewer than ``span`` frames: then every ``stride``-th frame from the first
    on is taken, and `policy` says what follows.

    With ``frames_per_second`` a stretch is so many frames a second, whatever the clip has, and a clip is too short
    if it ends before the last of them.

        >>> DenseSampler(frames=4, frames_per_second=5).views(20, seconds_N=np.arange(20) / 25)
        [array([ 2,  7, 12, 17])]
    """

    kind: ClassVar[SamplerKind] = "dense"
    frames: int = 16
    stride: int = 1

    @property
    def span(self) -> int:
        """Frames of the clip from the first to the last that a view takes."""
        return (self.frames - 1) * self.stride + 1

    def _views(self, frame_count: int, count: int | None) -> list[Indices]:
        starts = max(1, frame_count - self.span + 1)
        return [self._stretch((2 * view + 1) * starts // (2 * (count or 1)), frame_count) for view in range(count or 1)]

    def _stretch(self, start: int, frame_count: int) -> Indices:
        return self._fill(range(start, min(start + self.span, frame_count), self.stride), self.frames, frame_count)

    def _start_seconds(self, times: ClipTimes, count: int | None) -> list[float]:
        latest = max(0.0, times.length_seconds - (self.frames - 1) / self.frames_per_second)
        return [(2 * view + 1) * latest / (2 * (count or 1)) for view in range(count or 1)]


@dataclass(frozen=True, kw_only=True)
class SlidingSampler(DenseSampler):
    """Windows that slide over the whole clip (what the paper's ``SlidingFrameGenerator`` was meant to do).

    A window is like a view of `DenseSampler`; each starts ``hop`` frames after the one before (default: right
    behind its last frame), and the last is moved back so that it ends with the clip.

        >>> SlidingSampler(frames=4, hop=3).views(12)  # 8 would be the last possible start
        [array([0, 1, 2, 3]), array([3, 4, 5, 6]), array([6, 7, 8, 9]), array([ 8,  9, 10, 11])]

    ``count`` windows are chosen evenly among these; if there are fewer, some are given more than once.

        >>> SlidingSampler(frames=4, hop=3).views(12, count=2)
        [array([3, 4, 5, 6]), array([ 8,  9, 10, 11])]

    ``frames=6, stride=6, hop=36`` makes the chunks of Ullah et al.: six frames from 36 each.

    With ``frames_per_second``, ``hop`` counts the steps of a window: 8 at 5 a second are 1.6 seconds.
    """

    kind: ClassVar[SamplerKind] = "sliding"
    hop: int | None = None

    def _views(self, frame_count: int, count: int | None) -> list[Indices]:
        last_start = max(0, frame_count - self.span)
        starts = [*range(0, last_start, self.hop or self.span), last_start]
        return [self._stretch(start, frame_count) for start in _spread(starts, count)]

    def _start_seconds(self, times: ClipTimes, count: int | None) -> list[float]:
        last_start = max(0.0, float(times.seconds_N[-1]) - (self.frames - 1) / self.frames_per_second)
        hop = (self.hop or self.frames) / self.frames_per_second
        before = math.ceil((last_start - TOLERANCE_SECONDS) / hop)
        return _spread([*(hop * window for window in range(before)), last_start], count)


def _spread(starts: Sequence[_Start], count: int | None) -> list[_Start]:
    """So many of the starts, evenly; None is all."""
    if count is None:
        return list(starts)
    return [starts[(2 * view + 1) * len(starts) // (2 * count)] for view in range(count)]


SAMPLERS: dict[str, type[Sampler]] = {
    sampler.kind: sampler for sampler in (UniformSampler, EverySampler, DenseSampler, SlidingSampler)
}


def sampler_from_dict(values: Mapping[str, Any]) -> Sampler:
    """Make the sampler that `Sampler.to_dict` wrote down, today or earlier; fields left out take their defaults.

    Raises:
        UserError: an unknown kind or field (with the nearest known one), or a bad value.
    """
    given = renamed_sampler_values(values)
    kind = given.pop("kind", None)
    if not isinstance(kind, str):
        raise UserError(f"a sampler needs a 'kind', one of {', '.join(SAMPLERS)}")
    if kind not in SAMPLERS:
        raise UserError(f"unknown sampler kind {kind!r}{did_you_mean(kind, SAMPLERS)}")
    known = [field.name for field in fields(SAMPLERS[kind])]
    for name in given:
        if name not in known:
            raise UserError(f"sampler '{kind}' has no setting {name!r}{did_you_mean(str(name), known)}")
    return SAMPLERS[kind](**given)
