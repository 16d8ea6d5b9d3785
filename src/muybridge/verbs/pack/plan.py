"""Which video goes into which shard: known before the first byte is written, and the same whenever it is asked again.

Videos are dealt in an order drawn by a seed, so that every shard holds clips of all classes and can be read from one
end to the other in training.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.cutting import drawn
from muybridge.errors import UserError, VideoError
from muybridge.file_parts import size_of, status_of
from muybridge.text import counted

# Of a member: 512 of header, the video filled up to whole blocks, and the same for a few lines of JSON.
_OVERHEAD_BYTES = 3 * 512
_LONGEST_STEM = 60


@dataclass(frozen=True)
class PlannedFile:
    """A video that is to be packed.

    Attributes:
        path: The file.
        name: Its name below the root of the data set.
        member: Its name in the shard: unique, of letters, digits, ``_`` and ``-``, with the suffix it had.
        size_bytes: Its size.
        changed_ns: When it was changed last.
        clips: The clips that it holds.
    """

    path: Path
    name: str
    member: str
    size_bytes: int
    changed_ns: int
    clips: tuple[Clip, ...]

    @property
    def key(self) -> str:
        """The member's name without suffix, which names the sample in WebDataset."""
        return self.member.partition(".")[0]

    def describe(self, sha256: str) -> dict[str, Any]:
        """What the JSON beside the video says; for a whole-file clip in the keys that loaders look for."""
        clips = [
            {
                "id": clip.id,
                "label": clip.label,
                "group": clip.group,
                "group_known": clip.group_known,
                "split": clip.split,
                "start_seconds": clip.start_seconds,
                "end_seconds": clip.end_seconds,
            }
            for clip in self.clips
        ]
        about = {"file": self.name, "size_bytes": self.size_bytes, "sha256": sha256}
        return {**about, **clips[0]} if len(clips) == 1 else {**about, "clips": clips}


@dataclass(frozen=True)
class Plan:
    """Videos by shard.

    Attributes:
        shards: The videos of each shard, in order.
        shard_bytes: What a shard holds, if no video alone is larger.
        seed: Of the order.
    """

    shards: tuple[tuple[PlannedFile, ...], ...]
    shard_bytes: int
    seed: int

    @cached_property
    def hash(self) -> str:
        """Equal for equal plans over equal videos."""
        digest = hashlib.sha256(json.dumps(["clips", self.shard_bytes, self.seed]).encode())
        for shard in self.shards:
            for file in shard:
                values = [file.changed_ns, file.member, file.describe("")]
                digest.update(json.dumps(values, sort_keys=True).encode())
            digest.update(b"|")
        return digest.hexdigest()

    @staticmethod
    def name_of(number: int) -> str:
        """The file name of a shard, counted from 0."""
        return f"shard-{number:06}.tar"


def make_plan(catalog: Catalog, *, shard_bytes: int, seed: int) -> Plan:
    """Deal the videos of a catalog to shards.

    Raises:
        UserError: A video is missing or cannot be read, or there is none.
    """
    by_path: dict[Path, list[Clip]] = {}
    for clip in catalog.clips:
        by_path.setdefault(clip.path, []).append(clip)
    if not by_path:
        raise UserError(f"{catalog.root} has no clips to pack")
    by_name = {clips[0].file_id: path for path, clips in by_path.items()}
    shards: list[tuple[PlannedFile, ...]] = []
    shard: list[PlannedFile] = []
    filled = 0
    for number, name in enumerate(drawn(by_name, seed=seed)):
        file = _planned(by_name[name], name, number, by_path[by_name[name]])
        weight = file.size_bytes + _OVERHEAD_BYTES
        if shard and filled + weight > shard_bytes:
            shards.append(tuple(shard))
            shard, filled = [], 0
        shard.append(file)
        filled += weight
    return Plan((*shards, tuple(shard)), shard_bytes, seed)


def _planned(path: Path, name: str, number: int, clips: Sequence[Clip]) -> PlannedFile:
    try:
        changed_ns, size_bytes = status_of(path).st_mtime_ns, size_of(path)
    except OSError as error:
        what = f"{counted(len(clips), 'clip')} of it" if len(clips) > 1 else "its clip"
        raise VideoError(path, f"cannot be read: {error.strerror}", f"put it back, or take {what} out") from None
    stem, suffix = re.sub(r"[^A-Za-z0-9_-]+", "_", clips[0].stem)[:_LONGEST_STEM], path.suffix.lower()
    member = f"{number:08}-{stem}{suffix if re.fullmatch(r'[.][a-z0-9]{1,8}', suffix) else '.bin'}"
    return PlannedFile(path, name, member, size_bytes, changed_ns, tuple(clips))
