"""Shards of a bucket as they are streamed: in large pieces, fetched once for all processes of a machine.

Notable: pieces are files in the cache folder, so that processes that read clips find what another fetched. Together
they keep to a number of bytes; the one whose last use is the longest ago goes first. Threads fetch ahead, in the order
in which the clips will be read, so that a shard's bytes come from front to back and nobody waits for them.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from muybridge.files import replacing
from muybridge.storage.remote_files import RemoteStatus, status_of_remote
from muybridge.storage.remote_reading import fetch_range, reading_through

PIECE_BYTES = 2**23
"""At 50 ms and 1 Gbit/s a request waits for less than half of its time."""
AHEAD_PIECES = 2
"""For each lane that is read at once."""
FOLDER = "shards"
_SUFFIX = ".piece"
_LOCKS = 64
_FETCHED_AT_ONCE = 8
_TRIES = 5


@dataclass(frozen=True)
class Wanted:
    """A piece that will be needed.

    Attributes:
        position: From which clip on, in the order of reading.
        url: Of the shard.
        number: Which piece of it.
    """

    position: int
    url: str
    number: int


class ShardPieces:
    """Pieces of shards on this machine's disk.

    Args:
        cache_folder: The folder of the cache.
        budget_bytes: Most that all pieces take.
    """

    def __init__(self, cache_folder: Path, *, budget_bytes: int) -> None:
        self.folder = cache_folder / FOLDER
        self.budget_bytes = budget_bytes

    @contextmanager
    def serving(self) -> Iterator[None]:
        """While this lasts, files in a bucket that this thread opens are read through the pieces."""
        with reading_through(self.read):
            yield

    def read(self, url: str, status: RemoteStatus, position: int, wanted: int) -> bytes:
        """Bytes of a shard, from a position on, up to the end of the piece.

        Raises:
            OSError: They cannot be fetched, or not be written.
        """
        number, start = divmod(position, PIECE_BYTES)
        for _ in range(_TRIES):  # another process may drop it meanwhile
            try:
                with self.fetch(url, status, number).open("rb") as file:
                    file.seek(start)
                    return file.read(wanted)
            except FileNotFoundError as error:
                if error.filename is None or Path(error.filename).parent != self.folder:  # the bucket has no such shard
                    raise
        raise OSError(0, f"pieces of shards go faster than they come; the limit is {self.budget_bytes} bytes", url)

    def fetch(self, url: str, status: RemoteStatus, number: int) -> Path:
        """The file of a piece, fetched now if it is not there.

        Raises:
            OSError: It cannot be fetched, or not be written.
        """
        path = self._path(url, status, number)
        begin = number * PIECE_BYTES
        end = min(begin + PIECE_BYTES, status.size_bytes)
        if _is_whole(path, end - begin):
            return path
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f".lock-{int(path.stem[:8], 16) % _LOCKS}"):
            if not _is_whole(path, end - begin):
                data = fetch_range(url, begin, end)
                with replacing(path, durable=False) as temporary:
                    temporary.write_bytes(data)
                self._drop_oldest()
        return path

    def forget(self, url: str, status: RemoteStatus, begin: int, end: int) -> None:
        """Drop the pieces that hold some bytes, since these are not what they should be."""
        for number in range(begin // PIECE_BYTES, max(begin, end - 1) // PIECE_BYTES + 1):
            self._path(url, status, number).unlink(missing_ok=True)

    def _path(self, url: str, status: RemoteStatus, number: int) -> Path:
        key = hashlib.sha256(f"{url} {status.version} {number}".encode()).hexdigest()[:40]
        return self.folder / f"{key}{_SUFFIX}"

    def _drop_oldest(self) -> None:
        files = pieces_in(self.folder.parent)
        excess = sum(stat.st_size for stat in files.values()) - self.budget_bytes
        for path, stat in sorted(files.items(), key=lambda item: item[1].st_mtime_ns):
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= stat.st_size


def pieces_in(cache_folder: Path) -> dict[Path, os.stat_result]:
    """The pieces in a cache folder, and what the system says of each."""
    found = {}
    for path in (cache_folder / FOLDER).glob(f"*{_SUFFIX}"):
        with suppress(FileNotFoundError):  # another process makes room
            found[path] = path.stat()
    return found


def _is_whole(path: Path, size_bytes: int) -> bool:
    """Whether a piece is there; then it counts as used now."""
    try:
        if path.stat().st_size != size_bytes:
            return False
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


class ReadAhead:
    """Fetches pieces in threads, a few before they are needed.

    Args:
        pieces: Where they go.
        wanted: What will be needed, by position.
        lanes: How many stretches of shards are read at once.
    """

    def __init__(self, pieces: ShardPieces, wanted: Sequence[Wanted], *, lanes: int = 1) -> None:
        self._pieces = pieces
        self._wanted = wanted
        self._ahead = AHEAD_PIECES * lanes
        self._needed = self._begun = 0
        self._pool = ThreadPoolExecutor(_FETCHED_AT_ONCE, thread_name_prefix="shards")

    def reached(self, position: int) -> None:
        """Begin to fetch what is needed soon; returns at once."""
        while self._needed < len(self._wanted) and self._wanted[self._needed].position <= position:
            self._needed += 1
        until = min(len(self._wanted), self._needed + self._ahead)
        for piece in self._wanted[self._begun : until]:
            # Whoever needs a piece that could not be fetched meets the same error, and says so.
            self._pool.submit(self._fetch, piece)
        self._begun = max(self._begun, until)

    def close(self) -> None:
        """Fetch no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, piece: Wanted) -> Path:
        return self._pieces.fetch(piece.url, status_of_remote(piece.url), piece.number)


def wanted_by(places: Sequence[tuple[str, int, int]], positions: Callable[[int], int]) -> Iterator[Wanted]:
    """The pieces of clips that are read in an order.

    Args:
        places: Of each clip: the URL of its shard, its offset there, and its size.
        positions: From a place in this order to the position from which on the clip may be needed.
    """
    before: tuple[str, int] = ("", -1)
    for place, (url, offset, size_bytes) in enumerate(places):
        for number in range(offset // PIECE_BYTES, (offset + max(size_bytes, 1) - 1) // PIECE_BYTES + 1):
            if (url, number) != before:
                before = url, number
                yield Wanted(positions(place), url, number)
