"""Which clips share a source.

Two clips share a source when they have the same source group, lie in the same file (two parts of one video),
or in byte-identical files. `linked_clips` follows these ties to the end, so that a protocol that keeps linked
clips together never puts two clips of one source on both sides.
"""

from collections import defaultdict
from pathlib import Path

from muybridge.dataset.catalog import Catalog, Clip


def contents_of(catalog: Catalog) -> dict[str, Path]:
    """Name the bytes of each clip's file, by clip id: equal in one file and in byte-identical files."""
    first_twin = {path: twins[0] for twins in catalog.duplicates for path in twins}
    return {clip.id: first_twin.get(clip.path, clip.path) for clip in catalog.clips}


def linked_clips(catalog: Catalog) -> list[tuple[Clip, ...]]:
    """Divide a catalog into the smallest units that share no source with each other.

    Returns:
        The units, each a tuple of clips in the catalog's order, in the order of their first clip.
    """
    contents = contents_of(catalog)
    parent: dict[str | Path, str | Path] = {}

    def root_of(key: str | Path) -> str | Path:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    # Groups are text and contents are paths, so the two kinds of key cannot collide.
    for clip in catalog.clips:
        parent[root_of(clip.group)] = root_of(contents[clip.id])
    units: defaultdict[str | Path, list[Clip]] = defaultdict(list)
    for clip in catalog.clips:
        units[root_of(clip.group)].append(clip)
    return [tuple(unit) for unit in units.values()]
