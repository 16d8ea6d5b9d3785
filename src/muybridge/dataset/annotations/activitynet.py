"""ActivityNet's JSON, which THUMOS and most of temporal action localisation share: seconds by the name of the video.

Format: activity-net.org/download.html (`database`), and that of its evaluation code for results.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from muybridge.dataset.annotations.rules import FileContents, Spellings, Stretch
from muybridge.dataset.annotations.video_times import TimesOf
from muybridge.dataset.annotations.written_parts import label_text, name_of_video
from muybridge.dataset.part_names import part_of
from muybridge.dataset.segments import Annotations
from muybridge.schemas import Number, Share, convert
from muybridge.text import counted, shortened

NAME = "activitynet"
_HINT = "export the annotations again"


class _Entry(Struct):
    label: str
    segment: tuple[Number, ...] = ()
    score: Share | None = None


class _Video(Struct):
    annotations: tuple[_Entry, ...] = ()
    subset: str = ""
    file: str = ""
    group: str = ""


class _Database(Struct):
    database: dict[str, _Video]


class _Result(Struct):
    label: str
    segment: tuple[Number, Number]
    score: Share | None = None


class _Results(Struct):
    results: dict[str, tuple[_Result, ...]]


def recognises(values: Any) -> bool:
    """Whether JSON values are of this format."""
    return isinstance(values, Mapping) and (
        isinstance(values.get("database"), Mapping) or isinstance(values.get("results"), Mapping)
    )


def read(values: Any, path: Path) -> FileContents:
    """Read annotations, or the results of a model where there are none."""
    if "database" not in values:
        results = convert(values, _Results, where=str(path), hint=_HINT).results
        stretches = [
            Stretch(_spellings(name), *entry.segment, entry.label, f"{path}, {name}", score=entry.score)
            for name, entries in results.items()
            for entry in entries
        ]
        return FileContents(NAME, tuple(stretches), tuple(map(_spellings, results)))
    database = convert(values, _Database, where=str(path), hint=_HINT).database
    stretches, notes = [], []
    untimed, unknown = 0, set()
    for name, video in database.items():
        split = part_of(video.subset) if video.subset else None
        if video.subset and split is None:
            unknown.add(video.subset)
        for entry in video.annotations:
            if len(entry.segment) != 2:
                untimed += 1
                continue
            stretches.append(
                Stretch(
                    _spellings(name, video.file),
                    entry.segment[0],
                    entry.segment[1],
                    entry.label,
                    f"{path}, {name}",
                    score=entry.score,
                    group=video.group,
                    split=split,
                )
            )
    if untimed:
        notes.append(f"left out, {counted(untimed, 'annotation')} without two times")
    if unknown:
        notes.append(f"subsets that are no part: {shortened(sorted(unknown), limit=3)}")
    videos = tuple(_spellings(name, video.file) for name, video in database.items())
    return FileContents(NAME, tuple(stretches), videos, tuple(notes))


def _spellings(name: str, file: str = "") -> Spellings:
    # ActivityNet's own files are named v_<id>, THUMOS's as they are.
    return tuple(each for each in (file, name, f"v_{name}") if each)


_SUBSETS = {"train": "training", "validation": "validation", "test": "testing"}


def values_of(annotations: Annotations, folder: Path, times_of: TimesOf | None) -> tuple[dict[str, Any], list[str]]:
    """Segments as the values of such a file, and notes: both as annotations and, with scores, as results."""
    stems = [video.stem for video in annotations.videos]
    database: dict[str, Any] = {}
    results: dict[str, list[dict[str, Any]]] = {}
    notes = []
    for video in annotations.videos:
        file = name_of_video(video, folder)
        name = video.stem if stems.count(video.stem) == 1 else file
        segments = annotations.of(video)
        entries = [
            {"segment": [each.start_seconds, each.end_seconds], "label": label_text(each.label)}
            | ({} if each.score is None else {"score": each.score})
            for each in segments
        ]
        groups, splits = {each.group for each in segments}, {each.split for each in segments}
        entry: dict[str, Any] = {"file": file, "annotations": entries}
        if len(groups) == 1 and (group := groups.pop()):
            entry["group"] = group
        elif groups:
            notes.append(f"one source group a video: those of the segments of {file} are left out")
        split = splits.pop() if len(splits) == 1 else None
        if splits:
            notes.append(f"one subset a video: those of the segments of {file} are left out")
        if split:
            entry["subset"] = _SUBSETS[split]
        if times_of is not None:
            entry["duration"] = times_of(video).end_seconds
        database[name] = entry
        if any("score" in each for each in entries):
            results[name] = [{"score": 1.0, **each} for each in entries]
    classes = sorted({label_text(each.label) for each in annotations.segments})
    taxonomy = [{"nodeId": 0, "nodeName": "Root", "parentId": None, "parentName": None}]
    taxonomy += [
        {"nodeId": number, "nodeName": label, "parentId": 0, "parentName": "Root"}
        for number, label in enumerate(classes, 1)
    ]
    values: dict[str, Any] = {"version": "VERSION 1.3", "taxonomy": taxonomy, "database": database}
    if results:
        values |= {"results": results, "external_data": {}}
    return values, notes
