"""What a file holds, told by the size and SHA-256 of its bytes."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from muybridge.file_parts import is_remote, is_there, size_of
from muybridge.files import content_hash


@dataclass(frozen=True)
class Content:
    """The size and SHA-256 of a file's bytes."""

    size_bytes: int
    sha256: str


def read_contents(paths: Iterable[Path], *, workers: int = 4) -> dict[Path, Content]:
    """Hash files, each once; one that is missing or unreadable is left out, since decoding is what names it.

    Args:
        paths: The files.
        workers: Number of threads (hashing releases Python's lock).

    Returns:
        What each holds, sorted by path.
    """
    distinct = sorted(set(paths))
    with ThreadPoolExecutor(workers) as pool:
        found = zip(distinct, pool.map(_content, distinct), strict=True)
        return {path: content for path, content in found if content is not None}


def _content(path: Path) -> Content | None:
    try:
        # Only regular files: opening a pipe or a device would wait for ever. And files of this machine: a bucket would
        # have to send them whole.
        if is_remote(path) or not is_there(path):
            return None
        return Content(size_of(path), content_hash(path))
    except OSError:
        return None
