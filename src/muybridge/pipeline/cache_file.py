"""One file of the cache: an array, and some plain values that belong to it.

Notable: magic, length and CRC-32 of the header, JSON header, then the array's bytes as they are in memory, so that an
array is memory-mapped and parts of it are read without the rest. The header holds a CRC-32 over these bytes and the
name of the file, so that neither a damaged file nor one under another's name is taken. Files are written whole or not
at all; they are not waited for to reach the disk, since what a loss of power takes is made again.
"""

import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from muybridge.files import replacing

MAGIC = b"MUYCACH3"
_BEFORE = b"MUYCACH2"
"""Of files whose header had no checksum; they are still read."""
_BLOCK = 1 << 22


class DamagedEntryError(Exception):
    """A cache file that is not what was written; it is made again, never used."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"the cache entry {path} is damaged")


@dataclass(frozen=True)
class CacheFile:
    """The header of a cache file.

    Attributes:
        path: The file.
        values: The plain values.
        dtype: Of the array.
        shape: Of the array.
        offset: Where its bytes start.
    """

    path: Path
    values: dict[str, Any]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    def map(self) -> npt.NDArray[Any]:
        """The array, memory-mapped for as long as the result lives.

        Raises:
            FileNotFoundError: If the file is gone.
        """
        return np.memmap(self.path, mode="r", dtype=self.dtype, offset=self.offset, shape=self.shape)


def write_cache_file(path: Path, array: npt.NDArray[Any], values: dict[str, Any]) -> None:
    """Write an array that is not empty, and values that JSON can hold."""
    payload = np.ascontiguousarray(array).tobytes()
    header = {
        "values": values,
        "dtype": array.dtype.str,
        "shape": array.shape,
        "checksum": zlib.crc32(payload),
        "name": path.name,
    }
    text = json.dumps(header).encode()
    with replacing(path, durable=False) as temporary, temporary.open("wb") as file:
        file.write(MAGIC + struct.pack("<II", len(text), zlib.crc32(text)) + text)
        file.write(payload)


def read_cache_file(path: Path) -> CacheFile:
    """Read the header of a cache file and verify its checksum.

    Raises:
        DamagedEntryError: If the file is not what was written.
        FileNotFoundError: If there is no such file.
    """
    with path.open("rb") as file:
        try:
            header = _header(file)
            if header.get("name", path.name) != path.name:
                raise ValueError(header["name"])
            found = CacheFile(path, header["values"], np.dtype(header["dtype"]), tuple(header["shape"]), file.tell())
            expected = header["checksum"], int(np.prod(found.shape)) * found.dtype.itemsize
        except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
            raise DamagedEntryError(path) from error
        checksum = size = 0
        while block := file.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
            size += len(block)
    if (checksum, size) != expected:
        raise DamagedEntryError(path)
    return found


def _header(file: BinaryIO) -> dict[str, Any]:
    """The header of a cache file.

    Raises:
        ValueError: If it is not what was written.
        struct.error: If the file ends in it.
    """
    magic = file.read(len(MAGIC))
    if magic == _BEFORE:
        (length,) = struct.unpack("<I", file.read(4))
        text = file.read(length)
    elif magic == MAGIC:
        length, checksum = struct.unpack("<II", file.read(8))
        text = file.read(length)
        if zlib.crc32(text) != checksum:
            raise ValueError("header")
    else:
        raise ValueError("magic")
    header: dict[str, Any] = json.loads(text)
    return header
