"""Clips that look alike: takes of one camera or recording, told by their pictures where nothing else tells it.

Six tiny frames of a clip give a difference hash each (brighter than the neighbour or not, over an 8x8 grid in both
directions) and one mean of colours on a 4x3 grid. The distance of two clips is the share of hash bits that differ, in
percent, of each frame to the other clip's nearest, in the middle; plus how far the colours are apart, root mean square,
0 to 255. The limit was set on UCF101's known groups, where nine in ten pairs below it are of one group, and then looked
at on J-HMDB's (`benchmarks/look_alike.py`; figures in docs/reliability.md). It finds clips that are nearly the same
picture, so about half of what is of one recording: a camera that moves or turns makes other pictures.

Clips below the limit are linked, and links are followed to the end. That chains: through clips between them, clips that
do not look alike come into one cluster. A cluster that is too large is cut at stricter limits.

Source of the hash: Krawetz, "Kind of Like That", hackerfactor.com (2013), here over both directions.

Axes: N clips, T frames, B bits, D colours.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.split import FITTED_PARTS, Split
from muybridge.errors import UserError
from muybridge.evaluation.colours import COLOURS, colours_of
from muybridge.pipeline.affine import Frames
from muybridge.pipeline.glimpses import look_at
from muybridge.recipes.cache import CacheConfig
from muybridge.text import counted

LIMIT = 41.0
"""The distance below which two clips look alike."""

MOST_CLIPS = 20_000
"""Every clip is compared with every other; this many take some minutes on one core."""

LARGE_SHARE, LARGE_CLIPS = 0.1, 20
"""A cluster of more clips than both (a share of all, a number) is taken for a chain, and cut."""

_STRICTER = 0.8
_STRICTEST = 0.3
_GRID = 8
_BITS = 2 * _GRID * _GRID
_BLOCK = 64


@dataclass(frozen=True)
class Link:
    """Two clips that look alike, by their places, and how far they are apart."""

    first: int
    second: int
    distance: float


@dataclass(frozen=True)
class LookAlikes:
    """What looks alike in a catalog.

    Attributes:
        clips: The clips.
        links: The pairs that look alike.
        cluster_of: For each clip the number of its cluster; a clip that is like no other has one of its own.
        cut: How many clips were in clusters that were too large, and were cut.
        whole: How many clips are in clusters that are too large and too much alike to be cut.
        unseen: How many clips do not decode.
    """

    clips: tuple[Clip, ...]
    links: tuple[Link, ...]
    cluster_of: tuple[int, ...]
    cut: int
    whole: int
    unseen: int

    @cached_property
    def clusters(self) -> tuple[tuple[Clip, ...], ...]:
        """The clusters of two or more clips, the largest first."""
        found: dict[int, list[Clip]] = {}
        for clip, cluster in zip(self.clips, self.cluster_of, strict=True):
            found.setdefault(cluster, []).append(clip)
        several = [tuple(clips) for clips in found.values() if len(clips) > 1]
        return tuple(sorted(several, key=lambda clips: (-len(clips), clips[0].id)))

    def twins_in_train(self, split: Split) -> int:
        """How many test clips look like a clip that the model is fitted on."""
        fitted = {id for part in FITTED_PARTS for id in getattr(split, part)}
        test, twins = set(split.test), set()
        for link in self.links:
            pair = self.clips[link.first].id, self.clips[link.second].id
            for one, other in (pair, pair[::-1]):
                if one in test and other in fitted:
                    twins.add(one)
        return len(twins)

    def grouped(self, catalog: Catalog) -> Catalog:
        """The catalog with the clusters as groups, which are a guess and so not known, and a note that says so."""
        first: dict[int, str] = {}
        for clip, cluster in zip(self.clips, self.cluster_of, strict=True):
            first.setdefault(cluster, clip.id)
        groups = {clip.id: f"like {first[cluster]}" for clip, cluster in zip(self.clips, self.cluster_of, strict=True)}
        clips = tuple(replace(clip, group=groups[clip.id], group_known=False) for clip in catalog.clips)
        return replace(catalog, clips=clips, notes=(*catalog.notes, *self.notes()))

    def notes(self) -> list[str]:
        """What there is, one line each."""
        alike, groups = sum(map(len, self.clusters)), counted(len(self.clusters), "group")
        notes = [
            f"look-alikes: {alike} of {counted(len(self.clips), 'clip')}, in {groups}, are kept together; "
            "pictures tell only part of what is of one recording, so source groups stay unknown"
        ]
        if self.cut:
            notes.append(
                f"{self.cut} clips were chained into clusters too large to divide, which were cut where they are least "
                "alike: some clips that look alike are in two groups"
            )
        if self.whole:
            notes.append(
                f"{self.whole} clips look so much alike that pictures cannot tell their sources apart, as takes of one "
                "fixed camera do; as groups they say little"
            )
        if self.unseen:
            notes.append(f"{counted(self.unseen, 'clip')} could not be looked at: each is a group of its own")
        return notes


def find_look_alikes(
    clips: Sequence[Clip],
    *,
    cache: CacheConfig,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> LookAlikes:
    """Look for clips that look alike. Parts of one file are linked whatever they look like.

    Args:
        clips: The clips of a catalog.
        cache: Where tiny frames of them are kept.
        on_progress: Called with (done, total) while clips are decoded.

    Raises:
        UserError: If there are too many clips, or the cache cannot be written.
    """
    if len(clips) > MOST_CLIPS:
        raise UserError(
            f"every clip is compared with every other, and {len(clips)} are too many for that (at most {MOST_CLIPS}); "
            "name the groups with data.groups"
        )
    seen = look_at(clips, _describe, cache=cache, on_progress=on_progress)
    places = np.array([place for place, clip in enumerate(clips) if clip.id in seen.values], dtype=np.int64)
    links = []
    if len(places) > 1:
        described = [seen.values[clips[place].id] for place in places]
        links = [
            replace(link, first=int(places[link.first]), second=int(places[link.second])) for link in _links(described)
        ]
    files: dict[object, int] = {}
    for place, clip in enumerate(clips):
        before = files.setdefault(clip.path, place)
        if before != place:
            links.append(Link(before, place, 0.0))
    cluster_of, cut, whole = _clusters(len(clips), links)
    return LookAlikes(tuple(clips), tuple(links), cluster_of, cut, whole, unseen=len(seen.failed))


def _describe(frames_THWC: Frames) -> npt.NDArray[np.float32]:
    """The hashes of a clip's frames as +1 and -1, and its colours, as one vector."""
    bits = np.stack([_difference_hash(frame_HWC) for frame_HWC in frames_THWC])
    signs = np.where(bits, np.float32(1), np.float32(-1)).ravel()
    return np.concatenate([signs, colours_of(frames_THWC)])


