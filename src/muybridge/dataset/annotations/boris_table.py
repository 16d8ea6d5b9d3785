"""BORIS's exports of events as a table: aggregated (a row a state) and tabular (a row a start or stop)."""

import re
from collections import Counter
from pathlib import Path

from muybridge.dataset.annotations.rules import FileContents, Spellings, Stretch
from muybridge.dataset.clock_text import seconds_in
from muybridge.dataset.table_text import TABLE_SUFFIXES, read_text, rows_of
from muybridge.errors import UserError
from muybridge.text import abbreviated, counted, shortened

NAME = "boris"
_MOST_LINES_BEFORE = 200
"""Older exports begin with a description of the observation."""

_Columns = dict[str, int]


def recognises(path: Path) -> bool:
    """Whether a file is such a table.

    Raises:
        UserError: If it is no text.
    """
    return path.suffix.lower() in TABLE_SUFFIXES and _header(path) is not None


def _header(path: Path) -> tuple[int, _Columns] | None:
    """The number of the header's line, and the place of each column."""
    table = read_text(path)
    if "Behavior" not in table.text[:1_000_000]:
        return None
    for line, cells in rows_of(table):
        if line > _MOST_LINES_BEFORE:
            return None
        columns = {cell.strip(): place for place, cell in enumerate(cells) if cell.strip()}
        if "Behavior" in columns and ({"Start (s)", "Stop (s)"} <= columns.keys() or "Time" in columns):
            return line, columns
    return None


def read(path: Path) -> FileContents:
    """Read the states of a table.

    Raises:
        UserError: If a row is wrong, or a state that starts never stops.
    """
    found = _header(path)
    assert found is not None, "recognised before"
    first, columns = found
    media = next((columns[name] for name in _MEDIA if name in columns), None)
    if media is None:
        raise UserError(f"{path}, line {first}: no column names the media file; export the events again, with it")
    reader = _Reader(path, columns, media)
    for line, cells in rows_of(read_text(path)):
        if line > first:
            reader.take(line, cells)
    return reader.contents()


_MEDIA = ("Media file name", "Media file path", "Media file", "Source")
_STATUS = ("Behavior type", "Status", "Event type")


class _Reader:
    def __init__(self, path: Path, columns: _Columns, media: int) -> None:
        self._path, self._columns, self._media = path, columns, media
        self._points: Counter[str] = Counter()
        self._running: dict[tuple[str, ...], tuple[float, int]] = {}
        self._stretches: list[Stretch] = []
        self._videos: dict[Spellings, None] = {}
        self._no_file = 0
        self._shifted = False

    def take(self, line: int, cells: list[str]) -> None:
        where = f"{self._path}, line {line}"

        def cell(*names: str) -> str:
            place = next((self._columns[name] for name in names if name in self._columns), None)
            return cells[place].strip() if place is not None and place < len(cells) else ""

        label = cell("Behavior")
        written = _of_first_player(cells[self._media].strip() if self._media < len(cells) else "")
        if not written or written.upper() in ("NA", "LIVE"):
            self._no_file += 1
            return
        if any(";" in _of_first_player(cell(name)) for name in (*_MEDIA, "Media duration (s)")):
            raise UserError(
                f"{where}: the observation plays several files ({abbreviated(written, 80)}), and times count on over "
                "them; save the project, and give that file"
            )
        self._shifted |= cell("Time offset (s)") not in ("", "0", "0.0", "0.000", "NA")
        video: Spellings = (written,)
        self._videos[video] = None
        status = cell(*_STATUS).upper()
        if status == "POINT":
            self._points[label] += 1
            return
        if "Start (s)" in self._columns:
            start, end = (seconds_in(cell(name), name, where) for name in ("Start (s)", "Stop (s)"))
            self._stretches.append(Stretch(video, start, end, label, where))
            return
        modifiers = tuple(cells[place] for name, place in sorted(self._columns.items()) if name.startswith("Modif"))
        key = (written, cell("Observation id"), cell("Subject"), label, *modifiers)
        seconds = seconds_in(cell("Time"), "Time", where)
        if status == "START":
            if key in self._running:
                raise UserError(f"{where}: {label} starts again before it stops; correct it in BORIS")
            self._running[key] = (seconds, line)
        elif status == "STOP":
            if key not in self._running:
                raise UserError(f"{where}: {label} stops, but did not start; correct it in BORIS")
            start, _ = self._running.pop(key)
            self._stretches.append(Stretch(video, start, seconds, label, where))
        else:
            raise UserError(f"{where}: {abbreviated(status, 40)!r} is no START, STOP, POINT or STATE")

    def contents(self) -> FileContents:
        if self._running:
            key, (_, line) = next(iter(self._running.items()))
            raise UserError(f"{self._path}, line {line}: {abbreviated(key[3], 40)} starts and never stops")
        notes = []
        if self._points:
            listed = shortened([f"{code} ({count})" for code, count in sorted(self._points.items())])
            notes.append(f"left out, point events: {listed}")
        if self._no_file:
            notes.append(f"left out, {counted(self._no_file, 'event')} without a media file")
        if self._shifted:
            notes.append("BORIS gives a time offset: times are taken as they are in the table")
        return FileContents(NAME, tuple(self._stretches), tuple(self._videos), tuple(notes))


def _of_first_player(written: str) -> str:
    """What a cell says of the first player: `a.mp4` of `player #1:a.mp4|player #2:b.mp4`."""
    return re.sub(r"^player #\d+:", "", written.split("|")[0]).strip()
