"""What goes into shards, in which order and under which names: known before the first byte is written.

Samples come in an order drawn by a seed, so that every shard holds clips of all classes and can be read from one end to
the other in training.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.cutting import drawn
from muybridge.dataset.shard_index import FEATURE_SUFFIX, Kind
from muybridge.errors import UserError, VideoError
from muybridge.file_parts import size_of, status_of
from muybridge.text import counted
from muybridge.video.frame_record import AVIF_SUFFIX, EXAMPLE_SUFFIX, JPEG_SUFFIX

_LONGEST_STEM = 60
_SUFFIXES = {"jpeg": JPEG_SUFFIX, "avif": AVIF_SUFFIX, "tfrecord": EXAMPLE_SUFFIX, "features": FEATURE_SUFFIX}


@dataclass(frozen=True)
class PlannedSample:
    """A sample of a shard: a video with its clips, or one clip as pictures.

    Attributes:
        path: The video.
        name: Its name below the root of the data set; of a clip as pictures the clip's id.
        member: Its name in the shard: unique, of letters, digits, ``_`` and ``-``, with a suffix.
        size_bytes: Size of the video.
        changed_ns: When it was changed last; of a video in a bucket, which has no such time, its version.
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

    def describe(self) -> dict[str, Any]:
        """What the JSON beside it says of it; of a single clip in the keys that loaders look for."""
        clips = [{"id": clip.id, **clip.facts} for clip in self.clips]
        return {"file": self.name, **clips[0]} if len(clips) == 1 else {"file": self.name, "clips": clips}


@dataclass(frozen=True)
class Plan:
    """The samples of all shards.

    Attributes:
        samples: In the order in which they are written.
        kind: What a clip becomes.
        options: What else shapes the shards: plain values.
    """

    samples: tuple[PlannedSample, ...]
    kind: Kind
    options: Mapping[str, int | str]

    @cached_property
    def hash(self) -> str:
        """Equal for equal plans over equal videos."""
        digest = hashlib.sha256(json.dumps([self.kind, dict(self.options)], sort_keys=True).encode())
        for sample in self.samples:
            values = [sample.changed_ns, sample.size_bytes, sample.member, sample.describe()]
            digest.update(json.dumps(values, sort_keys=True).encode())
        return digest.hexdigest()

    def name_of(self, number: int) -> str:
        """The file name of a shard, counted from 0."""
        return f"shard-{number:06}.{'tfrecord' if self.kind == 'tfrecord' else 'tar'}"


def make_plan(
    catalog: Catalog, *, kind: Kind, seed: int, options: Mapping[str, int | str], order: Sequence[str] | None = None
) -> Plan:
    """Put the videos of a catalog, or its clips, in order.

    Args:
        catalog: The clips.
        kind: What a clip becomes.
        seed: Of the order.
        options: What else shapes the shards.
        order: The names of the samples; default: an order drawn by the seed.

    Raises:
        UserError: A video is missing or cannot be read, or there is none.
    """
    if not catalog.clips:
        raise UserError(f"{catalog.root} has no clips to pack")
    by_name: dict[str, list[Clip]] = {}
    for clip in catalog.clips:
        by_name.setdefault(clip.file_id if kind == "clips" else clip.id, []).append(clip)
    order = drawn(by_name, seed=seed) if order is None else order
    samples = tuple(_planned(name, number, by_name[name], kind) for number, name in enumerate(order))
    return Plan(samples, kind, {**options, "seed": seed})


def _planned(name: str, number: int, clips: Sequence[Clip], kind: Kind) -> PlannedSample:
    path = clips[0].path
    try:
        found, size_bytes = status_of(path), size_of(path)
    except OSError as error:
        what = f"{counted(len(clips), 'clip')} of it" if len(clips) > 1 else "its clip"
        raise VideoError(path, f"cannot be read: {error.strerror}", f"put it back, or take {what} out") from None
    stem, suffix = re.sub(r"[^A-Za-z0-9_-]+", "_", clips[0].stem)[:_LONGEST_STEM], path.suffix.lower()
    if kind != "clips":
        suffix = _SUFFIXES[kind]
    elif suffix in _SUFFIXES.values() or not re.fullmatch(r"[.][a-z0-9]{1,8}", suffix):
        suffix = ".bin"
    return PlannedSample(path, name, f"{number:08}-{stem}{suffix}", size_bytes, found.st_mtime_ns, tuple(clips))
