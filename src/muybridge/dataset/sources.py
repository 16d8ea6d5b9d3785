"""Which clips share a source.

Two clips share a source when they have the same source group, lie in the same file (two parts of one video),
or in byte-identical files. `linked_clips` follows these ties to the end, so that a protocol that keeps linked
clips together never puts two clips of one source on both sides.
"""

from collections import defaultdict
from collections.abc import Hashable

from muybridge.dataset.catalog import Catalog, Clip


def linked_clips(catalog: Catalog) -> list[tuple[Clip, ...]]:
    """Divide a catalog into the smallest units that share no source with each other.

    Returns:
        The units, each a tuple of clips in the catalog's order, in the order of their first clip.
    """
    contents = catalog.contents
    parent: dict[str, str] = {}

    def root_of(group: str) -> str:
        while (above := parent.get(group, group)) != group:
            parent[group] = parent.get(above, above)
            group = above
        return group

    # Groups that hold the same bytes are one.
    first_group: dict[Hashable, str] = {}
    for clip in catalog.clips:
        other = first_group.setdefault(contents[clip.id], clip.group)
        if other != clip.group:
            parent[root_of(clip.group)] = root_of(other)
    units: defaultdict[str, list[Clip]] = defaultdict(list)
    for clip in catalog.clips:
        units[root_of(clip.group) if parent else clip.group].append(clip)
    return [tuple(unit) for unit in units.values()]
