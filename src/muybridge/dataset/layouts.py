"""Reading a catalog from disk: a folder per class, a CSV, annotations, HMDB-51 or UCF101, shards, or one video.

A folder is read as one sub-folder per class, its videos at any depth below; see `folders` for how parts are told
from classes, `walking` for what is a video, and `table` for CSV files. Nothing is opened but the CSV.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from muybridge.dataset.annotations.annotated_clips import annotated_catalog
from muybridge.dataset.annotations.annotation_files import annotation_files_in, is_annotation_file, read_annotations
from muybridge.dataset.annotations.delimited import frame_reader
from muybridge.dataset.annotations.rules import AnnotationRules
from muybridge.dataset.annotations.video_times import TimesOf
from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.choices import AlikeLabels
from muybridge.dataset.folders import read_folders
from muybridge.dataset.group_rule import column_of, grouped
from muybridge.dataset.groups import detect_naming, groups_by_naming, is_action_of, ungrouped
from muybridge.dataset.labels import settle_alike
from muybridge.dataset.locating import exists, expanded, is_folder, is_regular
from muybridge.dataset.shard_catalog import read_shards
from muybridge.dataset.shard_index import holds_shards
from muybridge.dataset.table import column_names, read_table
from muybridge.dataset.walking import is_video
from muybridge.errors import UserError
from muybridge.text import counted, did_you_mean

Layout = Literal["auto", "folders", "csv", "hmdb51", "ucf101", "shards"]


def read_catalog(
    path: Path,
    *,
    layout: Layout = "auto",
    groups: str = "auto",
    alike_labels: AlikeLabels = "ask",
    annotations: AnnotationRules | None = None,
    times_of: TimesOf | None = None,
) -> Catalog:
    """Read the catalog of a data set.

    Args:
        path: A folder of class folders, a CSV file, an annotation file, a folder that holds `clips.csv`, one of shards,
            or one video, whose label is the name of its folder.
        layout: How the data set is laid out; `auto` takes the CSV where there is one, and recognises HMDB-51 and
            UCF101 by their file names.
        groups: What says each clip's source group: `auto`, `none`, `folder`, a column of the CSV or a regular
            expression, see `group_rule`. The notes say what was taken.
        alike_labels: What becomes of labels that only differ in what hardly shows; see `labels`.
        annotations: What the user says about an annotation file, or a CSV with times.
        times_of: Looks into a video; needed where times are frames.

    Raises:
        UserError: If there is nothing to read, what is there is not as the layout says, or labels look alike.
    """
    if layout not in get_args(Layout):
        raise UserError(f"unknown layout {layout!r}{did_you_mean(layout, get_args(Layout))}")
    path = expanded(path).absolute()
    if not exists(path):
        raise UserError(f"{path} does not exist; give a folder with a sub-folder per class, or a CSV file")
    if not (is_regular(path) or is_folder(path)):
        raise UserError(f"{path} is a pipe or a device; give a folder with a sub-folder per class, or a CSV file")
    if layout == "shards" or (layout == "auto" and is_folder(path) and holds_shards(path)):
        return settle_alike(read_shards(path, groups=groups), alike_labels)
    rules = annotations or AnnotationRules()
    if layout == "auto" and _holds_annotations(path):
        found = read_annotations(path, rules, times_of=times_of)
        return settle_alike(annotated_catalog(path, found, groups=groups), alike_labels)
    return settle_alike(_read(path, layout=layout, groups=groups, rules=rules, times_of=times_of), alike_labels)


def _holds_annotations(path: Path) -> bool:
    if is_regular(path):
        return not is_video(path) and is_annotation_file(path)
    return not is_regular(path / "clips.csv") and bool(annotation_files_in(path))


def _read(path: Path, *, layout: Layout, groups: str, rules: AnnotationRules, times_of: TimesOf | None) -> Catalog:
    if layout == "auto" and is_video(path) and is_regular(path):
        return _read_video(path)
    if layout == "csv" or (layout == "auto" and (is_regular(path) or is_regular(path / "clips.csv"))):
        return _read_csv(path / "clips.csv" if is_folder(path) else path, groups=groups, rules=rules, times_of=times_of)
    if not is_folder(path):
        raise UserError(f"{path} is a file; layout {layout} needs a folder with a sub-folder per class")

    clips, notes = read_folders(path)
    naming = detect_naming(clips)
    _require_classes_by_name(path, clips, naming)
    if layout == "auto":
        layout = naming or "folders"
    elif layout in ("ucf101", "hmdb51") and naming != layout:
        raise UserError(f"the files in {path} are not named as {layout} names them; use layout auto or folders")
    notes = [f"layout: {layout}, {counted(len(clips), 'clip')} of {_classes_of(clips)}", *notes]
    clips, group_notes = grouped(clips, rule=groups, naming=naming, where=str(path))
    return Catalog(root=path, layout=layout, clips=tuple(clips), notes=(*notes, *group_notes))


def _require_classes_by_name(root: Path, clips: Sequence[Clip], naming: str | None) -> None:
    """Refuse a folder of data sets, whose file names say that the classes are further down.

    Raises:
        UserError: With the folder of the first of them.
    """
    if naming is None:
        return
    for clip in clips:
        inner = clip.path.parent
        if not is_action_of(clip.path.stem, clip.label, naming) and is_action_of(clip.path.stem, inner.name, naming):
            raise UserError(
                f"{clip.id} is a clip of {inner.name} by its name, so the class folders of {root} lie further down; "
                f"give {inner.parent}"
            )


def _read_video(path: Path) -> Catalog:
    """One video as a data set, labelled and grouped as it would be in the folder of its class folder."""
    if path.parent.name in ("", ".."):
        path = path.parent.resolve() / path.name
    root = path.parent.parent
    clip = Clip(path, label=path.parent.name or "unknown", group="", root=root)
    naming = detect_naming([clip])
    clips = groups_by_naming([clip], naming)[0] if naming else ungrouped([clip])
    note = f"layout: one file, whose label is the name of its folder, {clip.label}"
    return Catalog(root=root, layout="file", clips=tuple(clips), notes=(note,))


def _read_csv(path: Path, *, groups: str, rules: AnnotationRules, times_of: TimesOf | None) -> Catalog:
    columns = column_names(path)
    table = read_table(
        path,
        group_column=column_of(groups, columns),
        read_time=frame_reader(rules, times_of),
        missing=rules.missing,
    )
    clips = list(table.clips)
    notes = [f"layout: csv, {counted(len(clips), 'clip')} of {_classes_of(clips)}", *table.notes]
    clips, group_notes = grouped(clips, rule=groups, naming=None, where=str(path), columns=columns)
    parts = {clip.path for clip in clips if clip.start_seconds is not None or clip.end_seconds is not None}
    videos = tuple(sorted({*parts, *table.eventless}))
    notes += [*group_notes, *rules.unused("csv")]
    return Catalog(root=path.parent, layout="csv", clips=tuple(clips), notes=tuple(notes), videos=videos)


def _classes_of(clips: list[Clip]) -> str:
    classes = {clip.label for clip in clips}
    return counted(len(classes), "class") + (f" ({next(iter(classes))})" if len(classes) == 1 else "")
