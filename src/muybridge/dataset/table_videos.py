"""The videos that a table names: where they lie, and what to say of those that do not."""

import os
import re
import stat
import unicodedata
from itertools import islice
from pathlib import Path

from muybridge.dataset.locating import exists, expanded
from muybridge.errors import UserError
from muybridge.file_parts import status_of
from muybridge.text import closest, counted, printable

_MOST_BESIDE = 5000
"""So many files beside one that is not there are compared with its name."""
_LONGEST_CELL = 60
"""Characters of a cell that a message repeats."""


def located(written: str, root: Path) -> Path:
    """The file that a path means: as it is written, else with other slashes, or letters composed in another way."""
    as_written = root / expanded(Path(written))
    if exists(as_written):
        return as_written
    slashed = written.replace("\\", "/")
    spellings = [slashed, *(unicodedata.normalize(form, slashed) for form in ("NFC", "NFD"))]
    paths = (root / expanded(Path(spelling)) for spelling in spellings)
    return next((path for path in paths if exists(path)), as_written)


def missing_videos(table: Path, missing: list[tuple[int, str, Path]]) -> UserError:
    """What to say of files that are not there, or are none."""
    line, written, path = missing[0]
    others = f" (nor do {counted(len(missing) - 1, 'other')})" if len(missing) > 1 else ""
    where = f"{table}, line {line}: {cut(written)}"
    try:
        mode = status_of(path).st_mode
    except PermissionError:
        return UserError(f"{where} cannot be reached; get the right to read its folder")
    except (OSError, ValueError):
        hint = f"; it begins in another system's way, so give it relative to {table.parent}"
        foreign = re.match(r"[A-Za-z]:[\\/]|\\\\", written) is not None and os.sep == "/"
        rule = hint if foreign else f"; paths are relative to {table.parent}{_meant(path)}"
        return UserError(f"{where} does not exist{others}{rule}")
    kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
    return UserError(f"{where} is {kind}; name a video file")


def _meant(path: Path) -> str:
    """The file in the same folder that is named almost so, or in a folder of it named so, for a hint."""
    try:
        below = next((each for each in islice(path.parent.glob("*/*"), _MOST_BESIDE) if each.name == path.name), None)
        if below is not None:
            return f" (there is a {cut(printable(below.relative_to(path.parent).as_posix()))})"
        beside = [entry.name for entry in islice(path.parent.iterdir(), _MOST_BESIDE)]
    except (OSError, ValueError):
        return ""  # there is no such folder, either
    names = {**{Path(name).stem: name for name in beside}, **{name: name for name in beside}}
    found = closest(path.name, names) or closest(path.stem, names)
    return "" if found is None else f" (there is a {cut(printable(names[found]))})"


def cut(cell: str) -> str:
    """A cell as one line of a message."""
    line = " ".join(cell.split())
    return line if len(line) <= _LONGEST_CELL else f"{line[: _LONGEST_CELL - 1]}…"
