"""CSV of annotations: `video,start,end,label`, and what else a table of clips may have (see `dataset.table`)."""

import csv
import io
from pathlib import Path

from muybridge.dataset.annotations.frame_seconds import FrameSeconds
from muybridge.dataset.annotations.rules import AnnotationRules, FileContents, Stretch
from muybridge.dataset.annotations.video_times import TimesOf
from muybridge.dataset.annotations.written_parts import label_text, name_of_video
from muybridge.dataset.clock_text import frames_in
from muybridge.dataset.segments import Annotations
from muybridge.dataset.table import ReadTime, read_table
from muybridge.errors import UserError
from muybridge.text import spreadsheet_cell

NAME = "csv"


def frame_reader(rules: AnnotationRules, times_of: TimesOf | None) -> ReadTime | None:
    """What makes seconds of the frame numbers of a table; None where its times are no frames.

    Raises:
        UserError: If numbers of frames are to be read and nobody looks into videos.
    """
    if rules.unit != "frames":
        return None
    seconds_of = FrameSeconds(rules.fps, times_of).of

    def read(cell: str, name: str, where: str, video: Path) -> float:
        return seconds_of(frames_in(cell, name, where), video, where)

    return read


def read(path: Path, rules: AnnotationRules, times_of: TimesOf | None) -> FileContents:
    """Read a table; a row without a start begins with its video, and one without an end ends with it."""
    contents = read_table(path, read_time=frame_reader(rules, times_of), as_annotations=True, missing=rules.missing)
    stretches = []
    for clip, score in zip(contents.clips, contents.scores, strict=True):
        end = clip.end_seconds
        if end is None:
            if times_of is None:
                raise UserError(f"{path}: {clip.id} has no end; give one for every row")
            end = times_of(clip.path).end_seconds
        stretches.append(
            Stretch(
                (str(clip.path),),
                clip.start_seconds or 0.0,
                end,
                clip.label,
                str(path),
                score=score,
                group=clip.group,
                split=clip.split,
            )
        )
    videos = [*(clip.path for clip in contents.clips), *contents.eventless]
    return FileContents(NAME, tuple(stretches), tuple((str(video),) for video in videos), contents.notes)


def text_of(annotations: Annotations, folder: Path) -> str:
    """Segments as the text of such a file; a video without one has a row of its own."""
    segments = annotations.segments
    columns = ["video", "start", "end", "label"]
    optional = {
        "score": any(each.score is not None for each in segments),
        "group": any(each.group for each in segments),
        "split": any(each.split for each in segments),
    }
    columns += [name for name, is_there in optional.items() if is_there]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    for video in annotations.videos:
        name = name_of_video(video, folder)
        of_video = annotations.of(video)
        if not of_video:
            writer.writerow({"video": name})
        for each in of_video:
            writer.writerow(
                {
                    "video": name,
                    "start": repr(float(each.start_seconds)).removesuffix(".0"),
                    "end": repr(float(each.end_seconds)).removesuffix(".0"),
                    "label": spreadsheet_cell(label_text(each.label)),
                    "score": "" if each.score is None else repr(float(each.score)),
                    "group": spreadsheet_cell(label_text(each.group)),
                    "split": each.split or "",
                }
            )
    return text.getvalue()
