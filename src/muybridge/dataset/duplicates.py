"""Files that are byte-identical.

A data set may hold the same clip twice under different names, even in different source groups (UCF101 does).
Sizes are compared first, so that only files that could be twins are read.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from muybridge.dataset.contents import Content, read_contents
from muybridge.file_parts import is_there, size_of

_NOTHING: Mapping[Path, Content] = MappingProxyType({})


def find_duplicates(
    paths: Iterable[Path], *, known: Mapping[Path, Content] = _NOTHING, workers: int = 4
) -> list[tuple[Path, ...]]:
    """Find the files that are byte-identical.

    A file that is missing, empty or unreadable is nobody's twin here; decoding is what names it as bad.

    Args:
        paths: The files; one given several times counts once.
        known: What some of them hold; these are not opened.
        workers: Number of threads that hash (hashing releases Python's lock).

    Returns:
        Each set of two or more twins as a sorted tuple; the sets sorted too.
    """
    by_size: defaultdict[int, list[Path]] = defaultdict(list)
    by_content: defaultdict[Content, list[Path]] = defaultdict(list)
    for path in set(paths):
        if path in known:
            by_size[known[path].size_bytes].append(path)
        elif is_there(path):
            by_size[size_of(path)].append(path)
    suspects = [path for size, same in by_size.items() if size > 0 and len(same) > 1 for path in same]

    for path in suspects:
        if path in known:
            by_content[known[path]].append(path)
    for path, content in read_contents((path for path in suspects if path not in known), workers=workers).items():
        by_content[content].append(path)
    return sorted(tuple(sorted(twins)) for twins in by_content.values() if len(twins) > 1)
