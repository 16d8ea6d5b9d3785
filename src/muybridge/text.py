"""Small phrases that messages share."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Control characters, line separators, marks that turn the direction of writing (Unicode TR 36), the byte order mark.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")

URL_SCHEMES = ("s3", "gs", "az", "hf", "memory")
"""Schemes of the URLs that may stand wherever a path may."""
_COLLAPSED_URL = re.compile(rf"(?:/[^\s'\"]*/|(?<![\w/]))(?P<scheme>{'|'.join(URL_SCHEMES)}):/+(?=[^/\s])")

# What spreadsheets compute (OWASP, CSV injection), and the same behind apostrophes, so that these can be taken away.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the closest known one, else the known ones."""
    choices = sorted(known)
    if meant := closest(name, choices):
        return f"; did you mean {meant!r}?"
    return f"; choose from {shortened(choices)}"


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like ``name``, whatever their case; None where none is."""
    by_lower = {choice.lower(): choice for choice in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[close[0]] if close else None


def printable(name: str) -> str:
    r"""A name as one line of valid Unicode that changes nothing around it.

    Bytes that are not UTF-8 are written out as `\xNN`; so are characters that steer a terminal, break a line or turn
    the direction of what follows (`\n`, `\x1b`, `\u202e`).
    """
    if name.isascii() and name.isprintable():  # nearly all names, and there may be a million
        return name
    return _STEERING.sub(_written_out, _valid(name))


def printable_lines(text: str) -> str:
    """The same for a text of several lines, whose line breaks and tabs stay."""
    return _STEERING.sub(lambda match: match[0] if match[0] in "\n\t" else _written_out(match), _valid(text))


def printable_values(value: Any) -> Any:
    """Plain values for JSON, in whose texts bytes that are not UTF-8 are written out; JSON itself does the rest."""
    if isinstance(value, str):
        return _valid(value)
    if isinstance(value, Mapping):
        return {printable_values(key): printable_values(inner) for key, inner in value.items()}
    return [printable_values(inner) for inner in value] if isinstance(value, list | tuple) else value


def with_urls(text: str) -> str:
    """A message whose paths of buckets are URLs again: a `Path` writes ``s3:/bucket``, behind the working folder."""
    return _COLLAPSED_URL.sub(r"\g<scheme>://", text)


def _valid(text: str) -> str:
    try:
        return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    except UnicodeEncodeError:  # half a pair, which no file name has
        return text.encode(errors="backslashreplace").decode()


def _written_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def spreadsheet_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: text that could be one gets an apostrophe before it."""
    return f"'{text}" if _FORMULA.match(text) and not is_number(text) else text


def original_cell(cell: str) -> str:
    """The text that `spreadsheet_cell` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def is_number(text: str) -> bool:
    """Whether Python reads a text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def shortened(names: Sequence[str], *, limit: int = 8) -> str:
    """The names joined by commas, with the number of those left out after the first `limit`."""
    listed = ", ".join(names[:limit])
    return listed if len(names) <= limit else f"{listed} and {len(names) - limit} more"


def only_in_each(first: Iterable[str], second: Iterable[str]) -> tuple[str, str] | None:
    """The names that only the first and only the second have, ready for a message; None where both have the same."""
    names, others = set(first), set(second)
    if names == others:
        return None
    return shortened(sorted(names - others)) or "none", shortened(sorted(others - names)) or "none"


def abbreviated(text: str, characters: int) -> str:
    """``text`` cut in the middle to at most ``characters``, so that both ends still distinguish names."""
    if len(text) <= characters:
        return text
    head = (characters - 1) // 2
    tail = characters - 1 - head
    return f"{text[:head]}…{text[-tail:]}"


def one_line(said: object, characters: int = 300) -> str:
    """What an exception of another library says, or any text, on one line and not longer than ``characters``."""
    return abbreviated(" ".join(str(said).split()), characters) or type(said).__name__


def counted(number: int, noun: str) -> str:
    """A number with its noun in the right form: `1 clip`, `2 clips`, `3 classes`."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def percent(share: float | None) -> str:
    """A share 0..1, such as ``91.0 %``; a dash where it is undefined."""
    return "–" if share is None else f"{100 * share:.1f} %"


def share_range(low: float, high: float, *, dash: str = "-") -> str:
    """Two shares 0..1 in percent, such as ``86.1-94.3``."""
    return f"{100 * low:.1f}{dash}{100 * high:.1f}"


def points(gain: float) -> str:
    """A difference of two shares in percentage points with its sign, such as ``+3.2``."""
    return f"{100 * gain:+.1f}"


def number(count: int) -> str:
    """A whole number in groups of three digits, by thin spaces: ``3 228 864``."""
    return f"{count:,}".replace(",", "\u202f")


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """A table as lines of text, its columns as wide as their longest cell.

    Args:
        rows: Cells; the first row holds the titles.
        right: Columns of numbers, which are aligned at their right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return [line.rstrip() for line in lines]


def size_text(size_bytes: int) -> str:
    """A size as people say it: ``12 MB``, ``3.4 GB``; in powers of 1000, as disks are sold."""
    size, unit = float(size_bytes), "bytes"
    for larger in ("KB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{size:.1f} {unit}" if unit != "bytes" and size < 9.95 else f"{size:.0f} {unit}"
