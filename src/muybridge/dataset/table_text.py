"""The text of a table: how it is encoded, where it begins, and what separates its cells."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from muybridge.errors import UserError
from muybridge.file_parts import open_bytes

TABLE_SUFFIXES = frozenset({"", ".csv", ".list", ".lst", ".psv", ".tab", ".tsv", ".txt"})
"""Suffixes of tables; a file of another kind is read as one only if its first line says that it is."""
NEITHER = "{path} is neither a table nor a video by its name; give a folder, a CSV or a video file"

_DELIMITERS = ",;\t|"
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<delimiter>[^\n"]?)"?[ ;,\t]*(?:\n|$)', re.IGNORECASE)
_NOT_TEXT = (
    (b"PK\x03\x04", "a spreadsheet or an archive; save the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet; save the table as CSV"),
)


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        path: The file.
        text: Its rows, the header first; lines end in a line feed.
        first_line: Number of the line in which the text begins.
        delimiter: What separates the cells.
    """

    path: Path
    text: str
    first_line: int
    delimiter: str


def read_text(path: Path) -> Table:
    """Read a table's text.

    Raises:
        UserError: If the file cannot be read, is no text, or is empty.
    """
    text = _decoded(path)
    if not text.strip():
        raise UserError(f"{path} is empty; it needs the columns path and label, and a row per clip")
    lines = text.split("\n")
    blank = next(number for number, line in enumerate(lines) if line.strip())
    rest = "\n".join(lines[blank:])
    if match := _SEPARATOR_LINE.match(rest):
        # Excel's own: it says what separates the cells, and is no row. A tab may stand there as it is.
        delimiter, rest = match["delimiter"], rest[match.end() :]
        if not rest.strip():
            raise UserError(f"{path} has no header; it needs the columns path and label, and a row per clip")
        skipped = len(lines) - len(rest.split("\n"))
        return Table(path, rest, skipped + 1, delimiter if delimiter in (*_DELIMITERS, " ") else _delimiter(rest))
    return Table(path, rest, blank + 1, _delimiter(rest))


def _delimiter(text: str) -> str:
    """What separates the cells, by the header."""
    header = text.split("\n", 1)[0]
    if not any(header.count(each) for each in _DELIMITERS) and len(header.split()) == 2:
        return " "
    return max(_DELIMITERS, key=header.count)


def _decoded(path: Path) -> str:
    try:
        with open_bytes(path) as file:
            data = file.read()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); get the right to read it") from error
    for start, what in _NOT_TEXT:
        if data.startswith(start):
            raise UserError(f"{path} is {what}")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8-sig")
    if encoding == "utf-8-sig" and b"\0" in data[:1000]:
        # Half of UTF-16's bytes are zero in plain letters; which half says the order. Else it is no text.
        even, odd = data[:1000:2].count(0), data[1:1000:2].count(0)
        if max(even, odd) < 4 * min(even, odd) + len(data[:1000]) // 8:
            raise UserError(NEITHER.format(path=path))
        encoding = "utf-16-le" if odd > even else "utf-16-be"
    try:
        return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}, line {line}: not {encoding.removesuffix('-sig')} text; save the CSV as UTF-8"
        ) from error


def rows_of(table: Table, *, strip: bool = True) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line in which it begins; its cells without blanks before them.

    Raises:
        UserError: If a quote is not closed.
    """
    reader = csv.reader(io.StringIO(table.text), delimiter=table.delimiter, skipinitialspace=strip)
    line = table.first_line
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = table.first_line + reader.line_num
    except csv.Error as error:
        raise UserError(f"{table.path}, line {line}: not a CSV row ({error}); is a quote not closed?") from error
