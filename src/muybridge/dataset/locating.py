"""What lies at a path that a user or a table names, without an exception whatever the text of the path is.

Of a bucket that does not answer nobody can say what lies there: that is an error.
"""

import stat
from pathlib import Path

from muybridge.errors import UserError
from muybridge.file_parts import is_remote, status_of
from muybridge.storage.urls import url_at
from muybridge.text import one_line


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
        return status_of(path).st_mode
    except (OSError, ValueError) as error:
        if is_remote(path) and not isinstance(error, FileNotFoundError):
            raise UserError(f"{url_at(path)} cannot be reached: {one_line(error)}") from error
        return None
