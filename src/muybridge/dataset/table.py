"""Reading a catalog's CSV: one row per clip, and every mistake named with its line.

Columns `path` and `label`; optional `group`, `split` (train, validation, test, or empty), `start` and `end`
in seconds (also `start_seconds`, `end_seconds`). Paths are relative to the CSV. What spreadsheets do to a CSV
is accepted: a byte order mark, UTF-16, semicolons or tabs in place of commas, blank lines.
"""

import codecs
import csv
import io
import math
from pathlib import Path

from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError
from muybridge.text import counted, did_you_mean, shortened

PART_NAMES = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
"""The names by which the three parts go in CSV files and folder names, in lower case, and ours for each."""

_COLUMNS = ("path", "label", "group", "split", "start_seconds", "end_seconds")
_ALIASES = {"start": "start_seconds", "end": "end_seconds"}


def column_names(path: Path) -> list[str]:
    """The columns of a CSV, as its first line names them.

    Raises:
        UserError: If the file is not text.
    """
    lines = _decoded(path).lstrip().splitlines()
    if not lines:
        return []
    delimiter = max(",;\t|", key=lines[0].count)
    return [cell.strip() for cell in next(csv.reader(lines[:1], delimiter=delimiter, skipinitialspace=True))]


def read_table(path: Path, *, group_column: str | None = None) -> tuple[list[Clip], list[str]]:
    """Read the clips of a CSV file; a clip without a group has the empty one.

    Args:
        path: The file.
        group_column: The column that names the source groups; default: `group`, if there is one.

    Returns:
        The clips in the order of the rows, and notes.

    Raises:
        UserError: If the file, its header or a row is wrong, or a video it names does not exist.
    """
    text = _decoded(path)
    if not text.strip():
        raise UserError(f"{path} is empty; it needs the columns path and label, and a row per clip")
    header_line = text.lstrip().splitlines()[0]
    delimiter = max(",;\t|", key=header_line.count)
    reader = csv.reader(io.StringIO(text.lstrip()), delimiter=delimiter, skipinitialspace=True)
    skipped_lines = text[: len(text) - len(text.lstrip())].count("\n")
    columns, notes = _columns(next(reader), path, group_column=group_column)

    clips: list[Clip] = []
    lines: dict[str, int] = {}
    missing = []
    try:
        for cells in reader:
            line = skipped_lines + reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            row = {name: cells[place].strip() if place < len(cells) else "" for name, place in columns.items()}
            clip = _clip(row, root=path.parent, where=f"{path}, line {line}")
            if clip.id in lines:
                raise UserError(
                    f"{path}, line {line}: {clip.id} is already in line {lines[clip.id]}; list each clip once"
                )
            lines[clip.id] = line
            clips.append(clip)
            if not clip.path.is_file():
                missing.append(f"line {line}: {row['path']}")
    except csv.Error as error:
        raise UserError(f"{path}, line {skipped_lines + reader.line_num}: not a CSV row ({error})") from error
    if missing:
        others = f" (nor do {counted(len(missing) - 1, 'other')})" if len(missing) > 1 else ""
        raise UserError(f"{path}, {missing[0]} does not exist{others}; paths are relative to {path.parent}")
    if not clips:
        raise UserError(f"{path} has a header but no clips; add a row per clip")
    unassigned = sum(clip.split is None for clip in clips)
    if "split" in columns and unassigned:
        notes.append(f"{counted(unassigned, 'clip')} with an empty split: in no part of the given split")
    return clips, notes


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}, line {line}: not {encoding.removesuffix('-sig')} text; save the CSV as UTF-8"
        ) from error


def _columns(header: list[str], path: Path, *, group_column: str | None) -> tuple[dict[str, int], list[str]]:
    """Find the place of every known column; that of the groups may have any name."""
    columns: dict[str, int] = {}
    ignored = []
    for place, cell in enumerate(header):
        name = cell.strip().lower()
        name = _ALIASES.get(name, name)
        if name in columns:
            raise UserError(f"{path}, line 1: two columns are named {name}; keep one")
        if name in _COLUMNS:
            columns[name] = place
        elif name:
            ignored.append(cell.strip())
    for name in ("path", "label"):
        if name not in columns:
            raise UserError(
                f"{path}, line 1: no column {name}; the header must name path and label, and may name group, "
                f"split, start and end (found: {shortened([cell.strip() for cell in header])})"
            )
    if group_column is not None:
        columns["group"] = [cell.strip() for cell in header].index(group_column)
        ignored = [name for name in ignored if name != group_column]
    return columns, [f"columns ignored: {shortened(ignored)}"] if ignored else []


def _clip(row: dict[str, str], *, root: Path, where: str) -> Clip:
    for name in ("path", "label"):
        if not row[name]:
            raise UserError(f"{where}: the {name} is empty; fill it in")
    split = row.get("split", "").lower()
    if split and split not in PART_NAMES:
        raise UserError(f"{where}: unknown split {row['split']!r}{did_you_mean(split, PART_NAMES)}")
    start_seconds, end_seconds = (_seconds(row.get(f"{name}_seconds", ""), name, where) for name in ("start", "end"))
    if end_seconds is not None and end_seconds <= (start_seconds or 0):
        raise UserError(f"{where}: the clip ends at {end_seconds:g} s, before it starts; correct start or end")
    return Clip(
        path=root / row["path"],
        label=row["label"],
        group=row.get("group", ""),
        split=PART_NAMES[split] if split else None,
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        root=root,
    )


def _seconds(cell: str, name: str, where: str) -> float | None:
    if not cell:
        return None
    try:
        seconds = float(cell)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise UserError(f"{where}: {name} is {cell!r}; give seconds as a number, as 12.5")
    return seconds
