"""Long videos and their annotations together: where annotations count frames, somebody has to look into videos."""

from functools import lru_cache
from pathlib import Path

from muybridge.dataset.annotations.annotation_files import read_annotations, write_annotations
from muybridge.dataset.annotations.rules import AnnotationRules
from muybridge.dataset.annotations.video_times import VideoTimes
from muybridge.dataset.annotations.written_parts import WrittenAnnotations
from muybridge.dataset.segments import Annotations
from muybridge.file_parts import size_of, status_of
from muybridge.recipes.data import DataConfig
from muybridge.video.frame_times import read_frame_times

_REMEMBERED = 512
"""So many videos are remembered: an hour of frames is 720 kB."""


def times_of(video: Path) -> VideoTimes:
    """The frames of a video on a clock, looked up once.

    Raises:
        VideoError: If it does not decode.
    """
    return _times_of(video, size_of(video), status_of(video).st_mtime_ns)


@lru_cache(maxsize=_REMEMBERED)
def _times_of(video: Path, size: int, changed: int) -> VideoTimes:
    times = read_frame_times(video)
    return VideoTimes(times.seconds_N, times.end_seconds, times.width_px, times.height_px)


def rules_of(data: DataConfig) -> AnnotationRules:
    """What a recipe says about annotation files."""
    return AnnotationRules(
        unit=data.annotation_unit, tier=data.annotation_tier, fps=data.annotation_fps, missing=data.annotation_missing
    )


def read_annotated(path: Path, data: DataConfig) -> Annotations:
    """Read an annotation file of any format, with what a recipe says about it.

    Raises:
        UserError: If it is none, is damaged, or videos are missing.
    """
    return read_annotations(path, rules_of(data), times_of=times_of)


def write_annotated(
    annotations: Annotations, path: Path, format: str, *, replace_files: bool = True
) -> WrittenAnnotations:
    """Write segments in any of the formats that are written.

    Args:
        annotations: The segments.
        path: The file; of several videos, ELAN and CVAT get a file each.
        format: One of `annotation_files.SUFFIXES`.
        replace_files: Whether files that are there are replaced.

    Raises:
        UserError: If there is no such format, no video, or a file that must not be replaced.
        VideoError: If a video does not decode.
        OSError: If a file cannot be written.
    """
    return write_annotations(annotations, path, format, times_of=times_of, replace_files=replace_files)
