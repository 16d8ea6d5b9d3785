"""Times as people and programs write them: `75.5`, `1:15.5`, `00:01:15.500`."""

import math
import re
from contextlib import suppress

from muybridge.errors import UserError
from muybridge.text import abbreviated

_CLOCK = re.compile(r"(?:(?P<hours>\d+):)?(?P<minutes>\d{1,2}|(?<!:)\d+):(?P<seconds>\d{1,2}(?:[.,]\d*)?)")


def seconds_in(cell: str, name: str, where: str) -> float:
    """The seconds that a cell says.

    Args:
        cell: Seconds as a number, minutes and seconds, or hours, minutes and seconds.
        name: What it is, for the message.
        where: File and line, for the message.

    Raises:
        UserError: If it is no such time, or before the start.

    Example:
        >>> [seconds_in(cell, "start", "a.csv") for cell in ("75.5", "1:15.5", "00:01:15,500")]
        [75.5, 75.5, 75.5]
    """
    seconds = math.nan
    if match := _CLOCK.fullmatch(cell):
        minutes, rest = int(match["minutes"]), float(match["seconds"].replace(",", "."))
        if rest < 60 and (match["hours"] is None or minutes < 60):
            seconds = _added(int(match["hours"] or 0) * 3600 + minutes * 60, rest)
    else:
        with suppress(ValueError):
            seconds = float(cell)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise UserError(
            f"{where}: {name} is {abbreviated(' '.join(cell.split()), 60)!r}; give seconds as a number, as 12.5, or "
            "mm:ss or hh:mm:ss.mmm"
        )
    return seconds


def _added(whole: int, rest: float) -> float:
    """Seconds without the noise of adding: those of `1:15.1` are those of `75.1`."""
    return round(whole + rest, 9)


def frames_in(cell: str, name: str, where: str) -> int:
    """The frame number that a cell says.

    Raises:
        UserError: If it is none.
    """
    try:
        frame = float(cell)
    except ValueError:
        frame = math.nan
    if not (math.isfinite(frame) and frame >= 0 and frame == int(frame)):
        raise UserError(
            f"{where}: {name} is {abbreviated(' '.join(cell.split()), 60)!r}; give a frame number, from 0 on, or leave "
            "out data.annotation_unit frames"
        )
    return int(frame)
