"""Names of files that are being written: hidden, next to where they go, and telling which process writes them.

Notable: a process that is killed leaves such a file behind. Its name holds the process's number and a mark of the
machine (of the container, where there is one), so that the next start can tell files of the dead from files of the
living. What cannot be told, because it comes from another machine, stays.
"""

import hashlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

_OURS = re.compile(r"\..*-(?P<process>\d+)-(?P<machine>[0-9a-f]{8})-[^-.]{8}(\..*)?")
_LONGEST_STEM = 60
"""Characters of the file's name in a temporary one; longer names would not fit a file system's limit."""


def prefix_of(stem: str) -> str:
    """How a temporary name begins, for ``tempfile``, which adds eight characters of its own."""
    return f".{stem[:_LONGEST_STEM]}-{os.getpid()}-{_machine()}-"


def remove_dead(*folders: Path) -> None:
    """Delete what processes that are no more left half-written in these folders (not in folders inside them)."""
    _remove(entry for folder in folders if folder.is_dir() for entry in folder.glob(".*"))


def remove_dead_below(folder: Path) -> None:
    """The same for a folder and all that are in it."""
    _remove(entry for entry in folder.rglob(".*"))


def _remove(entries: Iterable[Path]) -> None:
    for entry in list(entries):
        named = _OURS.fullmatch(entry.name)
        if named is None or named["machine"] != _machine() or _lives(int(named["process"])):
            continue
        with suppress(OSError):  # somebody else was faster, or may and we may not
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def _lives(process: int) -> bool:
    """Whether there is such a process; where it cannot be asked (Windows), it is taken to be there."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


@cache
def _machine() -> str:
    """Eight digits for this machine, and within it for the container whose process numbers these are."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]