def _difference_hash(frame_HWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    grey_HW = cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2GRAY).astype(np.float32)
    wide = cv2.resize(grey_HW, (_GRID + 1, _GRID), interpolation=cv2.INTER_AREA)
    high = cv2.resize(grey_HW, (_GRID, _GRID + 1), interpolation=cv2.INTER_AREA)
    return np.concatenate([(wide[:, 1:] > wide[:, :-1]).ravel(), (high[1:] > high[:-1]).ravel()])


def _links(described: Sequence[npt.NDArray[np.float32]]) -> Iterator[Link]:
    """The pairs of clips that are nearer than the limit."""
    table = np.stack(described)
    colours_ND = table[:, -COLOURS:]
    hashes_NTB = table[:, :-COLOURS].reshape(len(table), -1, _BITS)
    for start in range(0, len(table), _BLOCK):
        # Only with later clips: the distance is the same in both directions.
        block_nTB, others_NTB = hashes_NTB[start : start + _BLOCK], hashes_NTB[start:]
        n, T = block_nTB.shape[:2]
        alike = block_nTB.reshape(n * T, -1) @ others_NTB.reshape(-1, _BITS).T
        differing_nTNT = (100 * (_BITS - alike) / (2 * _BITS)).reshape(n, T, len(others_NTB), T)
        forth = np.median(differing_nTNT.min(axis=3), axis=1)
        back = np.median(differing_nTNT.min(axis=1), axis=2)
        apart = np.sqrt(((colours_ND[start : start + _BLOCK, None] - colours_ND[None, start:]) ** 2).mean(axis=2))
        distance = (forth + back) / 2 + apart
        for first, second in zip(*np.nonzero(distance <= LIMIT), strict=True):
            if second > first:
                yield Link(start + int(first), start + int(second), float(distance[first, second]))


def _clusters(count: int, links: Sequence[Link]) -> tuple[tuple[int, ...], int, int]:
    """The cluster of each clip; how many clips were in clusters that were cut, and are in ones that stay too large."""
    cluster_of = _connected(range(count), links)
    large = max(LARGE_CLIPS, LARGE_SHARE * count)

    def in_large() -> int:
        return sum(size for size in Counter(cluster_of.values()).values() if size > large)

    before = in_large()
    limit = LIMIT
    while (limit := limit * _STRICTER) > _STRICTEST * LIMIT:
        sizes = Counter(cluster_of.values())
        chained = {place for place, cluster in cluster_of.items() if sizes[cluster] > large}
        if not chained:
            break
        near = [
            link
            for link in links
            if link.distance <= limit and link.first in chained and cluster_of[link.first] == cluster_of[link.second]
        ]
        cluster_of |= _connected(sorted(chained), near)
    return tuple(cluster_of[place] for place in range(count)), before - in_large(), in_large()


def _connected(places: Sequence[int], links: Sequence[Link]) -> dict[int, int]:
    """The cluster of each place: the first place that links lead to."""
    parent = {place: place for place in places}

    def root_of(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for link in links:
        first, second = sorted((root_of(link.first), root_of(link.second)))
        parent[second] = first
    return {place: root_of(place) for place in places}
