"""Reading a remote file in blocks, which are asked for when they are needed.

A few blocks are kept, so a few frames of a long video do not fetch it whole; a short clip comes in one request.
"""

import io
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from muybridge.storage.patience import patient
from muybridge.storage.remote_files import RemoteStatus, counted, filesystem_of, status_of_remote
from muybridge.storage.seekable import SeekableBytes

WHOLE_BYTES = 2**21
"""A file up to this size is fetched in one request."""
BLOCK_BYTES = 2**18
THREADS_A_CORE = 4
"""Who waits for storage needs no core."""
_MOST_BLOCKS = 16
_BLOCKS_KEPT = 256


def open_remote(url: str) -> io.BufferedReader:
    """A file to read and to seek in.

    Raises:
        OSError: There is none, or it cannot be reached.
    """
    return io.BufferedReader(_RemoteFile(url, status_of_remote(url)), buffer_size=BLOCK_BYTES)


def open_hollow(url: str) -> tuple[io.BufferedReader, Callable[[], None]]:
    """A file, and what makes the rest of it read as zeros from then on, so that it is not fetched.

    Raises:
        OSError: There is none, or it cannot be reached.
    """
    file = _RemoteFile(url, status_of_remote(url))
    return io.BufferedReader(file, buffer_size=1 << 16), file.become_hollow


ReadPart = Callable[[str, RemoteStatus, int, int], bytes]
"""From a URL, what it is, a position and a number of bytes to bytes from there on, at least one."""

_through: ContextVar[ReadPart | None] = ContextVar("through", default=None)


@contextmanager
def reading_through(read: ReadPart) -> Iterator[None]:
    """Files that are opened here meanwhile, in this thread, get their bytes from elsewhere: a copy on this machine."""
    token = _through.set(read)
    try:
        yield
    finally:
        _through.reset(token)


def fetch_range(url: str, start: int, end: int) -> bytes:
    """Bytes of a file, in one request.

    Raises:
        OSError: They cannot be reached.
    """

    def request() -> bytes:
        data = bytes(filesystem_of(url).cat_file(url, start=start, end=end))
        if len(data) != end - start:  # the connection broke, or the file was changed
            raise ConnectionError(f"{len(data)} bytes came, {end - start} were asked for")
        return data

    with counted() as note:
        data = patient(url, request)
        note(len(data))
    return data


class _Blocks:
    """The blocks that were read last, of all files: a video is opened several times until its frames are read."""

    def __init__(self) -> None:
        self._renew()
        self._blocks: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
        if hasattr(os, "register_at_fork"):  # another thread may hold the lock while a process is forked
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str, int]) -> bytes | None:
        with self._lock:
            if key in self._blocks:
                self._blocks.move_to_end(key)
            return self._blocks.get(key)

    def put(self, key: tuple[str, str, int], data: bytes) -> None:
        with self._lock:
            self._blocks[key] = data
            while len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._blocks.clear()


_blocks = _Blocks()


def forget_blocks() -> None:
    """Read anew what was read before."""
    _blocks.clear()


class _RemoteFile(SeekableBytes):
    """The bytes of a URL as a file.

    Whoever reads on where the last request ended gets ever more with each, up to `_MOST_BLOCKS`.
    """

    def __init__(self, url: str, status: RemoteStatus) -> None:
        super().__init__(url.rpartition("/")[2], status.size_bytes)
        self._url = url
        self._is_hollow = False
        self._status = status
        self._next_block, self._ahead = -1, 1
        self._through = _through.get()

    def become_hollow(self) -> None:
        self._is_hollow = True

    def _bytes_at(self, position: int, wanted: int) -> bytes:
        if self._is_hollow:
            return bytes(wanted)
        if self._through is not None:
            return self._through(self._url, self._status, position, wanted)
        number, start = divmod(position, BLOCK_BYTES)
        return self._block(number)[start : start + wanted]

    def _block(self, number: int) -> bytes:
        found = _blocks.get((self._url, self._status.version, number))
        if found is None:
            found = self._fetch(number)
        return found

    def _fetch(self, number: int) -> bytes:
        """Fetch a block, and some behind it."""
        whole = self.size_bytes <= WHOLE_BYTES
        self._ahead = min(2 * self._ahead, _MOST_BLOCKS) if number == self._next_block else 1
        first, count = (0, _MOST_BLOCKS) if whole else (number, self._ahead)
        self._next_block = first + count
        start, end = first * BLOCK_BYTES, min((first + count) * BLOCK_BYTES, self.size_bytes)
        data = fetch_range(self._url, start, end)
        for place in range(0, len(data), BLOCK_BYTES):
            _blocks.put(
                (self._url, self._status.version, first + place // BLOCK_BYTES), data[place : place + BLOCK_BYTES]
            )
        place = (number - first) * BLOCK_BYTES
        return data[place : place + BLOCK_BYTES]
