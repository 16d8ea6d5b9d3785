"""The segments of one video as files: subtitles, and the formats of annotations."""

from collections.abc import Sequence
from pathlib import Path

from muybridge.dataset.annotations.annotation_files import write_annotations
from muybridge.dataset.annotations.subtitles import srt_text, vtt_text
from muybridge.dataset.annotations.video_times import TimesOf
from muybridge.dataset.segments import Annotations, Segment
from muybridge.experiment.annotated_videos import times_of as times_of_video
from muybridge.files import write_json, write_text

ENDINGS: dict[str, str] = {
    "csv": ".csv",
    "json": ".json",
    "srt": ".srt",
    "vtt": ".vtt",
    "label-studio": ".label-studio.json",
    "elan": ".eaf",
    "boris": ".boris",
    "activitynet": ".activitynet.json",
    "cvat": ".cvat.xml",
}
"""What is behind the name of the video in the name of a file of each format."""


def write_segments(
    path: Path,
    format: str,
    segments: Sequence[Segment],
    *,
    video: Path,
    values: object = None,
    times_of: TimesOf = times_of_video,
) -> tuple[list[Path], list[str]]:
    """Write the segments of a video in a format.

    Args:
        path: The file.
        format: One of `ENDINGS`.
        segments: In order.
        video: The video, as the file names it; only ``times_of`` looks at it.
        values: What goes into the JSON.
        times_of: Looks into the video, for formats that count frames.

    Returns:
        The files, and what the format could not hold, one line each.

    Raises:
        VideoError: If the video does not decode.
        OSError: If the file cannot be written.
    """
    if format == "json":
        write_json(path, values)
        return [path], []
    if format in ("srt", "vtt"):
        write_text(path, srt_text(segments) if format == "srt" else vtt_text(segments))
        return [path], []
    found = Annotations(segments=tuple(segments), videos=(video,))
    written = write_annotations(found, path, format, times_of=times_of)
    return list(written.files), list(written.notes)
