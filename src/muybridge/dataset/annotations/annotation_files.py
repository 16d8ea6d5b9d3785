"""The door to annotation files: what a file is, what it says, and segments written in any format.

    annotations = read_annotations(Path("game.eaf"), AnnotationRules(tier="action"))
    write_annotations(annotations, Path("game.json"), "activitynet")

Videos are found relative to the annotation file, see `finding_videos`. Formats that count frames need somebody who
looks into videos, `times_of`, since nothing here does.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from muybridge.dataset.annotations import (
    activitynet,
    boris,
    boris_table,
    cvat,
    delimited,
    elan,
    label_studio,
    label_studio_tasks,
    via,
    xml_files,
)
from muybridge.dataset.annotations.finding_videos import VideoFinder
from muybridge.dataset.annotations.frame_seconds import FrameSeconds
from muybridge.dataset.annotations.rules import AnnotationRules, FileContents, Stretch
from muybridge.dataset.annotations.video_times import TimesOf
from muybridge.dataset.annotations.written_parts import WrittenAnnotations
from muybridge.dataset.labels import shown
from muybridge.dataset.locating import exists, expanded, is_folder, is_regular
from muybridge.dataset.segments import Annotations, Segment
from muybridge.dataset.table_text import TABLE_SUFFIXES
from muybridge.errors import UserError
from muybridge.files import write_json, write_text
from muybridge.schemas import read_json
from muybridge.text import abbreviated, counted, did_you_mean, printable

AnnotationFormat = Literal["csv", "label-studio", "elan", "boris", "activitynet", "cvat"]
"""The formats that are written."""

SUFFIXES: dict[AnnotationFormat, str] = {
    "csv": ".csv", "label-studio": ".json", "elan": ".eaf", "boris": ".boris", "activitynet": ".json", "cvat": ".xml",
}  # fmt: skip
"""How the names of their files end."""

_READ_SUFFIXES = {".eaf", ".boris", ".json", ".xml"}
_LONGEST_SECONDS = 1e9
_MOST_NOTES = 10
_FORMATS = "Label Studio, BORIS, ActivityNet or VIA 3"


def is_annotation_file(path: Path) -> bool:
    """Whether a file is one of annotations other than a plain CSV.

    Raises:
        UserError: If it should be a table, and is no text.
    """
    return path.suffix.lower() in _READ_SUFFIXES or boris_table.recognises(path)


def annotation_files_in(folder: Path) -> list[Path]:
    """The files of formats that hold one video each, ELAN's or CVAT's, which lie in a folder; sorted."""
    try:
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:  # whoever reads the folder says so
        return []
    files = [folder / name for name in names if name.lower().endswith((elan.SUFFIX, cvat.SUFFIX))]
    files = [path for path in files if is_regular(path)]
    return [path for path in files if path.suffix.lower() == elan.SUFFIX] or list(filter(_is_cvat, files))


def _is_cvat(path: Path) -> bool:
    try:
        return xml_files.root_name(path) == cvat.ROOT
    except UserError:  # a file next to clips that is none of annotations, and no business of theirs
        return False


def read_annotations(
    path: Path, rules: AnnotationRules | None = None, *, times_of: TimesOf | None = None
) -> Annotations:
    """Read an annotation file of any known format, or a folder of ELAN's or CVAT's, which hold one video each.

    Args:
        path: The file or folder.
        rules: What the user says about it; default: nothing.
        times_of: Looks into a video; needed where times are frames.

    Raises:
        UserError: If the file is none, is damaged, or videos are missing; the message says what to do.
    """
    path = expanded(path).absolute()
    if is_folder(path) and (files := annotation_files_in(path)):
        return _joined([read_annotations(file, rules, times_of=times_of) for file in files])
    if not is_regular(path):
        raise UserError(f"{path} is no file; give the file that holds the annotations")
    rules = rules or AnnotationRules()
    contents = _contents(path, rules, times_of)
    found, notes = VideoFinder(path, rules.missing).find_all(contents.videos)
    segments, more = _segments(contents, found, times_of)
    return Annotations(
        segments=tuple(sorted(segments, key=_order)),
        videos=tuple(sorted(set(found.values()))),
        notes=(*contents.notes, *notes, *more, *rules.unused(contents.format)),
        format=contents.format,
    )


def _joined(parts: Sequence[Annotations]) -> Annotations:
    """The annotations of several files."""
    notes = list(dict.fromkeys(note for part in parts for note in part.notes))
    if len(notes) > _MOST_NOTES:
        notes = [*notes[:_MOST_NOTES], f"and {len(notes) - _MOST_NOTES} notes more on {len(parts)} files"]
    return Annotations(
        segments=tuple(sorted({_order(each): each for part in parts for each in part.segments}.values(), key=_order)),
        videos=tuple(sorted({video for part in parts for video in part.videos})),
        notes=tuple(notes),
        format=parts[0].format,
    )


def _order(segment: Segment) -> tuple[Path, float, float, str]:
    return segment.video, segment.start_seconds, segment.end_seconds, segment.label


def _contents(path: Path, rules: AnnotationRules, times_of: TimesOf | None) -> FileContents:
    suffix = path.suffix.lower()
    if suffix == elan.SUFFIX:
        return elan.read(path, rules)
    if suffix == ".xml":
        name = xml_files.root_name(path)
        if name == "ANNOTATION_DOCUMENT":
            return elan.read(path, rules)
        if name == cvat.ROOT:
            return cvat.read(path, rules)
        raise UserError(f"{path} is neither CVAT's nor ELAN's XML: its outermost element is {abbreviated(name, 60)}")
    if suffix in (".json", boris.SUFFIX):
        return _of_json(read_json(path), path, rules)
    if suffix in TABLE_SUFFIXES:
        return boris_table.read(path) if boris_table.recognises(path) else delimited.read(path, rules, times_of)
    raise UserError(f"{path} is no annotation file by its name; they end in {', '.join(sorted(_READ_SUFFIXES))}, .csv")


def _of_json(values: Any, path: Path, rules: AnnotationRules) -> FileContents:
    if activitynet.recognises(values):
        return activitynet.read(values, path)
    if boris.recognises(values):
        return boris.read(values, path)
    if via.recognises(values):
        return via.read(values, path, rules)
    if values and label_studio.recognises(values):
        return label_studio.read(values, path, rules)
    raise UserError(f"{path} is no annotation file of {_FORMATS}; export the annotations as one of these")


def _segments(
    contents: FileContents, found: dict[tuple[str, ...], Path], times_of: TimesOf | None
) -> tuple[list[Segment], list[str]]:
    """The segments of the videos that are there, in seconds, each once, and notes on the others."""
    segments: dict[tuple[Path, float, float, str], Segment] = {}
    empty = unlabelled = twice = 0
    for stretch in contents.stretches:
        video = found.get(stretch.video)
        if video is None:
            continue
        label = printable(stretch.label.strip())
        if not label:
            unlabelled += 1
            continue
        start, end = _seconds(stretch, video, times_of)
        if start == end:
            empty += 1
            continue
        segment = Segment(video, start, end, label, stretch.score, printable(stretch.group.strip()), stretch.split)
        twice += _order(segment) in segments
        segments.setdefault(_order(segment), segment)
    said = {"without a length": empty, "without a label": unlabelled, "that are there twice": twice}
    return list(segments.values()), [
        f"left out, {counted(number, 'segment')} {which}" for which, number in said.items() if number
    ]


def _seconds(stretch: Stretch, video: Path, times_of: TimesOf | None) -> tuple[float, float]:
    start, end = stretch.start, stretch.end
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start <= end <= _LONGEST_SECONDS):
        what = "frame {:g} to {:g}" if stretch.in_frames else "{:g} to {:g} s"
        raise UserError(
            f"{stretch.where}: {shown(stretch.label)} is from {what.format(start, end)}; a segment begins at or after "
            "0 and ends behind its start"
        )
    if not stretch.in_frames:
        return float(start), float(end)
    clock = FrameSeconds(stretch.fps, times_of)
    return clock.of(start, video, stretch.where), clock.of(end, video, stretch.where)


def write_annotations(
    annotations: Annotations,
    path: Path,
    format: str,
    *,
    times_of: TimesOf | None = None,
    replace_files: bool = True,
) -> WrittenAnnotations:
    """Write segments in a format.

    ELAN and CVAT hold one video a file: of several videos, each gets a file that bears its name behind that of `path`.

    Args:
        annotations: The segments.
        path: The file.
        format: One of `AnnotationFormat`.
        times_of: Looks into a video; Label Studio and CVAT need it, and what ActivityNet and BORIS say of a video's
            length comes from it.
        replace_files: Whether files that are there are replaced.

    Returns:
        The files, and what the format does not hold.

    Raises:
        UserError: If there is no such format, no video, or a file that must not be replaced.
        OSError: If a file cannot be written.
    """
    if format not in SUFFIXES:
        raise UserError(f"unknown annotation format {format!r}{did_you_mean(format, SUFFIXES)}")
    if not annotations.videos:
        raise UserError(f"no video to write annotations of into {path}")
    several = len(annotations.videos) > 1 and format in ("elan", "cvat")
    places = _free_names(path, annotations.videos) if several else [path]
    if not replace_files and (taken := next((place for place in places if exists(place)), None)):
        raise UserError(f"{taken} is there already; name another file, or remove that one")
    annotations = replace(annotations, segments=tuple(sorted(annotations.segments, key=_order)))
    folder = path.absolute().parent
    if format == "csv":
        write_text(path, delimited.text_of(annotations, folder))
        return WrittenAnnotations((path,))
    if format == "activitynet":
        values, notes = activitynet.values_of(annotations, folder, times_of)
        write_json(path, values)
        return WrittenAnnotations((path,), tuple(notes))
    if format == "boris":
        values, notes = boris.values_of(annotations, folder, times_of)
        write_json(path, values)
        return WrittenAnnotations((path,), tuple(notes))
    if format == "elan":
        return _written_each(annotations, places, lambda video, own: elan.text_of(video, own, folder))
    if times_of is None:
        raise UserError(f"annotations of {format} count frames, and nobody looked into the videos")
    if format == "label-studio":
        tasks, notes = label_studio_tasks.values_of(annotations, folder, times_of)
        write_json(path, tasks)
        return WrittenAnnotations((path,), tuple(notes))
    return _written_each(annotations, places, lambda video, own: cvat.text_of(video, own, folder, times_of(video)))


def _written_each(
    annotations: Annotations, places: Sequence[Path], text_of: Callable[[Path, list[Segment]], tuple[str, list[str]]]
) -> WrittenAnnotations:
    """A file for each video."""
    notes: dict[str, None] = {}
    for video, place in zip(annotations.videos, places, strict=True):
        text, own = text_of(video, list(annotations.of(video)))
        write_text(place, text)
        notes |= dict.fromkeys(own)
    return WrittenAnnotations(tuple(places), tuple(notes))


def _free_names(path: Path, videos: Sequence[Path]) -> list[Path]:
    """A file for each video, which bears its name."""
    names: list[Path] = []
    for video in videos:
        stem = f"{path.stem}-{printable(video.stem)}"
        name = path.with_name(f"{stem}{path.suffix}")
        number = 2
        while name in names:
            name = path.with_name(f"{stem}-{number}{path.suffix}")
            number += 1
        names.append(name)
    return names
