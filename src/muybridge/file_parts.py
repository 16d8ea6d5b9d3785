"""Files that are none of this machine's: a clip that is a part of a shard, a file in a bucket, and both at once.

The path of a part is written ``SHARD.tar/OFFSET+SIZE/NAME`` (or ``SHARD.tfrecord/...``), that of a file in a bucket as
its URL: text that needs no index to be opened, goes through `pathlib`, JSON and other processes as it is, and compares
as any path. No file system has such paths, so what opens, measures or looks for clips asks here, for ordinary files
too.
"""

import io
import os
import re
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from muybridge.storage.remote_files import is_remote_folder, status_of_remote
from muybridge.storage.remote_reading import open_remote
from muybridge.storage.seekable import SeekableBytes
from muybridge.storage.urls import url_at

_PART = re.compile(r"(?P<whole>.+\.(?:tar|tfrecord))/(?P<offset>\d{1,18})\+(?P<size>\d{1,18})/[^/]+", re.DOTALL)


@dataclass(frozen=True)
class FilePart:
    """Where the bytes of a clip lie.

    Attributes:
        whole: The file that holds them.
        offset: The first byte.
        size_bytes: How many there are.
    """

    whole: Path
    offset: int
    size_bytes: int


def part_path(whole: Path, offset: int, size_bytes: int, name: str) -> Path:
    """The path of a part of a file."""
    return whole / f"{offset}+{size_bytes}" / name


def part_at(path: Path) -> FilePart | None:
    """The part that a path names; None for the path of a whole file."""
    # A look for two characters is enough for nearly all other paths.
    match = _PART.fullmatch(path.as_posix()) if "+" in path.parent.name else None
    return FilePart(Path(match["whole"]), int(match["offset"]), int(match["size"])) if match else None


def open_whole(path: Path) -> BinaryIO:
    """A file to read and to seek in.

    Raises:
        OSError: It cannot be opened.
    """
    url = url_at(path)
    return path.open("rb") if url is None else open_remote(url)


def is_remote(path: Path) -> bool:
    """Whether a path stands for a URL, or for a part of a file there."""
    return url_at(path) is not None


def is_ordinary(path: Path) -> bool:
    """Whether the system itself knows a file of this path: no part, and in no bucket."""
    return part_at(path) is None and not is_remote(path)


def status_of(path: Path) -> os.stat_result:
    """What the system says of a file or a folder; of a part what it says of the file that holds it.

    Of what is in a bucket inode and time of change stand for its version there.

    Raises:
        OSError: There is nothing, it cannot be reached, or a part lies beyond the end of its file.
        ValueError: The path holds a zero byte.
    """
    part = part_at(path)
    if part is None:
        return _status(path)
    found = _status(part.whole)
    if part.offset + part.size_bytes > found.st_size:
        raise OSError(0, f"its shard {part.whole.name} ends before it", str(path))
    return found


def _status(path: Path) -> os.stat_result:
    url = url_at(path)
    if url is None:
        return path.stat()
    try:
        known = status_of_remote(url)
    except IsADirectoryError:
        return _remote_result(stat.S_IFDIR | 0o555)
    except FileNotFoundError:
        if not is_remote_folder(url):
            raise
        return _remote_result(stat.S_IFDIR | 0o555)
    version = int.from_bytes(sha256(known.version.encode()).digest()[:7])
    return _remote_result(stat.S_IFREG | 0o444, size_bytes=known.size_bytes, version=version)


def _remote_result(mode: int, *, size_bytes: int = 0, version: int = 0) -> os.stat_result:
    nanoseconds = {"st_mtime_ns": version, "st_ctime_ns": version, "st_atime_ns": version}
    return os.stat_result((mode, version, 0, 1, 0, 0, size_bytes, 0, 0, 0), nanoseconds)


def size_of(path: Path) -> int:
    """The size of a file or a part in bytes.

    Raises:
        OSError: As `status_of`.
    """
    part, found = part_at(path), status_of(path)
    return found.st_size if part is None else part.size_bytes


def is_there(path: Path) -> bool:
    """Whether there is a regular file, or a part that lies inside one."""
    if is_ordinary(path):
        return path.is_file()
    try:
        return stat.S_ISREG(status_of(path).st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        if is_remote(path):  # nobody knows
            raise
        return False


def open_bytes(path: Path) -> io.BufferedReader:
    """The bytes of a file or a part, to read and to seek in; position 0 is the first of them.

    Raises:
        OSError: As `status_of`.
    """
    part = part_at(path)
    if part is None:
        whole = open_whole(path)
        assert isinstance(whole, io.BufferedReader)
        return whole
    status_of(path)
    return io.BufferedReader(_Part(part, path.name), buffer_size=1 << 16)


class _Part(SeekableBytes):
    """A part of a file as a file."""

    def __init__(self, part: FilePart, name: str) -> None:
        super().__init__(name, part.size_bytes)
        self._offset = part.offset
        self._file = open_whole(part.whole)

    def _bytes_at(self, position: int, wanted: int) -> bytes:
        self._file.seek(self._offset + position)
        return self._file.read(wanted)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
