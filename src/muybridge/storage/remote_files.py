"""Remote files: what there is, reading it in ranges, writing it whole.

A file is read in blocks that are asked for when they are needed, and a few of them are kept, so a few frames of a long
video do not fetch it whole; a short clip comes in one request. All requests are patient (`patience`).
"""

import io
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muybridge.errors import UserError
from muybridge.storage.patience import patient
from muybridge.storage.urls import EXTRAS

WHOLE_BYTES = 2**21
"""A file up to this size is fetched in one request."""
BLOCK_BYTES = 2**18
_MOST_BLOCKS = 16
_BLOCKS_KEPT = 256
_VERSION_KEYS = ("ETag", "etag", "md5Hash", "sha256", "LastModified", "last_modified", "updated", "mtime", "created")


@dataclass(frozen=True)
class RemoteStatus:
    """What a file is.

    Attributes:
        size_bytes: Its size.
        version: Changes when its bytes do: its ETag, or when it was changed.
    """

    size_bytes: int
    version: str


@dataclass
class Traffic:
    """What was read from storage since this process began.

    Attributes:
        requests: How many ranges or files were asked for.
        size_bytes: How much came.
        seconds: How long readers waited for it, summed over threads.
    """

    requests: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, size_bytes: int, seconds: float) -> None:
        """Count one request."""
        with self._lock:
            self.requests += 1
            self.size_bytes += size_bytes
            self.seconds += seconds


traffic = Traffic()

_known: dict[str, RemoteStatus] = {}
"""What a listing said of files, so that nobody asks again for each of them."""


def filesystem_of(url: str) -> Any:
    """The file system of fsspec that a URL is of.

    Raises:
        UserError: What it needs is not installed, or its settings make no sense.
    """
    scheme = url.partition(":")[0]
    extra = EXTRAS[scheme]
    try:
        import fsspec
        import tenacity  # noqa: F401 - what `patience` needs

        return fsspec.filesystem(scheme, use_listings_cache=False) if extra else fsspec.filesystem(scheme)
    except ImportError as error:
        raise UserError(f"{scheme}:// needs pip install 'muybridge[{extra or 's3'}]' ({error})") from error
    except ValueError as error:
        raise UserError(f"{url} cannot be reached: {error}") from error


def status_of_remote(url: str) -> RemoteStatus:
    """What a file is.

    Raises:
        OSError: There is none, or it cannot be reached.
    """
    known = _known.get(url)
    if known is None:
        about = patient(url, filesystem_of(url).info, url)
        if about.get("type") == "directory":
            raise IsADirectoryError(21, "Is a directory", url)
        known = _known[url] = _status(about)
    return known


def remember(url: str, status: RemoteStatus) -> None:
    """Take another's word for what a file is, so that nobody asks."""
    _known.setdefault(url, status)


def forget(url: str) -> None:
    """Ask again what a file is, since it was changed."""
    _known.pop(url, None)


def is_remote_folder(url: str) -> bool:
    """Whether anything lies below a URL.

    Raises:
        OSError: It cannot be reached.
    """
    return bool(patient(url, filesystem_of(url).isdir, url))


def files_below(url: str) -> dict[str, RemoteStatus]:
    """The URLs of all files at any depth below a URL, sorted, and what they are.

    Raises:
        OSError: It cannot be reached.
    """
    files = filesystem_of(url)
    found = patient(url, files.find, url, detail=True)
    listed = {files.unstrip_protocol(name): _status(about) for name, about in sorted(found.items())}
    _known.update(listed)
    return listed


def names_in(url: str) -> dict[str, bool]:
    """The names of what lies directly below a URL, and whether each is a folder.

    Raises:
        OSError: It cannot be reached, or nothing lies there.
    """
    files = filesystem_of(url)
    found = {}
    for about in patient(url, files.ls, url, detail=True):
        address = files.unstrip_protocol(about["name"]).rstrip("/")
        if address == url:  # a marker of the folder itself
            continue
        is_folder = about.get("type") == "directory"
        found[address.rpartition("/")[2]] = is_folder
        if not is_folder:
            _known[address] = _status(about)
    return found


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


