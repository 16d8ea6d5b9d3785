"""Checking shards of features: every array is read, and is what was packed."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from muybridge.console import STDERR, progress_on
from muybridge.dataset.shard_catalog import clips_of
from muybridge.experiment.feature_shards import damaged_features, read_feature_index
from muybridge.system import available_cores
from muybridge.text import counted, shortened

_TOGETHER = 64


@dataclass(frozen=True)
class FeatureCheck:
    """What a check of features found.

    Attributes:
        folder: That holds the shards.
        clips: How many clips there are.
        damaged: Clip id to reason, for those whose features are not what was packed.
    """

    folder: Path
    clips: int
    damaged: Mapping[str, str]

    def __str__(self) -> str:
        if not self.damaged:
            return f"checked: the features of {counted(self.clips, 'clip')}, all as they were packed"
        listed = shortened([f"{id} ({reason})" for id, reason in self.damaged.items()], limit=5)
        return f"damaged, the features of {len(self.damaged)} of {counted(self.clips, 'clip')}: {listed}"

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {"folder": str(self.folder), "clips": self.clips, "damaged": dict(self.damaged)}


def check_features(shards: str | Path, *, workers: int | None = None, console: Console = STDERR) -> FeatureCheck:
    """Read all features in shards, and make sure that each array is what was packed.

    Args:
        shards: A folder that ``pack`` made, kind features.
        workers: Threads that read; default: one per core.
        console: Where progress is printed.

    Raises:
        UserError: The index is damaged, or a shard is missing or of another size.
    """
    folder = Path(shards).absolute()
    clips = clips_of(read_feature_index(folder))
    some = [clips[begin : begin + _TOGETHER] for begin in range(0, len(clips), _TOGETHER)]
    damaged: dict[str, str] = {}
    with ThreadPoolExecutor(workers or available_cores()) as pool, progress_on(console) as progress:
        found = pool.map(damaged_features, some)
        for each in progress.track(found, description="reading features", total=len(some)):
            damaged |= each
    return FeatureCheck(folder, len(clips), damaged)
