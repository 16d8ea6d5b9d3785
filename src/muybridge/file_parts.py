"""Clips that are a part of a larger file: a member of a tar shard, known by where its bytes lie.

The path of such a clip is written ``SHARD.tar/OFFSET+SIZE/NAME``: text that needs no index to be opened, goes through
`pathlib`, JSON and other processes as it is, and sorts and compares as any path. No file system has such a path, so
what opens, measures or looks for clips asks here, for whole files too.

Notable: `open_whole` is the one place that opens a shard.
"""

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

_PART = re.compile(r"(?P<whole>.+\.tar)/(?P<offset>\d{1,18})\+(?P<size>\d{1,18})/[^/]+", re.DOTALL)


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
    return path.open("rb")


def status_of(path: Path) -> os.stat_result:
    """What the system says of a file; of a part what it says of the file that holds it.

    Raises:
        OSError: There is no such file, or a part lies beyond the end of its file.
        ValueError: The path holds a zero byte.
    """
    part = part_at(path)
    if part is None:
        return path.stat()
    found = part.whole.stat()
    if part.offset + part.size_bytes > found.st_size:
        raise OSError(0, f"its shard {part.whole.name} ends before it", str(path))
    return found


def size_of(path: Path) -> int:
    """The size of a file or a part in bytes.

    Raises:
        OSError: As `status_of`.
    """
    part, found = part_at(path), status_of(path)
    return found.st_size if part is None else part.size_bytes


def is_there(path: Path) -> bool:
    """Whether there is a regular file, or a part that lies inside one."""
    part = part_at(path)
    if part is None:
        return path.is_file()
    return part.whole.is_file() and part.offset + part.size_bytes <= part.whole.stat().st_size


def open_bytes(path: Path) -> io.BufferedReader:
    """The bytes of a file or a part, to read and to seek in; position 0 is the first of them.

    Raises:
        OSError: As `status_of`.
    """
    part = part_at(path)
    if part is None:
        return path.open("rb")
    status_of(path)
    return io.BufferedReader(_Part(part, path.name), buffer_size=1 << 16)


class _Part(io.RawIOBase):
    """A part of a file as a file."""

    def __init__(self, part: FilePart, name: str) -> None:
        super().__init__()
        self.name = name  # FFmpeg looks at the suffix
        self._part = part
        self._position = 0
        self._file = open_whole(part.whole)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._part.size_bytes}[whence]
        if start + offset < 0:
            raise ValueError(f"negative position {start + offset}")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._part.size_bytes - self._position)
        if wanted <= 0:
            return 0
        self._file.seek(self._part.offset + self._position)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
