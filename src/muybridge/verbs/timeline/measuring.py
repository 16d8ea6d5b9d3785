"""Timelines held against annotations."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from muybridge.dataset.segments import Segment
from muybridge.errors import UserError
from muybridge.evaluation.segment_evaluation import SegmentEvaluation, TruthAndAnswer, evaluate_segments
from muybridge.verbs.timeline.result import VideoTimeline


def measure(
    timelines: Sequence[VideoTimeline], true_of: Mapping[Path, Sequence[Segment]], classes: Sequence[str]
) -> SegmentEvaluation:
    """Hold timelines against annotations; a file is the same under whatever path.

    Raises:
        UserError: No video that decoded is annotated.
    """
    answers, unknown = [], set()
    for timeline in timelines:
        true = true_segments(timeline.video, true_of)
        if timeline.error is None and true is not None:
            known = [replace(each, video=timeline.video) for each in true if each.label in classes]
            unknown |= {each.label for each in true} - set(classes)
            answers.append(TruthAndAnswer(timeline.video, timeline.seconds, known, timeline.segments))
    if not any(answer.true for answer in answers):
        raise UserError("the annotations have no segment of these videos with a class that the model knows")
    return evaluate_segments(answers, unknown_labels=sorted(unknown))


def true_segments(video: Path, true_of: Mapping[Path, Sequence[Segment]]) -> Sequence[Segment] | None:
    """The true segments of a video, whatever path it is named by."""
    return next((true for other, true in true_of.items() if other.resolve() == video.resolve()), None)
