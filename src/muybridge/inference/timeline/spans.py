"""A long video in spans that different processes score, so that the scores are those of one process.

A span's frames begin before its first score: a window earlier, and for a streaming encoder as many frames more as bear
on one, so that none of what it began with is left. They begin where a stretch of the whole video would, so that the
same frames go through the network together. A network whose state holds all of the past (squeeze-excitation over time,
a mean over all frames) has no such spans: whoever scores the video goes through it whole.

Axes: T frames, N scores, H, W, C (RGB), K classes.
"""

from dataclasses import dataclass

import numpy as np

from muybridge.inference.engines.engine import Frames, Logits
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.video_scoring import STRETCH_FRAMES, Steps
from muybridge.inference.timeline.window_scoring import sees_frames
from muybridge.models.encoders.movinet import StreamingMoViNet

SPAN_BYTES = 2**26
MOST_SPAN_FRAMES = 512
"""Two minutes at five frames a second, if they are not too large: what a process holds, and what a kill costs."""
_LEAST_LEADS = 4
"""A span is so many times as long as what it reads only to begin."""


@dataclass(frozen=True)
class Span:
    """Some scores of a video, and the frames that they need.

    Attributes:
        first_score: The first of them.
        end_score: The one behind the last.
        first_frame: The first frame to read, at the steady rate.
        end_frame: The one behind the last.
        is_last: Whether the video ends with that frame.
    """

    first_score: int
    end_score: int
    first_frame: int
    end_frame: int
    is_last: bool


def past_frames(recognizer: Recognizer) -> int | None:
    """How many frames before one bear on its features; None: all of them, so that a video has no spans."""
    if not sees_frames(recognizer):
        return 0
    return recognizer.net.encoder.past_frames if isinstance(recognizer.net.encoder, StreamingMoViNet) else 0


def spans_of(recognizer: Recognizer, steps: Steps, frame_count: int) -> list[Span] | None:
    """The spans of a video; None where the encoder's state holds all of the past.

    Args:
        recognizer: The model.
        steps: How it looks at the video.
        frame_count: Frames of the video at the steady rate.
    """
    past = past_frames(recognizer)
    if past is None:
        return None
    before, behind = _around(recognizer, steps)
    lead = past + before
    most = min(MOST_SPAN_FRAMES, SPAN_BYTES // (3 * recognizer.size_px**2))
    span_scores = -(-max(most - lead - behind, _LEAST_LEADS * (lead + behind)) // steps.score_frames)
    score_count = -(-frame_count // steps.score_frames)
    found = []
    for first in range(0, score_count, span_scores):
        end = min(score_count, first + span_scores)
        first_frame = max(0, first * steps.score_frames - lead) // STRETCH_FRAMES * STRETCH_FRAMES
        needed = (end - 1) * steps.score_frames + behind
        end_frame = min(frame_count, -(-needed // STRETCH_FRAMES) * STRETCH_FRAMES)
        found.append(Span(first, end, first_frame, end_frame, end_frame == frame_count))
    return found


def score_span(recognizer: Recognizer, steps: Steps, span: Span, frames_THWC: Frames) -> Logits:
    """The scores of a span.

    Args:
        recognizer: The model.
        steps: How it looks at the video.
        span: Of `spans_of`.
        frames_THWC: Its frames.
    """
    scorer = steps.scorer(recognizer)
    scorer.start_at(span.first_frame, span.first_score)
    parts = [scorer.push(frames_THWC[at : at + STRETCH_FRAMES]) for at in range(0, len(frames_THWC), STRETCH_FRAMES)]
    if span.is_last:
        parts.append(scorer.finish())
    return np.concatenate(parts)[: span.end_score - span.first_score]


def _around(recognizer: Recognizer, steps: Steps) -> tuple[int, int]:
    """Of what its score needs, how many frames lie before the first one of a step, and how many from it on."""
    if sees_frames(recognizer):
        half = steps.window_frames // 2
        return half, steps.window_frames - half
    # A clip's step has the mean of the two windows that it lies in.
    return steps.score_frames, 2 * steps.score_frames
