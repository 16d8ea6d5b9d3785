"""What a disk can answer besides yes: which exceptions mean that, and what to do about each, in one line.

Notable: libraries below say it in words of their own (torch's writer, safetensors, SQLite), and those become an
``OSError`` with the file's name, so that one place answers all of them.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.errors import NotSavedError
from muybridge.text import printable

_WORDS = {
    "no space left on device": errno.ENOSPC,
    "database or disk is full": errno.ENOSPC,
    "disk quota exceeded": errno.EDQUOT,
    "read-only file system": errno.EROFS,
    "attempt to write a readonly database": errno.EACCES,
    "permission denied": errno.EACCES,
    "file name too long": errno.ENAMETOOLONG,
    "input/output error": errno.EIO,
    "disk i/o error": errno.EIO,
    # torch does not say why its file could not be written; the disk being full is what it is in practice.
    "pytorchstreamwriter failed": errno.ENOSPC,
    "file write failed": errno.ENOSPC,
}
_FOREIGN = ("SafetensorError", "OperationalError", "RuntimeError", "StorageInternalError")
"""Exceptions of libraries whose words are looked at; any other with such words may mean something else."""

_ADVICE = {
    errno.ENOSPC: "free some space, or name a folder on another disk",
    errno.EDQUOT: "free some of your quota, or name a folder on another disk",
    errno.EROFS: "name a folder on a disk that can be written",
    errno.EACCES: "name a folder that you may write, or ask for the right to it",
    errno.EPERM: "name a folder that you may write, or ask for the right to it",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EIO: "the disk or the network to it may be failing; try another one",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "name a file",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ESTALE: "the network disk was mounted anew; run the same command again",
}


def disk_error(error: BaseException, path: Path | None = None) -> OSError | None:
    """The same as an `OSError`, if the disk or its file system is what is wrong; else None.

    Args:
        error: What was raised.
        path: The file that was being written, for errors that name none.
    """
    if isinstance(error, OSError):
        if path is None or error.errno not in _ADVICE or error.filename is not None:
            return error
        return OSError(error.errno, error.strerror, str(path))
    if type(error).__name__ not in _FOREIGN:
        return None
    said = str(error).lower()
    number = next((number for words, number in _WORDS.items() if words in said), None)
    if number is None:
        return None
    meant = {errno.ENOSPC: "No space left on device", errno.EACCES: "Permission denied"}
    words = meant.get(number) or next(words for words, other in _WORDS.items() if other == number and words in said)
    return OSError(number, words.capitalize() if words.islower() else words, str(path) if path else None)


def in_one_line(error: OSError) -> str:
    """What is wrong, with which file, and what to do."""
    what = error.strerror or str(error) or type(error).__name__
    where = f"{printable(str(error.filename))}: " if error.filename not in (None, "") else ""
    advice = _ADVICE.get(error.errno or 0, "")
    return f"{where}{what}" + (f"; {advice}" if advice else "")


@contextmanager
def naming(path: Path, *, instead_of: Path | None = None) -> Iterator[None]:
    """Errors of the disk inside name ``path``, whatever library they come from.

    Args:
        path: The file that is written.
        instead_of: A temporary name of it, which means nothing to anybody.
    """
    try:
        yield
    except Exception as error:
        found = disk_error(error, path)
        if found is None:
            raise
        if instead_of is not None and str(found.filename or "").startswith(str(instead_of)):
            found = OSError(found.errno, found.strerror, str(path))
        if found is error:
            raise
        raise found from error


@dataclass
class Kept:
    """Room for the result of work that is finished and not yet saved."""

    result: Any = None


@contextmanager
def keeping_result() -> Iterator[Kept]:
    """Errors of the disk inside carry the result, once it is put into what is yielded.

    Raises:
        NotSavedError: If the disk fails after that.
    """
    kept = Kept()
    try:
        yield kept
    except Exception as error:
        found = disk_error(error)
        if found is None or kept.result is None:
            raise
        raise NotSavedError(in_one_line(found), kept.result) from error
