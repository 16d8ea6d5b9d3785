"""Remote files: what there is, and files fetched or written whole. All requests are patient (`patience`).

How a part of one is read is in `remote_reading`.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muybridge.errors import UserError
from muybridge.storage.patience import patient
from muybridge.storage.urls import EXTRAS

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

    def __post_init__(self) -> None:
        """Make sure that a forked process does not wait for a lock that a thread of this one holds."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

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
    listed = {_address(files, name): _status(about) for name, about in sorted(found.items())}
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
        address = _address(files, about["name"])
        if address == url:  # a marker of the folder itself
            continue
        is_folder = about.get("type") == "directory"
        found[address.rpartition("/")[2]] = is_folder
        if not is_folder:
            _known[address] = _status(about)
    return found


def read_remote(url: str) -> bytes:
    """All bytes of a file, in one request.

    Raises:
        OSError: There is none, or it cannot be reached.
    """
    with counted() as count:
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
    with counted() as count:
        patient(url, filesystem_of(url).get_file, url, str(file))
        count(file.stat().st_size)


def remove_remote(url: str) -> None:
    """Remove a file; one that is gone already is no error."""
    with suppress(FileNotFoundError):
        patient(url, filesystem_of(url).rm_file, url)
    forget(url)


def _address(files: Any, name: str) -> str:
    """The URL of what a listing names; memory's names begin with a slash."""
    scheme, _, rest = str(files.unstrip_protocol(name)).partition("://")
    return f"{scheme}://{rest.strip('/')}"


def _status(about: dict[str, Any]) -> RemoteStatus:
    version = next((str(about[key]) for key in _VERSION_KEYS if about.get(key)), "")
    return RemoteStatus(int(about.get("size") or 0), version)


@contextmanager
def counted() -> Iterator[Callable[[int], None]]:
    """Count a request and how long it takes; what it gives is told how many bytes came."""
    sizes: list[int] = []
    begun = time.monotonic()
    yield sizes.append
    traffic.add(sum(sizes), time.monotonic() - begun)
