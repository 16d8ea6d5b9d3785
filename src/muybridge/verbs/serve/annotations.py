"""Segments that a person has corrected, as a file in one of the formats of annotations."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from muybridge.dataset.annotations.video_times import VideoTimes
from muybridge.dataset.segments import Segment
from muybridge.errors import UserError
from muybridge.experiment.annotated_videos import times_of
from muybridge.experiment.segment_files import ENDINGS, write_segments
from muybridge.text import printable
from muybridge.verbs.serve.job_state import Job
from muybridge.verbs.serve.refusal import RefusalError, line_of
from muybridge.verbs.serve.schemas import GivenSegment

KINDS = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "srt": "application/x-subrip",
    "vtt": "text/vtt; charset=utf-8",
    "label-studio": "application/json",
    "elan": "application/xml",
    "boris": "application/json",
    "activitynet": "application/json",
    "cvat": "application/xml",
}
"""The media type of each format."""


def annotation_file(job: Job, given: Sequence[GivenSegment], format: str, root: Path) -> tuple[bytes, str, str]:
    """Write segments of the video of a job.

    Args:
        job: The job.
        given: The segments.
        format: One of `ENDINGS`.
        root: Where a temporary folder may be made.

    Returns:
        The file, what it is to be called, and its media type.

    Raises:
        RefusalError: The format does not hold them, or the video is gone.
    """
    with tempfile.TemporaryDirectory(prefix="annotations-", dir=root) as name:
        folder = Path(name)
        # What the client calls the video is what the file calls it; nobody opens a path of that name.
        video = folder / job.name.replace("/", "_")
        stem = job.name.rpartition(".")[0] or job.name

        def times(_: Path) -> VideoTimes:
            return times_of(job.path)

        segments = sorted(
            (Segment(video, each.start_seconds, each.end_seconds, printable(each.label)) for each in given),
            key=lambda each: (each.start_seconds, each.end_seconds, each.label),
        )
        values = {
            "video": job.name,
            "seconds": job.seconds,
            "segments": [
                {key: value for key, value in asdict(each).items() if key in ("start_seconds", "end_seconds", "label")}
                for each in segments
            ],
        }
        path = folder / f"annotations{ENDINGS[format]}"
        try:
            files, _ = write_segments(path, format, segments, video=video, values=values, times_of=times)
        except UserError as error:
            raise RefusalError(422, line_of(error)) from None
        except FileNotFoundError:
            raise RefusalError(404, "the timeline was deleted in the meantime") from None
        [file] = files
        # Some formats name videos by their whole path; that of a folder here helps nobody.
        data = file.read_bytes().replace(f"{folder.absolute().as_posix().lstrip('/')}/".encode(), b"")
        return data, f"{stem}{ENDINGS[format]}", KINDS[format]
