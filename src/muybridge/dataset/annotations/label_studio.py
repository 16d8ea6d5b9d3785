"""Label Studio's JSON: spans of a video's timeline (TimelineLabels), in frames from 1 to the last one included.

Also read: regions with `start` and `end` in seconds (Labels over audio of a video), the times in which a box is there
(VideoRectangle), and JSON-MIN. Format: labelstud.io/tags/timelinelabels and labelstud.io/guide/export.
"""

import fnmatch
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec import field as struct_field

from muybridge.dataset.annotations.rules import AnnotationRules, FileContents, Spellings, Stretch
from muybridge.dataset.walking import is_video
from muybridge.errors import UserError
from muybridge.schemas import Number, Share, convert
from muybridge.text import counted, did_you_mean, printable, shortened

NAME = "label-studio"
_HINT = "export it again as JSON or JSON-MIN"
_RATES = ("fps", "frame_rate", "frameRate", "framerate")
_Frame = Annotated[int, Meta(ge=0, le=10**12)]


class _Range(Struct):
    start: _Frame
    end: _Frame


class _Key(Struct):
    frame: _Frame
    enabled: bool = True


class _Value(Struct):
    ranges: tuple[_Range, ...] = ()
    start: Number | None = None
    end: Number | None = None
    sequence: tuple[_Key, ...] = ()
    frames_count: _Frame | None = struct_field(default=None, name="framesCount")
    duration: Number | None = None
    timelinelabels: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    videolabels: tuple[str, ...] = ()

    @property
    def all_labels(self) -> tuple[str, ...]:
        return self.timelinelabels or self.labels or self.videolabels


class _Region(Struct):
    value: dict[str, Any] = {}
    type: str = ""
    from_name: str = ""
    score: Share | None = None


class _Annotation(Struct):
    result: tuple[_Region, ...] = ()
    was_cancelled: bool = False
    ground_truth: bool = False


class _Prediction(Struct):
    result: tuple[_Region, ...] = ()


class _Task(Struct):
    data: dict[str, Any]
    annotations: tuple[_Annotation, ...] | None = None
    predictions: tuple[_Prediction | int, ...] | None = None


def recognises(values: Any) -> bool:
    """Whether JSON values are of this format: a task, or a list of tasks."""
    tasks = values if isinstance(values, list) else [values]
    return all(isinstance(task, Mapping) for task in tasks) and all(
        isinstance(task.get("data"), Mapping) or _is_small(task) for task in tasks
    )


def _is_small(task: Mapping[str, Any]) -> bool:
    """Whether a mapping is a task of JSON-MIN: what it labels beside what it holds, in one level."""
    return any(isinstance(value, str) and is_video(_path_part(value)) for value in task.values())


