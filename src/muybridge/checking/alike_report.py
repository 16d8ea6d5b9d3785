"""What a check says of clips that look alike: which, how many of a test have one in train, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from muybridge.checking.look_alike import LookAlikes, find_look_alikes
from muybridge.dataset.catalog import Catalog
from muybridge.dataset.protocols import make_split
from muybridge.errors import UserError
from muybridge.recipes.cache import CacheConfig
from muybridge.text import counted

_LISTED_CLUSTERS, _LISTED_CLIPS = 5, 4


@dataclass(frozen=True)
class SeenAlike:
    """What looks alike among clips whose source groups are unknown.

    Attributes:
        found: The clips that look alike; None if nobody could look.
        problem: Why not; else empty.
        test_clips: Clips in the test part that the default protocol makes; 0 if it makes none.
        with_twin: How many of these look like a clip that a model would be fitted on.
    """

    found: LookAlikes | None
    problem: str = ""
    test_clips: int = 0
    with_twin: int = 0

    @cached_property
    def group_of(self) -> Mapping[str, str]:
        """The proposed group of each clip that looks like another, by the clip's id."""
        clusters = self.found.clusters if self.found else ()
        return {clip.id: cluster[0].id for cluster in clusters for clip in cluster}

    @property
    def divides(self) -> bool:
        """Whether the proposed groups leave something to divide: the largest holds no more than half of the clips."""
        clusters = self.found.clusters if self.found else ()
        return bool(clusters) and self.found is not None and 2 * len(clusters[0]) <= len(self.found.clips)

    def lines(self) -> list[str]:
        """All that in lines for a terminal."""
        if self.found is None:
            return [f"look-alikes were not looked for: {self.problem}"]
        clusters = self.found.clusters
        if not clusters:
            return ["look-alikes: none, which does not prove that no two clips are of one recording"]
        lines = [
            f"look-alikes: {len(self.group_of)} of {counted(len(self.found.clips), 'clip')}, "
            f"in {counted(len(clusters), 'group')}"
        ]
        for cluster in clusters[:_LISTED_CLUSTERS]:
            more = f" and {len(cluster) - _LISTED_CLIPS} more" if len(cluster) > _LISTED_CLIPS else ""
            lines.append(f"  {' = '.join(clip.id for clip in cluster[:_LISTED_CLIPS])}{more}")
        if len(clusters) > _LISTED_CLUSTERS:
            lines.append(f"  and {len(clusters) - _LISTED_CLUSTERS} more, see check.csv")
        if self.found.cut:
            lines.append(f"  {self.found.cut} clips were chained into clusters too large to divide, which were cut")
        if self.found.whole:
            lines.append(f"  {self.found.whole} clips look so much alike that pictures cannot tell their sources apart")
        if self.test_clips:
            twins = f"divided as they are, {self.with_twin} of {counted(self.test_clips, 'test clip')} would have a "
            keeps = "data.groups look-alike keeps look-alikes together"
            lines.append(
                f"{twins}look-alike in train; {keeps if self.divides else 'too many are alike to divide them'}"
            )
        return lines

    def to_dict(self) -> dict[str, Any]:
        """All that as plain values."""
        return {
            "groups": [[clip.id for clip in cluster] for cluster in self.found.clusters] if self.found else None,
            "cut_clips": self.found.cut if self.found else None,
            "clips_too_much_alike": self.found.whole if self.found else None,
            "test_clips": self.test_clips,
            "test_clips_with_a_look_alike_in_train": self.with_twin,
            "problem": self.problem or None,
        }


def see_alike(catalog: Catalog, *, cache: CacheConfig) -> SeenAlike:
    """Look for clips that look alike, and count them over the parts that the default protocol makes."""
    try:
        found = find_look_alikes(catalog.clips, cache=cache)
    except (UserError, OSError) as error:
        return SeenAlike(None, str(error))
    try:
        split = make_split(catalog)
    except UserError:  # nothing to divide, as the protocols of the check say
        return SeenAlike(found)
    return SeenAlike(found, test_clips=len(split.test), with_twin=found.twins_in_train(split))
