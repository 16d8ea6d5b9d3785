"""Reading a catalog's CSV: one row per clip, and every mistake named with its line.

Columns `path` and `label`; optional `group`, `split` (train, validation, test, or empty), `start` and `end`
in seconds, `mm:ss`, `hh:mm:ss.mmm` or frames. A row with a path alone, in a table with times, names a video in which
nothing of interest happens. Other usual names of these columns are known, see `columns`. Paths are relative to the
CSV. What spreadsheets do to a CSV is accepted: a byte order mark, UTF-16, a first line `sep=;`, semicolons or tabs in
place of commas, blank lines; and what other systems do to paths: backslashes, and letters composed in another way.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from muybridge.dataset.annotations.rules import MissingVideos
from muybridge.dataset.catalog import Clip
from muybridge.dataset.clock_text import seconds_in
from muybridge.dataset.columns import find_columns, is_own_name, knows_any, plain
from muybridge.dataset.locating import is_regular
from muybridge.dataset.part_names import PART_NAMES, part_of
from muybridge.dataset.table_text import NEITHER, TABLE_SUFFIXES, Table, read_text, rows_of
from muybridge.dataset.table_videos import cut, located, missing_videos
from muybridge.dataset.walking import is_video
from muybridge.errors import UserError
from muybridge.text import counted, did_you_mean, original_cell, shortened


def column_names(path: Path) -> list[str]:
    """The columns of a table, as its header names them.

    Raises:
        UserError: If the file is empty, or no text.
    """
    table = read_text(path)
    return [cell.strip() for cell in _header(table, rows_of(table))[1]]


ReadTime = Callable[[str, str, str, Path], float]
"""Makes seconds of a cell, the name of its column, the place for messages, and the video."""


@dataclass(frozen=True)
class TableContents:
    """What a table holds.

    Attributes:
        clips: The clips in the order of the rows; one without a group has the empty one.
        scores: How sure a model is of each, where a column `score` says it.
        eventless: The videos of rows that name nothing else.
        notes: What a user should know.
    """

    clips: tuple[Clip, ...]
    scores: tuple[float | None, ...]
    eventless: tuple[Path, ...]
    notes: tuple[str, ...]


def read_table(
    path: Path,
    *,
    group_column: str | None = None,
    read_time: ReadTime | None = None,
    as_annotations: bool = False,
    missing: MissingVideos = "error",
) -> TableContents:
    """Read all that a CSV file says.

    Args:
        path: The file.
        group_column: The column that names the source groups; default: the one that is named as such, if there is one.
        read_time: What makes seconds of times; default: they are seconds, or minutes and seconds.
        as_annotations: Whether the same part of a video may be there several times, and a column `score` is one.
        missing: Whether videos that are not there are an error, or left out.

    Raises:
        UserError: If the file, its header or a row is wrong, or a video it names does not exist.
    """
    table = read_text(path)
    rows = rows_of(table)
    line, header = _header(table, rows)
    where = f"{path}, line {line}"
    _require_header(header, table, where=where)
    if path.suffix.lower() not in TABLE_SUFFIXES and not knows_any(header):
        raise UserError(NEITHER.format(path=path))
    columns, ignored = find_columns(header, where=where, group_column=group_column)
    contents = list(rows)
    notes = []
    if "split" in columns and not is_own_name("split", header[columns["split"]]):
        values = {cells[columns["split"]].strip() for _, cells in contents if columns["split"] < len(cells)} - {""}
        if strangers := sorted(value for value in values if part_of(value) is None):
            ignored.append(header[columns.pop("split")].strip())
            notes.append(f"column {ignored[-1]} is no split: {shortened([cut(v) for v in strangers], limit=3)}")
    score_column = next((n for n, cell in enumerate(header) if as_annotations and plain(cell) == "score"), None)
    if score_column is not None and header[score_column].strip() in ignored:
        ignored.remove(header[score_column].strip())
    if ignored:
        notes.append(f"columns ignored: {shortened([cut(name) for name in ignored])}")
    is_timed = "start_seconds" in columns or "end_seconds" in columns
    for name, place in columns.items():
        of_video = is_timed and name == "path" and plain(header[place]) == "video"  # as annotations have it
        if not (of_video or is_own_name(name, header[place]) or header[place].strip() == group_column):
            notes.append(f"column {cut(header[place])} taken as {name.removesuffix('_seconds')}")

    clips: list[Clip] = []
    scores: list[float | None] = []
    eventless: list[Path] = []
    lines: dict[str, int] = {}
    gone: list[tuple[int, str, Path]] = []
    for line, cells in contents:
        where = f"{path}, line {line}"
        _require_cells(cells, header, table, where=where)
        row = {name: cells[place].strip() if place < len(cells) else "" for name, place in columns.items()}
        if is_timed and row["path"] and not any(value for name, value in row.items() if name not in ("path", "split")):
            eventless.append(located(row["path"], path.parent))
            if not is_regular(eventless[-1]):
                gone.append((line, row["path"], eventless.pop()))
            continue
        if missing == "skip" and not is_regular(video := located(row["path"], path.parent)):
            gone.append((line, row["path"], video))  # before its times, which may be frames
            continue
        clip = _clip(row, root=path.parent, where=where, read_time=read_time or _seconds)
        if clip.id in lines and not (as_annotations and is_timed):
            raise UserError(f"{where}: {cut(clip.id)} is already in line {lines[clip.id]}; list each clip once")
        lines[clip.id] = line
        clips.append(clip)
        scores.append(_score(cells, score_column, where))
        if not is_regular(clip.path):
            gone.append((line, row["path"], clip.path))
    if columns["label"] + 1 not in [place for name, place in columns.items() if name != "group"]:
        _require_whole_labels(table, columns["label"], contents)
    if gone and (missing == "error" or not clips):
        raise missing_videos(path, gone)
    if gone:
        notes.append(f"left out, {counted(len(gone), 'row')} whose video cannot be found, such as {cut(gone[0][1])}")
    if not clips and not (as_annotations and eventless):
        raise UserError(f"{path} has a header but no clips; add a row per clip")
    unassigned = sum(clip.split is None for clip in clips)
    if "split" in columns and unassigned:
        notes.append(f"{counted(unassigned, 'clip')} with an empty split: in no part of the given split")
    return TableContents(tuple(clips), tuple(scores), tuple(eventless), tuple(notes))


def _header(table: Table, rows: Iterator[tuple[int, list[str]]]) -> tuple[int, list[str]]:
    for line, header in rows:
        return line, header
    raise UserError(f"{table.path} has no header; it needs the columns path and label, and a row per clip")


def _require_header(header: list[str], table: Table, *, where: str) -> None:
    """Refuse a table that begins with a clip.

    Raises:
        UserError: With what to put above it.
    """
    for cell in header:
        # "jump/1.mp4 3", as the lists of some tools have it, is one cell.
        words = cell.strip().rsplit(maxsplit=1)
        listed = len(header) == 1 and len(words) == 2 and is_video(words[0])
        if listed or is_video(cell.strip()):
            names = "path label" if listed else table.delimiter.join(("path", "label"))
            raise UserError(
                f"{where}: the table has no header, its first line is already a clip ({cut(cell)}); put a first line "
                f"that names the columns, such as: {names!r}"
            )


def _require_cells(cells: list[str], header: list[str], table: Table, *, where: str) -> None:
    """Refuse a row in which a separator or a quote went astray.

    Raises:
        UserError: With what to do about it.
    """
    extra = [cell for cell in cells[len(header) :] if cell.strip()]
    if extra:
        raise UserError(
            f"{where}: {len(cells)} cells, but the header names {counted(len(header), 'column')}; put a cell that "
            f"holds a {_DELIMITER_NAMES[table.delimiter]} between double quotes (here {cut(extra[0])!r} is left over)"
        )
    for cell in cells:
        if "\n" in cell.strip():
            raise UserError(f"{where}: a cell runs over several lines ({cut(cell)!r}); is a quote not closed?")


def _require_whole_labels(table: Table, place: int, rows: list[tuple[int, list[str]]]) -> None:
    """Refuse a label that is cut at its comma where the rest of it fills a column that few rows fill, or fill so.

    `pick up, left` in a table with a column after the label shows by the blank, if most rows have none there.

    Raises:
        UserError: With the line.
    """
    if table.delimiter != ",":
        return
    as_written = {line: cells[place + 1] for line, cells in rows_of(table, strip=False) if len(cells) > place + 1}
    filled = [line for line, cells in rows if len(cells) > place + 1 and cells[place + 1].strip()]
    spaced = [line for line in filled if as_written.get(line, "").startswith(" ")]
    if spaced and 2 * len(spaced) <= len(rows):
        line, cells = next((line, cells) for line, cells in rows if line == spaced[0])
        raise UserError(
            f"{table.path}, line {line}: is {cut(cells[place + 1])!r} the rest of the label {cut(cells[place])!r}? "
            f'If so, put it between double quotes, "{cut(cells[place])}, {cut(cells[place + 1])}"; if not, take away '
            "the blank after the comma"
        )


_DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "blank"}


def _clip(row: dict[str, str], *, root: Path, where: str, read_time: ReadTime) -> Clip:
    for name in ("path", "label"):
        if not row[name]:
            raise UserError(f"{where}: the {name} is empty; fill it in")
    if "\0" in row["path"]:
        raise UserError(f"{where}: the path holds a zero byte ({cut(row['path'])!r}); correct it")
    split = row.get("split", "")
    part = part_of(split)
    if split and part is None:
        raise UserError(f"{where}: unknown split {cut(split)!r}{did_you_mean(split.lower(), set(PART_NAMES.values()))}")
    video = located(row["path"], root)
    start_seconds, end_seconds = (
        read_time(cell, name, where, video) if (cell := row.get(f"{name}_seconds", "")) else None
        for name in ("start", "end")
    )
    if end_seconds is not None and end_seconds <= (start_seconds or 0):
        raise UserError(f"{where}: the clip ends at {end_seconds:g} s, before it starts; correct start or end")
    return Clip(
        path=video,
        label=original_cell(row["label"]),
        group=original_cell(row.get("group", "")),
        split=part,
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        root=root,
    )


def _seconds(cell: str, name: str, where: str, video: Path) -> float:
    return seconds_in(cell, name, where)


def _score(cells: list[str], place: int | None, where: str) -> float | None:
    if place is None or place >= len(cells) or not cells[place].strip():
        return None
    try:
        score = float(cells[place])
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise UserError(f"{where}: the score is {cut(cells[place])!r}; give a number from 0 to 1, or none")
    return score
