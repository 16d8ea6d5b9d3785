"""How well look-alikes tell the known groups of a data set: pairs, clusters, and test clips with a sibling in train.

python benchmarks/look_alike.py CLIPS [CLIPS ...]
"""

import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

from muybridge.checking.look_alike import LIMIT, find_look_alikes
from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.protocols import make_split
from muybridge.dataset.split import Split
from muybridge.recipes.cache import CacheConfig


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        catalog = read_catalog(Path(name))
        found = find_look_alikes(catalog.clips, cache=CacheConfig())
        group = [clip.group for clip in catalog.clips]
        same = sum(count * (count - 1) // 2 for count in Counter(group).values())
        linked = [group[link.first] == group[link.second] for link in found.links]
        places = {clip.id: place for place, clip in enumerate(catalog.clips)}
        together = [
            group[places[one.id]] == group[places[other.id]]
            for cluster in found.clusters
            for one, other in combinations(cluster, 2)
        ]
        print(f"{name}: {len(catalog.clips)} clips, {len(set(group))} known groups, limit {LIMIT:g}")
        for what, hits in (("pairs", linked), ("clusters, as pairs", together)):
            print(f"  {what}: {len(hits)}, precision {sum(hits) / len(hits):.3f}, recall {sum(hits) / same:.3f}")
        print(f"  clusters: {len(found.clusters)}, largest {max(map(len, found.clusters))}, cut {found.cut} clips")
        for rule, cut in (("by clip", read_catalog(Path(name), groups="none")), ("look-alike", found.grouped(catalog))):
            splits = [make_split(cut, protocol="grouped", seed=seed) for seed in range(5)]
            siblings = sum(_siblings(split, dict(zip(places, group, strict=True))) for split in splits)
            twins = sum(found.twins_in_train(split) for split in splits)
            clips = sum(len(split.test) for split in splits)
            print(
                f"  grouped {rule}: of {clips} test clips (5 seeds) {siblings} have a clip of their group in train, "
                f"{twins} a look-alike"
            )


def _siblings(split: Split, group: dict[str, str]) -> int:
    fitted = {group[id] for id in (*split.train, *split.validation)}
    return sum(group[id] in fitted for id in split.test)


if __name__ == "__main__":
    main()
