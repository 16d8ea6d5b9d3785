"""The folder that caches share, and its budget of bytes: the least recently used entries go first."""

import os
from collections.abc import Collection
from pathlib import Path

from muybridge.errors import UserError
from muybridge.system import cache_home

FRAMES_SUFFIX = ".frames"
FEATURES_SUFFIX = ".features"
GLIMPSES_SUFFIX = ".glimpses"
SUFFIXES = (FRAMES_SUFFIX, FEATURES_SUFFIX, GLIMPSES_SUFFIX)
"""Kinds of entries: frames of clips as a network sees them, what a frozen encoder makes of them, and a few tiny frames
of each clip (see `glimpses`)."""


def default_cache_folder() -> Path:
    """``MUYBRIDGE_CACHE``, else in the user's cache folder (``XDG_CACHE_HOME`` or ``~/.cache``).

    Raises:
        UserError: If the user has no home folder, as some services and containers have it.
    """
    named = os.environ.get("MUYBRIDGE_CACHE")
    return Path(named) if named else cache_home() / "muybridge" / "frames"


def entry_path(folder: Path, key: str, suffix: str) -> Path:
    """Where the entry of a key (hexadecimal) is."""
    return folder / key[:2] / (key + suffix)


def make_room(folder: Path, *, missing_bytes: int, mine: Collection[Path], budget_bytes: int, advice: str) -> None:
    """Drop the least recently used entries that this run does not need until all it needs fits the budget.

    Args:
        folder: The cache folder.
        missing_bytes: About what this run is going to write.
        mine: The entries that this run needs, there or not.
        budget_bytes: Most that all entries may take.
        advice: What else a user can do, as the end of "raise cache.budget_gb ...".

    Raises:
        UserError: If what this run needs is more than the budget.
    """
    needed_paths = set(mine)
    files = [(path, path.stat()) for suffix in SUFFIXES for path in folder.glob(f"*/*{suffix}")]
    needed = missing_bytes + sum(stat.st_size for path, stat in files if path in needed_paths)
    if needed > budget_bytes:
        raise UserError(
            f"what this training keeps of its clips needs about {needed / 1e9:.1f} GB, the cache budget is "
            f"{budget_bytes / 1e9:.1f} GB; raise cache.budget_gb{advice}"
        )
    others = sorted((item for item in files if item[0] not in needed_paths), key=lambda item: item[1].st_mtime_ns)
    excess = needed + sum(stat.st_size for _, stat in others) - budget_bytes
    for path, stat in others:
        if excess <= 0:
            break
        path.unlink(missing_ok=True)
        excess -= stat.st_size
