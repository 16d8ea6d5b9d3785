"""Small phrases that messages share."""

import difflib
from collections.abc import Iterable, Sequence


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
    r"""A file name as valid Unicode, with bytes that are not UTF-8 written out as `\xNN`."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


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
