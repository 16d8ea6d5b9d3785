"""Reading a catalog from disk: a folder per class, a CSV, HMDB-51 or UCF101.

A folder is read as: one sub-folder per class, its videos at any depth below. Where the first level is named
`train`, `validation` and `test` (or the usual short forms), the classes are one level further down and the
parts are kept as the given split. Names that begin with a dot are ignored; other files that are not videos
are counted in the notes. Nothing is opened but the CSV, so a file is a video here when its suffix says so.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.group_rule import column_of, grouped
from muybridge.dataset.groups import detect_naming
from muybridge.dataset.table import PART_NAMES, column_names, read_table
from muybridge.errors import UserError
from muybridge.text import counted, did_you_mean, printable, shortened

Layout = Literal["auto", "folders", "csv", "hmdb51", "ucf101"]

VIDEO_SUFFIXES = frozenset({
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".h264", ".hevc", ".m2ts", ".m2v",
    ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf",
    ".ogm", ".ogv", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m",
})  # fmt: skip


def read_catalog(path: Path, *, layout: Layout = "auto", groups: str = "auto") -> Catalog:
    """Read the catalog of a data set.

    Args:
        path: A folder of class folders, a CSV file, or a folder that holds `clips.csv`.
        layout: How the data set is laid out; `auto` takes the CSV where there is one, and recognises HMDB-51 and
            UCF101 by their file names.
        groups: What says each clip's source group: `auto`, `none`, `folder`, a column of the CSV or a regular
            expression, see `group_rule`. The notes say what was taken.

    Raises:
        UserError: If there is nothing to read, or what is there is not as the layout says.
    """
    if layout not in get_args(Layout):
        raise UserError(f"unknown layout {layout!r}{did_you_mean(layout, get_args(Layout))}")
    path = path.expanduser().absolute()
    if not path.exists():
        raise UserError(f"{path} does not exist; give a folder with a sub-folder per class, or a CSV file")
    if layout == "csv" or (layout == "auto" and (path.is_file() or (path / "clips.csv").is_file())):
        return _read_csv(path / "clips.csv" if path.is_dir() else path, groups=groups)
    if not path.is_dir():
        raise UserError(f"{path} is a file; layout {layout} needs a folder with a sub-folder per class")

    clips, notes = _scan(path)
    naming = detect_naming(clips)
    if layout == "auto":
        layout = naming or "folders"
    elif layout in ("ucf101", "hmdb51") and naming != layout:
        raise UserError(f"the files in {path} are not named as {layout} names them; use layout auto or folders")
    notes = [f"layout: {layout}, {counted(len(clips), 'clip')} of {_classes_of(clips)}", *notes]
    clips, group_notes = grouped(clips, rule=groups, naming=naming, where=str(path))
    return Catalog(root=path, layout=layout, clips=tuple(clips), notes=(*notes, *group_notes))


def _read_csv(path: Path, *, groups: str) -> Catalog:
    columns = column_names(path)
    clips, notes = read_table(path, group_column=column_of(groups, columns))
    notes = [f"layout: csv, {counted(len(clips), 'clip')} of {_classes_of(clips)}", *notes]
    clips, group_notes = grouped(clips, rule=groups, naming=None, where=str(path), columns=columns)
    return Catalog(root=path.parent, layout="csv", clips=tuple(clips), notes=(*notes, *group_notes))


def _classes_of(clips: list[Clip]) -> str:
    classes = {clip.label for clip in clips}
    return counted(len(classes), "class") + (f" ({next(iter(classes))})" if len(classes) == 1 else "")


def _scan(root: Path) -> tuple[list[Clip], list[str]]:
    """List the videos of a folder of class folders; their groups are still empty."""
    folders = _visible_folders(root)
    parts: list[tuple[str | None, Path]] = [(None, root)]
    notes = []
    if folders and all(folder.name.lower() in PART_NAMES for folder in folders):
        parts = [(PART_NAMES[folder.name.lower()], folder) for folder in folders]
        notes.append(f"given split: the folders {', '.join(folder.name for folder in folders)}")

    clips: list[Clip] = []
    others: Counter[str] = Counter()
    empty = []
    for part, above in parts:
        for folder in _visible_folders(above):
            before = len(clips)
            for file in _files_below(folder):
                if file.suffix.lower() in VIDEO_SUFFIXES:
                    clips.append(Clip(file, label=folder.name, group="", split=part, root=root))
                else:
                    others[file.suffix.lower() or "no suffix"] += 1
            if len(clips) == before:
                empty.append(printable(folder.relative_to(root).as_posix()))
    loose = sum(file.suffix.lower() in VIDEO_SUFFIXES for _, above in parts for file in _visible_files(above))

    kinds = ", ".join(f"{number} {kind}" for kind, number in others.most_common(5))
    if not clips:
        found = f"{counted(loose, 'video')} outside a class folder" if loose else f"only {kinds}" if kinds else "none"
        raise UserError(
            f"no videos in the class folders of {root} (found {found}); make one sub-folder per class and "
            "put its video files (.avi, .mp4, .mkv, ...) there, or give a CSV with the columns path and label"
        )
    if others:
        notes.append(f"{counted(others.total(), 'file')} skipped, not videos by their suffix: {printable(kinds)}")
    if loose:
        notes.append(f"{counted(loose, 'video')} skipped, outside a class folder")
    if empty:
        notes.append(f"{counted(len(empty), 'folder')} without videos, not a class: {shortened(empty)}")
    return clips, notes


def _visible_folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not _hidden(entry.name))


def _visible_files(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_file() and not _hidden(entry.name))


def _files_below(folder: Path) -> Iterator[Path]:
    """The visible files at any depth, through links to folders but never round in a circle of them."""
    seen = set()
    for name, inner, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(name)
        inner[:] = [] if real in seen else sorted(entry for entry in inner if not _hidden(entry))
        if real not in seen:
            yield from (Path(name, file) for file in sorted(files) if not _hidden(file))
        seen.add(real)


def _hidden(name: str) -> bool:
    # macOS archives bring a __MACOSX folder of files that only look like videos.
    return name.startswith(".") or name == "__MACOSX"
