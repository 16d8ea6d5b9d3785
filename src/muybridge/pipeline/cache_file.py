"""One file of the cache: an array, and some plain values that belong to it.

Notable: magic, length of the header, JSON header, then the array's bytes as they are in memory, so that an array is
memory-mapped and parts of it are read without the rest. A CRC-32 over these bytes detects a damaged file. Files are
written whole or not at all. What is kept, and under which name, is not known here.
"""

import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from muybridge.files import replacing

MAGIC = b"MUYCACH2"
_BLOCK = 1 << 22


class DamagedEntryError(Exception):
    """A cache file that is not what was written; it is made again, never used."""


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
    }
    text = json.dumps(header).encode()
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(MAGIC + struct.pack("<I", len(text)) + text)
        file.write(payload)


def read_cache_file(path: Path) -> CacheFile:
    """Read the header of a cache file and verify its checksum.

    Raises:
        DamagedEntryError: If the file is not what was written.
        FileNotFoundError: If there is no such file.
    """
    with path.open("rb") as file:
        start = file.read(len(MAGIC) + 4)
        if len(start) != len(MAGIC) + 4 or not start.startswith(MAGIC):
            raise DamagedEntryError(path)
        try:
            header = json.loads(file.read(struct.unpack("<I", start[len(MAGIC) :])[0]))
            found = CacheFile(path, header["values"], np.dtype(header["dtype"]), tuple(header["shape"]), file.tell())
            expected = header["checksum"], int(np.prod(found.shape)) * found.dtype.itemsize
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedEntryError(path) from error
        checksum = size = 0
        while block := file.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
            size += len(block)
    if (checksum, size) != expected:
        raise DamagedEntryError(path)
    return found