def read_remote(url: str) -> bytes:
    """All bytes of a file, in one request.

    Raises:
        OSError: There is none, or it cannot be reached.
    """
    with _counted() as count:
        data = patient(url, filesystem_of(url).cat_file, url)
        count(len(data))
    return bytes(data)


def write_remote(url: str, data: bytes, *, only_new: bool = False) -> None:
    """Write a file, whole or not at all.

    Args:
        url: The file.
        data: Its bytes.
        only_new: Whether it is an error if the file is there; of several who do this at once, one succeeds.

    Raises:
        FileExistsError: It is there, and ``only_new``.
        OSError: It cannot be written.
    """
    patient(url, filesystem_of(url).pipe_file, url, data, mode="create" if only_new else "overwrite")
    forget(url)


def upload(file: Path, url: str) -> None:
    """Write a file of this machine to a URL, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    patient(url, filesystem_of(url).put_file, str(file), url)
    forget(url)


def download(url: str, file: Path) -> None:
    """Fetch a file; whoever calls puts it in place when it is whole.

    Raises:
        OSError: There is none, or it cannot be reached.
    """
    with _counted() as count:
        patient(url, filesystem_of(url).get_file, url, str(file))
        count(file.stat().st_size)


def remove_remote(url: str) -> None:
    """Remove a file; one that is gone already is no error."""
    with suppress(FileNotFoundError):
        patient(url, filesystem_of(url).rm_file, url)
    forget(url)


def _status(about: dict[str, Any]) -> RemoteStatus:
    version = next((str(about[key]) for key in _VERSION_KEYS if about.get(key)), "")
    return RemoteStatus(int(about.get("size") or 0), version)


@contextmanager
def _counted() -> Iterator[Callable[[int], None]]:
    sizes: list[int] = []
    begun = time.monotonic()
    yield sizes.append
    traffic.add(sum(sizes), time.monotonic() - begun)


class _Blocks:
    """The blocks that were read last, of all files: a video is opened several times until its frames are read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()

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


_blocks = _Blocks()


class _RemoteFile(io.RawIOBase):
    """The bytes of a URL as a file.

    Whoever reads on where the last request ended gets ever more with each, up to `_MOST_BLOCKS`.
    """

    def __init__(self, url: str, status: RemoteStatus) -> None:
        super().__init__()
        self.name = url.rpartition("/")[2]  # FFmpeg looks at the suffix
        self._url = url
        self._version, self._size_bytes = status.version, status.size_bytes
        self._position = 0
        self._is_hollow = False
        self._next_block, self._ahead = -1, 1
        self._files = filesystem_of(url)

    def become_hollow(self) -> None:
        self._is_hollow = True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size_bytes}[whence]
        if start + offset < 0:
            raise ValueError(f"negative position {start + offset}")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size_bytes - self._position)
        if wanted <= 0:
            return 0
        if self._is_hollow:
            data = bytes(wanted)
        else:
            number, start = divmod(self._position, BLOCK_BYTES)
            data = self._block(number)[start : start + wanted]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _block(self, number: int) -> bytes:
        found = _blocks.get((self._url, self._version, number))
        if found is None:
            found = self._fetch(number)
        return found

    def _fetch(self, number: int) -> bytes:
        """Fetch a block, and some behind it."""
        whole = self._size_bytes <= WHOLE_BYTES
        self._ahead = min(2 * self._ahead, _MOST_BLOCKS) if number == self._next_block else 1
        first, count = (0, _MOST_BLOCKS) if whole else (number, self._ahead)
        self._next_block = first + count
        start, end = first * BLOCK_BYTES, min((first + count) * BLOCK_BYTES, self._size_bytes)
        with _counted() as counted:
            data = patient(self._url, self._range, start, end)
            counted(len(data))
        for place in range(0, len(data), BLOCK_BYTES):
            _blocks.put((self._url, self._version, first + place // BLOCK_BYTES), data[place : place + BLOCK_BYTES])
        place = (number - first) * BLOCK_BYTES
        return data[place : place + BLOCK_BYTES]

    def _range(self, start: int, end: int) -> bytes:
        data = bytes(self._files.cat_file(self._url, start=start, end=end))
        if len(data) != end - start:  # the connection broke, or the file was changed
            raise ConnectionError(f"{len(data)} bytes came, {end - start} were asked for")
        return data
