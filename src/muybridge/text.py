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
    """``text`` cut in the middle to at most ``characters``, so that both ends still tell names apart."""
    if len(text) <= characters:
        return text
    head = (characters - 1) // 2
    tail = characters - 1 - head
    return f"{text[:head]}…{text[-tail:]}"


def counted(number: int, noun: str) -> str:
    """A number with its noun in the right form: `1 clip`, `2 clips`, `3 classes`."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
