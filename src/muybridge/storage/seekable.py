"""Bytes that lie elsewhere as a file of Python: to read, and to seek in."""

import io
from abc import abstractmethod
from typing import Any


class SeekableBytes(io.RawIOBase):
    """A file whose bytes are asked for by their place.

    Args:
        name: What it is called; FFmpeg looks at the suffix.
        size_bytes: How many bytes it has.
    """

    def __init__(self, name: str, size_bytes: int) -> None:
        super().__init__()
        self.name = name
        self.size_bytes = size_bytes
        self._position = 0

    @abstractmethod
    def _bytes_at(self, position: int, wanted: int) -> bytes:
        """Bytes from a position inside the file on: at least one, at most as many as are wanted."""

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The position of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position, which may lie behind the end.

        Raises:
            ValueError: It would be negative.
        """
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size_bytes}[whence]
        if start + offset < 0:
            raise ValueError(f"negative position {start + offset}")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read as much as comes at once; 0 at the end."""
        wanted = min(len(buffer), self.size_bytes - self._position)
        if wanted <= 0:
            return 0
        data = self._bytes_at(self._position, wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
