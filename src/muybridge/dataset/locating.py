"""What lies at a path that a user or a table names, without an exception whatever the text of the path is."""

import stat
from pathlib import Path


def expanded(path: Path) -> Path:
    """The path with `~` as the user's home; as it is where there is no such user or home."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def exists(path: Path) -> bool:
    """Whether anything can be reached at a path; a name that is too long or holds a zero byte is that of nothing."""
    return _mode(path) is not None


def is_regular(path: Path) -> bool:
    """Whether a path leads to a file, and to no folder, pipe or device."""
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder."""
    mode = _mode(path)
    return mode is not None and stat.S_ISDIR(mode)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None
