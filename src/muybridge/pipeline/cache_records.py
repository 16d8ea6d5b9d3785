"""Which data set each entry of the cache was made from, so that a user can see and clear it by data set.

Notable: an entry's name is a hash, which says nothing to anybody. So every training leaves a record in the cache
folder: the data set's folder, and the names of the entries that it uses. Entries without a record (of a version
before this one, or of a training that was killed while it decoded) are of an unknown data set.
"""

import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from filelock import FileLock

from muybridge.errors import UserError
from muybridge.files import write_json
from muybridge.pipeline.cache_folder import SUFFIXES
from muybridge.run_schemas import CacheRecord
from muybridge.schemas import read

RECORDS_FOLDER = "datasets"
_SUFFIXES = "|".join(map(re.escape, SUFFIXES))
_ENTRY = re.compile(rf"(?P<start>[0-9a-f]{{2}})/(?P=start)[0-9a-f]+({_SUFFIXES})")


@dataclass(frozen=True)
class CacheEntry:
    """A file of the cache.

    Attributes:
        path: The file.
        size_bytes: How much it takes.
        used: When it was made or used last, in seconds since 1970.
        datasets: Folders of the data sets that use it; none if that is unknown.
    """

    path: Path
    size_bytes: int
    used: float
    datasets: frozenset[str]


def record_entries(folder: Path, dataset: Path, paths: Iterable[Path]) -> None:
    """Note that a data set uses these entries.

    Args:
        folder: The cache folder.
        dataset: Folder of the data set.
        paths: Entries in the cache folder.
    """
    names = {path.relative_to(folder).as_posix() for path in paths}
    record = _record_of(folder, str(dataset.resolve()))
    record.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(record.with_suffix(".lock")):
        known = _names_in(record)
        if not names <= known:
            # What was dropped meanwhile need not be remembered.
            kept = {name for name in known if (folder / name).exists()}
            write_json(record, {"dataset": str(dataset.resolve()), "entries": sorted(kept | names)})


def cache_entries(folder: Path) -> list[CacheEntry]:
    """All entries of a cache folder, and nothing else that lies there."""
    datasets: dict[str, set[str]] = {}
    for record in sorted((folder / RECORDS_FOLDER).glob("*.json")):
        with suppress(UserError):  # what is damaged says nothing
            content = read(record, CacheRecord, hint="delete it")
            for name in content.entries:
                datasets.setdefault(name, set()).add(content.dataset)
    entries = []
    for path in folder.glob("??/*"):
        name = path.relative_to(folder).as_posix()
        if _ENTRY.fullmatch(name) and path.is_file() and not path.is_symlink():
            with suppress(FileNotFoundError):  # another process makes room
                stat = path.stat()
                entries.append(CacheEntry(path, stat.st_size, stat.st_mtime, frozenset(datasets.get(name, ()))))
    return entries


def delete_entries(folder: Path, entries: Collection[CacheEntry], *, datasets: Collection[str]) -> None:
    """Delete entries, the records of data sets, and the sub-folders that are empty then."""
    for entry in entries:
        entry.path.unlink(missing_ok=True)
    for dataset in datasets:
        _record_of(folder, dataset).unlink(missing_ok=True)
    for parent in {entry.path.parent for entry in entries}:
        with suppress(OSError):  # not empty
            parent.rmdir()


def _record_of(folder: Path, dataset: str) -> Path:
    digest = sha256(dataset.encode(errors="surrogateescape")).hexdigest()[:20]
    return folder / RECORDS_FOLDER / f"{digest}.json"


def _names_in(record: Path) -> set[str]:
    try:
        return set(read(record, CacheRecord, hint="delete it").entries)
    except UserError:
        return set()
