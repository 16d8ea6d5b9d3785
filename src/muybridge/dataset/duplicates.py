"""Files that are byte-identical.

A data set may hold the same clip twice under different names, even in different source groups (UCF101 does).
Sizes are compared first, so that only files that could be twins are read.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from muybridge.dataset.contents import Content, read_contents


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

    by_content: defaultdict[Content, list[Path]] = defaultdict(list)
    for path, content in read_contents(suspects, workers=workers).items():
        by_content[content].append(path)
    return sorted(tuple(twins) for twins in by_content.values() if len(twins) > 1)
