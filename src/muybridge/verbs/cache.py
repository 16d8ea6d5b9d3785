"""What the cache of frames and features holds, per data set, and clearing it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from muybridge.errors import UserError
from muybridge.pipeline.cache_folder import FEATURES_SUFFIX, FRAMES_SUFFIX, default_cache_folder
from muybridge.pipeline.cache_records import CacheEntry, cache_entries, delete_entries
from muybridge.pipeline.shard_pieces import pieces_in
from muybridge.recipes.cache import CacheConfig
from muybridge.text import aligned, counted, did_you_mean, size_text

UNKNOWN = "unknown"
"""The data set of entries that have no record: of an older version, or of a training that was killed."""


@dataclass(frozen=True)
class CachedDataset:
    """What the cache holds of one data set.

    Attributes:
        dataset: Its folder, or ``unknown``.
        clips: Entries that hold decoded frames: one per clip, sampling and size.
        features: Entries that hold the output of a frozen encoder: one per clip, variant and encoder.
        size_bytes: What they take, those that other data sets use, too, included.
        last_used: When one of them was made or used last.
    """

    dataset: str
    clips: int
    features: int
    size_bytes: int
    last_used: datetime

    def to_dict(self) -> dict[str, Any]:
        """The data set as plain values."""
        return {**vars(self), "last_used": self.last_used.isoformat(timespec="seconds")}


@dataclass(frozen=True)
class CacheContents:
    """What the cache holds.

    Attributes:
        folder: The cache folder.
        datasets: By data set, the one used last first.
        size_bytes: What all entries take, each counted once.
        budget_bytes: Most that the cache may take, where a training does not say otherwise.
        pieces_bytes: What pieces of shards from a bucket take besides.
    """

    folder: Path
    datasets: tuple[CachedDataset, ...]
    size_bytes: int
    budget_bytes: int
    pieces_bytes: int = 0

    def __str__(self) -> str:
        budget = f"budget {size_text(self.budget_bytes)} (cache.budget_gb of a recipe)"
        pieces = [f"pieces of shards from a bucket: {size_text(self.pieces_bytes)}"] if self.pieces_bytes else []
        if not self.datasets:
            return "\n".join([*pieces, f"the cache is empty: {self.folder}; {budget}"])
        rows = [("data set", "frames of clips", "features", "size", "last use")]
        for held in self.datasets:
            used = f"{held.last_used:%Y-%m-%d %H:%M}"
            rows.append((held.dataset, str(held.clips), str(held.features), size_text(held.size_bytes), used))
        lines = aligned(rows, right=(1, 2, 3))
        if sum(held.size_bytes for held in self.datasets) > self.size_bytes:
            lines.append("entries that several data sets share are counted for each of them")
        return "\n".join([*lines, *pieces, f"{size_text(self.size_bytes)} in {self.folder}; {budget}"])

    def to_dict(self) -> dict[str, Any]:
        """The contents as plain values."""
        return {
            "folder": str(self.folder),
            "size_bytes": self.size_bytes,
            "budget_bytes": self.budget_bytes,
            "pieces_bytes": self.pieces_bytes,
            "datasets": [held.to_dict() for held in self.datasets],
        }


@dataclass(frozen=True)
class ClearedCache:
    """What went from the cache.

    Attributes:
        folder: The cache folder.
        datasets: Whose entries went.
        entries: How many went.
        size_bytes: The space that is free now.
        kept: Entries that stay because other data sets use them, too.
    """

    folder: Path
    datasets: tuple[str, ...]
    entries: int
    size_bytes: int
    kept: int

    def __str__(self) -> str:
        if not self.entries:
            return f"the cache was empty: {self.folder}"
        of = f" of {', '.join(self.datasets)}" if self.datasets else ""
        lines = [f"deleted: {counted(self.entries, 'file')}{of}"]
        if self.kept:
            lines.append(f"kept: {counted(self.kept, 'file')} that other data sets use, too")
        return "\n".join([*lines, f"freed {size_text(self.size_bytes)} in {self.folder}"])

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {**vars(self), "folder": str(self.folder), "datasets": list(self.datasets)}


def cache_contents(*, folder: str | Path | None = None) -> CacheContents:
    """What the cache of frames and features holds, per data set.

    Args:
        folder: The cache folder; default: ``MUYBRIDGE_CACHE``, else the user's cache folder.

    Raises:
        UserError: If there is no such folder.
    """
    path = _folder(folder)
    entries = cache_entries(path)
    held = [_held(name, found) for name, found in _by_dataset(entries).items()]
    return CacheContents(
        folder=path,
        datasets=tuple(sorted(held, key=lambda one: one.last_used, reverse=True)),
        size_bytes=sum(entry.size_bytes for entry in entries),
        budget_bytes=int(CacheConfig().budget_gb * 1e9),
        pieces_bytes=sum(stat.st_size for stat in pieces_in(path).values()),
    )


def clear_cache(dataset: str | Path | None = None, *, folder: str | Path | None = None) -> ClearedCache:
    """Delete what the cache holds, or what it holds of one data set. Trainings make it again when they need it.

    Pieces of shards go with everything: they are of no data set.

    Nothing but entries of the cache is deleted, whatever else lies in its folder. Entries that another data set
    uses, too, stay until that is cleared.

    Args:
        dataset: A data set's folder, or the folder's last name, or ``unknown``; default: everything.
        folder: The cache folder; default: ``MUYBRIDGE_CACHE``, else the user's cache folder.

    Raises:
        UserError: If there is no such folder, or the cache holds nothing of that data set.
    """
    path = _folder(folder)
    by_dataset = _by_dataset(cache_entries(path))
    chosen = tuple(by_dataset) if dataset is None else (_find(str(dataset), tuple(by_dataset), path),)
    found = {entry.path: entry for name in chosen for entry in by_dataset[name]}
    going = [entry for entry in found.values() if entry.datasets <= set(chosen)]
    delete_entries(path, going, datasets=chosen)
    pieces = pieces_in(path) if dataset is None else {}
    for piece in pieces:
        piece.unlink(missing_ok=True)
    return ClearedCache(
        folder=path,
        datasets=chosen,
        entries=len(going) + len(pieces),
        size_bytes=sum(entry.size_bytes for entry in going) + sum(stat.st_size for stat in pieces.values()),
        kept=len(found) - len(going),
    )


def _folder(folder: str | Path | None) -> Path:
    if folder is None:
        return default_cache_folder()
    if not Path(folder).is_dir():
        raise UserError(f"there is no folder {folder}; name the folder of a cache")
    return Path(folder)


def _by_dataset(entries: Sequence[CacheEntry]) -> dict[str, list[CacheEntry]]:
    by_dataset: dict[str, list[CacheEntry]] = defaultdict(list)
    for entry in entries:
        for name in sorted(entry.datasets) or [UNKNOWN]:
            by_dataset[name].append(entry)
    return dict(by_dataset)


def _held(dataset: str, entries: Sequence[CacheEntry]) -> CachedDataset:
    kinds = Counter(entry.path.suffix for entry in entries)
    return CachedDataset(
        dataset=dataset,
        clips=kinds[FRAMES_SUFFIX],
        features=kinds[FEATURES_SUFFIX],
        size_bytes=sum(entry.size_bytes for entry in entries),
        last_used=datetime.fromtimestamp(max(entry.used for entry in entries)).astimezone(),
    )


def _find(dataset: str, known: Sequence[str], folder: Path) -> str:
    """The data set of the cache that a user means."""
    if dataset in known:
        return dataset
    if str(Path(dataset).resolve()) in known:
        return str(Path(dataset).resolve())
    named = [name for name in known if Path(name).name == dataset]
    if len(named) == 1:
        return named[0]
    if named:
        raise UserError(f"data set {dataset} could be {' or '.join(named)}; give the whole path")
    raise UserError(f"{folder} holds nothing of data set {dataset}{did_you_mean(dataset, known) if known else ''}")
