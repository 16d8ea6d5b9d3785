"""CVAT's XML 1.1 for videos: tracks of boxes, in frames from 0; where a shape is `outside`, the track is not there.

A track is read as a segment for each time that it is there. Format: docs.cvat.ai, formats, CVAT.
"""

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from muybridge.dataset.annotations.rules import AnnotationRules, FileContents, Spellings, Stretch
from muybridge.dataset.annotations.video_times import VideoTimes
from muybridge.dataset.annotations.written_parts import label_text, name_of_video, without
from muybridge.dataset.annotations.xml_files import added, elements, written, xml_text
from muybridge.dataset.segments import Segment
from muybridge.errors import UserError
from muybridge.text import abbreviated, counted, shortened

NAME = "cvat"
SUFFIX = ".xml"
ROOT = "annotations"
_SCORE = "score"
_SHAPES = ("box", "polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton")
_MOST_FRAMES = 10**10
_HINT = "export it again as CVAT for video 1.1"


@dataclass
class _Task:
    video: str = ""
    stop: int | None = None


@dataclass
class _Found:
    tasks: dict[str, _Task] = field(default_factory=dict)
    tracks: list[tuple[str, str, list[tuple[int, bool | None]], float | None]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def read(path: Path, rules: AnnotationRules) -> FileContents:
    """Read the tracks.

    Raises:
        UserError: If the file is damaged, or is one of single images.
    """
    found = _found(path)
    if not found.tasks:
        raise UserError(f"{path} has no task in its meta data, so nothing says which video it is of; {_HINT}")
    only = next(iter(found.tasks)) if len(found.tasks) == 1 else None
    stretches = []
    unended = 0
    for task_name, label, shapes, score in found.tracks:
        task = found.tasks.get(only or task_name)
        if task is None:
            raise UserError(f"{path}: a track belongs to task {abbreviated(task_name, 40)!r}, which is none; {_HINT}")
        spans, is_open = _spans(shapes, task.stop)
        unended += is_open and task.stop is None
        stretches += [
            Stretch(_spellings(task), start, end, label, f"{path}, track {label}", True, rules.fps, score)
            for start, end in spans
        ]
    notes = []
    if unended:
        notes.append(f"{counted(unended, 'track')} without an end: taken up to its last shape")
    if found.left_out:
        listed = shortened([f"{kind} ({count})" for kind, count in sorted(found.left_out.items())])
        notes.append(f"left out, what is no track: {listed}")
    if not stretches and "image" in found.left_out:
        raise UserError(f"{path} holds single images and no tracks; {_HINT}")
    return FileContents(NAME, tuple(stretches), tuple(map(_spellings, found.tasks.values())), tuple(notes))


def _spellings(task: _Task) -> Spellings:
    return (task.video,)


def _found(path: Path) -> _Found:
    found = _Found()
    depth = 0
    for event, element in elements(path):
        depth += 1 if event == "start" else -1
        if event == "start":
            if depth == 1 and element.tag != ROOT:
                raise UserError(f"{path} is no CVAT file, its outermost element is {abbreviated(str(element.tag), 60)}")
            continue
        if depth != 1:
            continue
        if element.tag == "meta":
            for task in [*element.iter("task"), *element.iter("job")]:
                # Older files have the source beside the task.
                video = (task.findtext("source") or element.findtext("source") or task.findtext("name") or "").strip()
                found.tasks[(task.findtext("id") or "").strip()] = _Task(video, _stop(task, path))
        elif element.tag == "track":
            shapes = [_shape(each, path) for each in element if each.tag in _SHAPES]
            score = next((_score(each.text) for each in element.iter("attribute") if each.get("name") == _SCORE), None)
            found.tracks.append((element.get("task_id", ""), element.get("label", "").strip(), shapes, score))
        elif element.tag != "version":
            found.left_out[str(element.tag)] += 1
        element.clear()
    return found


def _stop(task: Element, path: Path) -> int | None:
    """The frame behind a task's last one."""
    stop = (task.findtext("stop_frame") or "").strip()
    if stop:
        return _frame(stop, path) + 1
    size = (task.findtext("size") or "").strip()
    start, step = (task.findtext("start_frame") or "0").strip(), (task.findtext("frame_filter") or "").strip()
    return _frame(start or "0", path) + _frame(size, path) if size and not step else None


def _shape(shape: Element, path: Path) -> tuple[int, bool | None]:
    outside = shape.get("outside")
    return _frame(shape.get("frame", ""), path), None if outside is None else outside == "1"


def _spans(shapes: list[tuple[int, bool | None]], stop: int | None) -> tuple[list[tuple[int, int]], bool]:
    """From when to when a track is there, and whether nothing ends it, so that it lasts as long as the task."""
    spans: list[tuple[int, int]] = []
    start: int | None = None
    last = -1
    for last, outside in sorted(shapes, key=lambda shape: shape[0]):
        if outside and start is not None:
            spans.append((start, last))
            start = None
        elif not outside and start is None:
            start = last
    if start is None:
        return spans, False
    marked = any(outside is not None for _, outside in shapes)
    return [*spans, (start, max(last + 1, stop) if marked and stop is not None else last + 1)], marked


def _frame(text: str, path: Path) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= _MOST_FRAMES:
        raise UserError(f"{path}: {abbreviated(text, 40)!r} is no frame; {_HINT}")
    return number


def _score(text: str | None) -> float | None:
    try:
        score = float(text or "")
    except ValueError:
        return None
    return score if 0 <= score <= 1 else None


def text_of(video: Path, segments: list[Segment], folder: Path, times: VideoTimes) -> tuple[str, list[str]]:
    """The segments of one video as the text of such a file, and notes."""
    labels = sorted({xml_text(label_text(segment.label)) for segment in segments})
    has_scores = any(segment.score is not None for segment in segments)
    root = Element(ROOT)
    added(root, "version", "1.1")
    _add_meta(root, video, folder, times, labels, has_scores=has_scores)
    corners = {"xtl": "0.00", "ytl": "0.00", "xbr": f"{times.width_px:.2f}", "ybr": f"{times.height_px:.2f}"}
    left_out = 0
    number = 0
    for segment in segments:
        start, end = times.frame_at(segment.start_seconds), times.frame_at(segment.end_seconds)
        if start >= end:
            left_out += 1
            continue
        track = added(root, "track", id=str(number), label=xml_text(label_text(segment.label)))
        track.set("source", "manual" if segment.score is None else "auto")
        number += 1
        _add_box(track, start, corners, segment.score, outside=False)
        if end < times.frame_count:
            _add_box(track, end, corners, segment.score, outside=True)
        elif start < times.frame_count - 1:
            _add_box(track, times.frame_count - 1, corners, segment.score, outside=False)
    notes = [
        "CVAT marks things in pictures, so each segment is a track whose box is the whole picture",
        *without(segments, "CVAT", scores=True),
    ]
    if left_out:
        notes.append(f"left out, {counted(left_out, 'segment')} without a frame")
    return written(root), notes


def _add_meta(
    root: Element, video: Path, folder: Path, times: VideoTimes, labels: list[str], *, has_scores: bool
) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat(sep=" ")
    meta = added(root, "meta")
    task = added(meta, "task")
    last = str(times.frame_count - 1)
    for name, text in {
        "id": "1", "name": xml_text(video.stem), "size": str(times.frame_count), "mode": "interpolation",
        "overlap": "0", "bugtracker": None, "created": now, "updated": now, "subset": None, "start_frame": "0",
        "stop_frame": last, "frame_filter": None,
    }.items():  # fmt: skip
        added(task, name, text)
    segment = added(added(task, "segments"), "segment")
    for name, text in {"id": "1", "start": "0", "stop": last, "url": None}.items():
        added(segment, name, text)
    owner = added(task, "owner")
    added(owner, "username")
    added(owner, "email")
    added(task, "assignee")
    listed = added(task, "labels")
    for label in labels:
        entry = added(listed, "label")
        added(entry, "name", label)
        added(entry, "type", "rectangle")
        attributes = added(entry, "attributes")
        if has_scores:
            attribute = added(attributes, "attribute")
            for name, text in _SCORE_ATTRIBUTE.items():
                added(attribute, name, text)
    size = added(task, "original_size")
    added(size, "width", str(times.width_px))
    added(size, "height", str(times.height_px))
    added(task, "source", xml_text(name_of_video(video, folder)))
    added(meta, "dumped", now)


_SCORE_ATTRIBUTE = {"name": _SCORE, "mutable": "False", "input_type": "text", "default_value": "", "values": ""}


def _add_box(track: Element, frame: int, corners: Mapping[str, str], score: float | None, *, outside: bool) -> None:
    box = added(track, "box", frame=str(frame), keyframe="1", outside=str(int(outside)), occluded="0")
    for name, value in corners.items():
        box.set(name, value)
    box.set("z_order", "0")
    if score is not None:
        added(box, "attribute", repr(score), name=_SCORE)
