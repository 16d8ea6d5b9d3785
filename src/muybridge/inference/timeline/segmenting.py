"""From the scores of a long video to segments.

Two ways. By path the video is in one class at a time, or in none of these, and the likeliest course is found with a
cost for every change (Viterbi). By tracks each class has stretches of its own where its smoothed probability is high
(hysteresis), so segments of different classes may overlap. Then both fill gaps and drop what is too short; overlaps
are thinned out (soft non-maximum suppression). A class `background` never becomes a segment.

Axes: N steps, K classes, S states: the classes and none of these.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from muybridge.dataset.background import BACKGROUND
from muybridge.dataset.segments import Segment
from muybridge.inference.engines.engine import Logits
from muybridge.inference.probabilities import log, softmax
from muybridge.inference.timeline.score_track import ScoreTrack
from muybridge.recipes.timeline_rules import SegmentRules

Steps = tuple[int, int]
"""The first step of a segment, and the one behind its last."""

Spans = dict[int, list[Steps]]
"""Of each class, by its number, its stretches in order."""


def segments_of(track: ScoreTrack, rules: SegmentRules) -> list[Segment]:
    """The segments of a video, by start, end and label."""
    spans_of = _by_path(track, rules) if rules.way == "path" else _by_tracks(track, rules)
    probabilities_NK = track.probabilities_NK()
    step, found = track.step_seconds, []
    for number, spans in spans_of.items():
        for first, end in without_gaps(spans, steps=rules.gap_seconds / step):
            start_seconds = max(0.0, first * step - rules.lag_seconds)
            # The last step may reach beyond the end of the video.
            end_seconds = min(track.seconds, end * step - (rules.lag_seconds if end < len(probabilities_NK) else 0.0))
            if end_seconds - start_seconds >= max(rules.least_seconds, 1e-9):
                score = float(probabilities_NK[first:end, number].mean())
                found.append(Segment(track.video, start_seconds, end_seconds, track.classes[number], score))
    kept = without_overlaps(found, sigma=rules.overlap_sigma, least=rules.off) if rules.way == "tracks" else found
    return sorted(kept, key=lambda each: (each.start_seconds, each.end_seconds, each.label))


def _by_path(track: ScoreTrack, rules: SegmentRules) -> Spans:
    """Of each class the stretches in which the likeliest path is in it."""
    logs_NS = log_likelihoods(track.logits_NK, rules, rejection_threshold=track.rejection_threshold)
    path_N = cheapest_path(logs_NS, change_cost=rules.change_cost_of_steps(track.step_seconds))
    edges = [0, *(np.flatnonzero(np.diff(path_N)) + 1).tolist(), len(path_N)]
    spans: Spans = {}
    for first, end in pairwise(edges):
        state = int(path_N[first])
        if state < len(track.classes) and track.classes[state] != BACKGROUND:
            spans.setdefault(state, []).append((first, end))
    return spans


def log_likelihoods(
    logits_NK: Logits, rules: SegmentRules, *, rejection_threshold: float | None
) -> npt.NDArray[np.float64]:
    """Logarithms of the probabilities of the classes and, last, of none of these, where that is an answer: (N, S)."""
    exact_NK = logits_NK.astype(np.float64)
    if not rules.use_none_of_these:
        return log(softmax(exact_NK))
    if rejection_threshold is None:
        # No score to hold against those of the classes: a class must have the probability ``off``.
        logs_NK = log(softmax(exact_NK))
        return np.hstack([logs_NK, np.full((len(logs_NK), 1), np.log(rules.off))])
    # None of these as one more class, whose score is where the model's own threshold lies.
    own_N1 = np.full((len(exact_NK), 1), rejection_threshold + rules.none_of_these)
    return log(softmax(np.hstack([exact_NK, own_N1])))


def cheapest_path(logs_NS: npt.NDArray[np.float64], *, change_cost: float) -> npt.NDArray[np.int64]:
    """The state of each step that makes the sum of its logarithms, less the cost of each change, the highest.

    Source: Viterbi, 1967, with one cost for every change. Of equally good paths the one that stays is taken.
    """
    count, states = logs_NS.shape
    came_from_NS = np.tile(np.arange(states, dtype=np.int32), (count, 1))
    best_S = logs_NS[0].copy()
    for step in range(1, count):
        other = int(best_S.argmax())
        changed = best_S[other] - change_cost
        moves_S = best_S < changed
        came_from_NS[step, moves_S] = other
        best_S = np.where(moves_S, changed, best_S) + logs_NS[step]
        best_S -= best_S.max()  # so that the numbers of a long video stay small
    path_N = np.empty(count, dtype=np.int64)
    path_N[-1] = best_S.argmax()
    for step in range(count - 1, 0, -1):
        path_N[step - 1] = came_from_NS[step, path_N[step]]
    return path_N


def _by_tracks(track: ScoreTrack, rules: SegmentRules) -> Spans:
    """Of each class the stretches in which it is likely by itself."""
    likely_NK = familiar(track.logits_NK, rules, rejection_threshold=track.rejection_threshold)
    likely_NK = smoothed(likely_NK, steps=round(rules.smoothing_seconds / track.step_seconds))
    return {
        number: hysteresis(likely_NK[:, number], on=rules.on, off=rules.off)
        for number, label in enumerate(track.classes)
        if label != BACKGROUND
    }


def familiar(logits_NK: Logits, rules: SegmentRules, *, rejection_threshold: float | None) -> npt.NDArray[np.float64]:
    """Probabilities of the classes, 0 at moments that are none of these: (N, K)."""
    likely_NK = softmax(logits_NK.astype(np.float64))
    if rules.use_none_of_these and rejection_threshold is not None:
        familiar_N = logits_NK.max(axis=1) >= rejection_threshold + rules.none_of_these
        likely_NK = likely_NK * familiar_N[:, None]
    return likely_NK


def smoothed(values_NK: npt.NDArray[np.float64], *, steps: int) -> npt.NDArray[np.float64]:
    """The mean over so many steps around each, as many as there are at the ends; an even number counts as one more."""
    half = steps // 2
    if half < 1:
        return values_NK
    count = len(values_NK)
    sums = np.concatenate([np.zeros((1, values_NK.shape[1])), values_NK.cumsum(axis=0)])
    first_N = np.maximum(np.arange(count) - half, 0)
    end_N = np.minimum(np.arange(count) + half + 1, count)
    return np.asarray((sums[end_N] - sums[first_N]) / (end_N - first_N)[:, None])


def hysteresis(values_N: npt.NDArray[np.float64], *, on: float, off: float) -> list[Steps]:
    """Stretches at or above ``off`` that reach ``on``."""
    above_N = np.concatenate([[False], values_N >= off, [False]])
    edges = np.flatnonzero(above_N[1:] != above_N[:-1])
    spans = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(first, end) for first, end in spans if values_N[first:end].max() >= on]


def without_gaps(spans: list[Steps], *, steps: float) -> list[Steps]:
    """The same with gaps of up to ``steps`` filled."""
    if not spans:
        return []
    starts = [spans[0][0], *(after[0] for before, after in pairwise(spans) if after[0] - before[1] > steps + 1e-9)]
    ends = [*(before[1] for before, after in pairwise(spans) if after[0] - before[1] > steps + 1e-9), spans[-1][1]]
    return list(zip(starts, ends, strict=True))


def without_overlaps(segments: list[Segment], *, sigma: float, least: float) -> list[Segment]:
    """Lower the scores of segments that overlap better ones of other classes; drop those that fall below ``least``.

    Source: Bodla et al., Soft-NMS, ICCV 2017, the Gaussian penalty. Segments that overlap nothing stay as they are.
    """
    left, kept = list(segments), []
    while left:
        best = max(left, key=lambda each: (each.score or 0.0, -each.start_seconds))
        left.remove(best)
        kept.append(best)
        lowered = []
        for other in left:
            shared = min(best.end_seconds, other.end_seconds) - max(best.start_seconds, other.start_seconds)
            if shared <= 0:
                lowered.append(other)
                continue
            union = max(best.end_seconds, other.end_seconds) - min(best.start_seconds, other.start_seconds)
            score = (other.score or 0.0) * float(np.exp(-((shared / union) ** 2) / sigma))
            if score >= least:
                lowered.append(
                    Segment(other.video, other.start_seconds, other.end_seconds, other.label, score, other.group)
                )
        left = lowered
    return kept
