"""VIA 3's JSON (VGG Image Annotator): segments in seconds, whose labels are the values of an attribute.

Format: gitlab.com/vgg/via, `via-3.x.y/CodeDoc.md`.
"""

import fnmatch
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec import field as struct_field

from muybridge.dataset.annotations.rules import AnnotationRules, FileContents, Spellings, Stretch
from muybridge.errors import UserError
from muybridge.schemas import Number, convert
from muybridge.text import abbreviated, counted, shortened

NAME = "via"
_HINT = "save the project again with VIA 3"
_OF_SEGMENTS = "FILE1_Z2_XY0"


class _Attribute(Struct):
    name: str = struct_field(default="", name="aname")
    anchor: str = struct_field(default="", name="anchor_id")
    options: dict[str, str] = {}


class _File(Struct):
    name: str = struct_field(default="", name="fname")
    source: str = struct_field(default="", name="src")


class _View(Struct):
    files: tuple[str | int, ...] = struct_field(default=(), name="fid_list")


class _Metadata(Struct):
    view: str | int = struct_field(name="vid")
    times: tuple[Number, ...] = struct_field(default=(), name="z")
    place: tuple[Any, ...] = struct_field(default=(), name="xy")
    values: dict[str, str] = struct_field(default_factory=dict, name="av")


class _Project(Struct):
    file: dict[str, _File]
    view: dict[str, _View]
    metadata: dict[str, _Metadata]
    attribute: dict[str, _Attribute] = {}


def recognises(values: Any) -> bool:
    """Whether JSON values are of this format."""
    return isinstance(values, Mapping) and all(
        isinstance(values.get(key), Mapping) for key in ("file", "view", "metadata")
    )


def read(values: Any, path: Path, rules: AnnotationRules) -> FileContents:
    """Read the temporal segments of a project.

    Raises:
        UserError: If segments have several attributes, and none is named.
    """
    project = convert(values, _Project, where=str(path), hint=_HINT)
    segments = {
        key: each for key, each in project.metadata.items() if len(each.times) == 2 and not each.place and each.values
    }
    points = sum(len(each.times) == 1 and not each.place for each in project.metadata.values())
    regions = sum(bool(each.place) for each in project.metadata.values())
    attributes = _chosen(project, segments, path, rules.tier)
    stretches = []
    for key, each in segments.items():
        video = _video(project, str(each.view), f"{path}, segment {key}")
        for attribute in attributes & each.values.keys():
            value, known = each.values[attribute], project.attribute.get(attribute)
            options = known.options if known else {}
            # A checkbox holds several options, as "0,2".
            picked = [value] if value in options or not options else [part.strip() for part in value.split(",")]
            stretches += [
                Stretch(video, each.times[0], each.times[1], options.get(option, option), f"{path}, segment {key}")
                for option in picked
            ]
    notes = []
    if points:
        notes.append(f"left out, {counted(points, 'mark')} of a moment")
    if regions:
        notes.append(f"left out, {counted(regions, 'region')} of pictures")
    videos = tuple(_video(project, view, f"{path}, view {view}") for view in project.view)
    return FileContents(NAME, tuple(stretches), videos, tuple(notes))


def _chosen(project: _Project, segments: Mapping[str, _Metadata], path: Path, tier: str) -> set[str]:
    """The ids of the attributes that are labels."""
    used = Counter(attribute for each in segments.values() for attribute in each.values)
    names = {
        each: project.attribute[each].name if each in project.attribute and project.attribute[each].name else each
        for each in used
    }
    listed = shortened([f"{names[each]} ({count})" for each, count in used.most_common()])
    if tier:
        found = {each for each, name in names.items() if fnmatch.fnmatchcase(name, tier)}
        if not found and used:
            raise UserError(f"{path} has no attribute {abbreviated(tier, 60)} of segments; it has {listed}")
        return found
    # Without a name, an attribute that VIA anchors to segments is meant.
    meant = {each for each in used if each in project.attribute and project.attribute[each].anchor == _OF_SEGMENTS}
    found = meant or set(used)
    if len(found) > 1:
        raise UserError(f"{path} has segments with several attributes: {listed}; name one with data.annotation_tier")
    return found


def _video(project: _Project, view: str, where: str) -> Spellings:
    files = project.view[view].files if view in project.view else ()
    file = project.file.get(str(files[0])) if files else None
    if file is None or not (file.source or file.name):
        raise UserError(f"{where} names no file; {_HINT}")
    return tuple(each for each in (file.source, file.name) if each)
