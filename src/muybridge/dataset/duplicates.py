"""Files that are byte-identical.

A data set may hold the same clip twice under different names, even in different source groups (UCF101 does).
Sizes are compared first, so that only files that could be twins are read.
"""

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from muybridge.files import content_hash


def find_duplicates(paths: Iterable[Path], *, workers: int = 4) -> list[tuple[Path, ...]]:
    """Find the files that are byte-identical.

    A file that is missing, empty or unreadable is nobody's twin here; decoding is what names it as bad.

    Args:
        paths: The files; one given several times counts once.
        workers: Number of threads that hash (hashing releases Python's lock).

    Returns:
        Each set of two or more twins as a sorted tuple; the sets sorted too.
    """
    by_size: defaultdict[int, list[Path]] = defaultdict(list)
    for path in sorted(set(paths)):
        if path.is_file():
            by_size[path.stat().st_size].append(path)
    suspects = [path for size, same in by_size.items() if size > 0 and len(same) > 1 for path in same]

    by_hash: defaultdict[str, list[Path]] = defaultdict(list)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for path, digest in zip(suspects, pool.map(_hash_if_readable, suspects), strict=True):
            if digest is not None:
                by_hash[digest].append(path)
    return sorted(tuple(sorted(twins)) for twins in by_hash.values() if len(twins) > 1)


def _hash_if_readable(path: Path) -> str | None:
    try:
        return content_hash(path)
    except OSError:
        return None
