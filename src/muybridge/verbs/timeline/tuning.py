"""Which annotated videos may choose rules, and what they choose."""

from collections.abc import Sequence
from pathlib import Path

from muybridge.dataset.background import BACKGROUND
from muybridge.dataset.segments import Segment
from muybridge.dataset.split import PARTS, Part, Split
from muybridge.errors import UserError
from muybridge.evaluation.rule_tuning import Tracks, mean_f1, tuned_rules
from muybridge.experiment.annotated_videos import read_annotated
from muybridge.recipes.data import DataConfig
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.recipes.tuned_rules import TunedRules
from muybridge.runs import RunFolder


def read_truth(path: Path) -> tuple[dict[Path, list[Segment]], list[str]]:
    """The segments of annotated videos, without those labelled background, and notes.

    Raises:
        UserError: The file is no annotation file, or has no segment.
    """
    annotations = read_annotated(path, DataConfig())
    truth = {
        video: [segment for segment in annotations.of(video) if segment.label != BACKGROUND]
        for video in annotations.videos
    }
    if not any(truth.values()):
        raise UserError(f"{path} has no segment to tune on; annotate a few minutes of video")
    return truth, [f"note: {line}" for line in annotations.notes]


def deciding_model(run: Path, videos: Sequence[Path]) -> tuple[Path, tuple[Part, ...]]:
    """The model of a run that may choose rules on these videos, and the parts of its split that it must not have seen.

    Raises:
        UserError: It learned from one, or one is a test video, which decides nothing.
    """
    folder = RunFolder(run)
    if not folder.split.is_file():
        return run, ()
    split = Split.load(folder.split)
    parts = {clip.path.resolve(): part for part in PARTS for clip in split.clips_of(part)}
    mine = {video: part for video in videos if (part := parts.get(video.resolve())) is not None}
    for video, part in mine.items():
        if part == "test":
            raise UserError(f"{video} is a test video of {run}, which decides nothing; tune on validation videos")
        if part == "train":
            raise UserError(f"{run} learned from {video}; tune on videos that it did not see")
    return (folder.deciding_model, ("validation",)) if mine else (run, ())


def tune_rules(tracks: Tracks, start: SegmentRules, windows: WindowConfig) -> TunedRules:
    """Choose rules on the scores of videos."""
    rules = tuned_rules(tracks, start)
    return TunedRules(
        rules=rules,
        windows=windows,
        tuned_on=tuple(track.video.name for track, _ in tracks),
        f1_at_50=mean_f1(tracks, rules),
        default_f1_at_50=mean_f1(tracks, start),
    )