class _Reader:
    def __init__(self, path: Path, rules: AnnotationRules) -> None:
        self.path, self.rules = path, rules
        self.stretches: list[Stretch] = []
        self.videos: list[Spellings] = []
        self.left_out: dict[str, int] = {}
        self.several = 0
        self.predicted = False
        self.own_frames = False
        self.controls: set[str] = set()

    def task(self, number: int, values: Mapping[str, Any], *, predictions: bool) -> None:
        where = f"{self.path}, task {values.get('id', number)}"
        if not isinstance(values.get("data"), Mapping):
            self._small_task(values, where)
            return
        task = convert(values, _Task, where=where, hint=_HINT)
        video = self._video(task.data, where)
        fps = self._frames_per_second(task.data)
        if predictions:
            self.predicted = True
            whole = [each for each in task.predictions or () if isinstance(each, _Prediction)]
            regions = whole[0].result if whole else ()
        else:
            valid = [each for each in task.annotations or () if not each.was_cancelled]
            self.several += len(valid) > 1
            chosen = next((each for each in valid if each.ground_truth), valid[-1] if valid else None)
            regions = chosen.result if chosen else ()
        for region in regions:
            self._region(region.value, region.type, region.from_name, region.score, video, fps, where)

    def _small_task(self, values: Mapping[str, Any], where: str) -> None:
        video = self._video(values, where)
        fps = self._frames_per_second(values)
        for control, regions in values.items():
            for region in regions if isinstance(regions, list) else ():
                if isinstance(region, Mapping):
                    self._region(region, "", control, None, video, fps, where)

    def _frames_per_second(self, data: Mapping[str, Any]) -> float:
        """What the user says, or the task; 0 if nobody does."""
        return self.rules.fps or next((rate for key in _RATES if (rate := _positive(data.get(key)))), 0.0)

    def _video(self, data: Mapping[str, Any], where: str) -> Spellings:
        texts = {key: value for key, value in data.items() if isinstance(value, str)}
        found = next((text for text in texts.values() if is_video(_path_part(text))), texts.get("video"))
        if not found:
            raise UserError(f"{where} names no video; its data must have one, as {{'video': 'game.mp4'}}")
        self.videos.append((found,))
        return (found,)

    def _region(
        self,
        values: Mapping[str, Any],
        kind: str,
        control: str,
        score: float | None,
        video: Spellings,
        fps: float,
        where: str,
    ) -> None:
        self.controls.add(control)
        if self.rules.tier and not fnmatch.fnmatchcase(control, self.rules.tier):
            return
        known = {"ranges", "start", "end", "sequence"} & values.keys()
        if not known or kind in ("timeserieslabels", "paragraphlabels", "hypertextlabels"):
            self.left_out[kind or control] = self.left_out.get(kind or control, 0) + 1
            return
        value = convert(dict(values), _Value, where=where, hint=_HINT)
        for label in value.all_labels or ("",):
            if value.ranges or value.sequence:
                if value.frames_count and value.duration and not fps:
                    fps = value.frames_count / value.duration
                spans = [(each.start, each.end) for each in value.ranges] or list(_enabled(value))
                self.own_frames |= not fps
                for start, end in spans:
                    self.stretches.append(
                        Stretch(video, max(start, 1) - 1, end, label, where, in_frames=True, fps=fps, score=score)
                    )
            elif value.start is not None and value.end is not None:
                self.stretches.append(Stretch(video, value.start, value.end, label, where, score=score))


def read(values: Any, path: Path, rules: AnnotationRules) -> FileContents:
    """Read an export, or where it has no annotations the predictions in it."""
    reader = _Reader(path, rules)
    tasks = values if isinstance(values, list) else [values]
    whole = [task for task in tasks if isinstance(task.get("data"), Mapping)]
    predictions = bool(whole) and not any(task.get("annotations") for task in whole)
    for number, task in enumerate(tasks, 1):
        reader.task(number, task, predictions=predictions and bool(task.get("predictions")))
    if rules.tier and reader.controls and not fnmatch.filter(reader.controls, rules.tier):
        known = shortened(sorted(map(printable, reader.controls)))
        raise UserError(
            f"{path} has no control {rules.tier}{did_you_mean(rules.tier, reader.controls)}; data.annotation_tier "
            f"names one of: {known}"
        )
    notes = []
    if reader.predicted:
        notes.append("no annotations in the file, so its predictions were read")
    if reader.several:
        notes.append(
            f"{counted(reader.several, 'task')} with several annotations: the ground truth was taken, or the last one"
        )
    if reader.left_out:
        listed = shortened([f"{kind} ({count})" for kind, count in sorted(reader.left_out.items())])
        notes.append(f"left out, regions that are no time: {listed}")
    if reader.own_frames:
        notes.append(
            "frame numbers taken as those of the files; Label Studio counts by the frameRate of its Video tag (24 "
            "where none is set): if that is another rate, say it with data.annotation_fps"
        )
    return FileContents(NAME, tuple(reader.stretches), tuple(reader.videos), tuple(notes))


def _enabled(value: _Value) -> Iterator[tuple[int, int]]:
    """The spans in which a box is there: from a key until the first one behind it that switches it off.

    One that nothing switches off is there up to the last frame.
    """
    keys = sorted(value.sequence, key=lambda each: each.frame)
    start: int | None = None
    for key in keys:
        if start is None and key.enabled:
            start = key.frame
        elif start is None:
            continue
        if not key.enabled:
            yield start, key.frame
            start = None
    if start is not None:
        yield start, value.frames_count or keys[-1].frame


def _path_part(text: str) -> str:
    return text.partition("#")[0].rpartition("?d=")[2].partition("?")[0]


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None
