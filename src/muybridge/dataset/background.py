"""Background: time of long videos that no segment covers, cut into clips of a class of its own.

The clips last as long as the segments do, since a network could tell a class by its length; a gap that is shorter than
every segment, and longer than half the shortest, is a clip, too. They keep away from every border, which nobody sets to
the frame. Draws are by hash, as those of a split (see `cutting`).
"""

import hashlib
import statistics
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.choices import Background
from muybridge.dataset.cutting import drawn
from muybridge.dataset.group_rule import WORDS, grouped
from muybridge.dataset.groups import ungrouped
from muybridge.errors import UserError
from muybridge.text import counted

BACKGROUND = "background"
"""The label."""

_SHORTEST_SECONDS = 0.2
"""No background clip is shorter, even if segments are."""

Span = tuple[float, float]


def free_spans(segments: Sequence[Span], end_seconds: float, *, guard_seconds: float = 0.0) -> list[Span]:
    """The parts of a video that no segment covers, and that are so far from every border.

    Example:
        >>> free_spans([(2.0, 4.0), (3.0, 5.0)], 10.0, guard_seconds=0.5)
        [(0.0, 1.5), (5.5, 10.0)]
    """
    free, here = [], 0.0
    for start, end in sorted(segments):
        if start - guard_seconds > here:
            free.append((here, min(start - guard_seconds, end_seconds)))
        here = max(here, end + guard_seconds)
    if here < end_seconds:
        free.append((here, end_seconds))
    return [(start, end) for start, end in free if start < end]


def with_background(
    kept: Catalog,
    catalog: Catalog,
    ends: Mapping[Path, float],
    *,
    amount: Background,
    guard_seconds: float,
    seed: int,
    groups: str = "auto",
) -> Catalog:
    """A catalog with clips of background.

    Args:
        kept: The catalog to add to, with the classes that are wanted.
        catalog: The same with all classes: what another class covers is no background.
        ends: How long each of its videos lasts, in seconds.
        amount: How much background.
        guard_seconds: How far it keeps away from every segment.
        seed: Seed of the draw.
        groups: The rule that gave the clips their source groups, for videos that have no clip; see `group_rule`.

    Raises:
        UserError: If the clips are no segments of longer videos, or no time is left.
    """
    segments = [clip for clip in catalog.clips if clip.path in ends]
    lengths = sorted(
        length for clip in segments if (length := _end(clip, ends) - (clip.start_seconds or 0.0)) >= _SHORTEST_SECONDS
    )
    if not lengths:
        raise UserError(
            f"data.background {amount} needs long videos with segments, and {catalog.root} has none; give a table with "
            "start and end or an annotation file, or set data.background none"
        )
    by_video: defaultdict[Path, list[Clip]] = defaultdict(list)
    for clip in segments:
        by_video[clip.path].append(clip)
    found = []
    free_seconds = 0.0
    for video in sorted(ends):
        own = by_video[video]
        spans = free_spans(
            [(clip.start_seconds or 0.0, _end(clip, ends)) for clip in own], ends[video], guard_seconds=guard_seconds
        )
        free_seconds += sum(end - start for start, end in spans)
        found += list(_clips(video, own, spans, lengths, catalog, seed, groups))
    if not found:
        raise UserError(
            f"data.background {amount}: no time of the videos of {catalog.root} is so free of segments that one of "
            f"{lengths[0]:g} s fits, {guard_seconds:g} s away from the others; set data.background none"
        )
    number = len(found)
    if amount == "auto":
        sizes = Counter(clip.label for clip in kept.clips)
        number = min(number, max(1, round(statistics.median(sizes.values()))) if sizes else number)
    by_id = {clip.id: clip for clip in found}
    chosen = [by_id[name] for name in drawn(by_id, seed=seed)[:number]]
    note = (
        f"background: {counted(number, 'clip')} of {len(found)} that fit into {free_seconds:.1f} s without a segment, "
        f"{guard_seconds:g} s away from every border"
    )
    return replace(kept, clips=(*kept.clips, *chosen), notes=(*kept.notes, note))


def _end(clip: Clip, ends: Mapping[Path, float]) -> float:
    return ends[clip.path] if clip.end_seconds is None else min(clip.end_seconds, ends[clip.path])


def _clips(
    video: Path,
    own: Sequence[Clip],
    spans: Sequence[Span],
    lengths: Sequence[float],
    catalog: Catalog,
    seed: int,
    rule: str,
) -> Iterator[Clip]:
    """Clips that fill the free time of a video, one after the other, each as long as a segment that is drawn."""
    # A video in a shard goes by the name that it had, so that the same clips are drawn, with the same ids.
    packed = own[0] if own and own[0].is_packed else None
    named = catalog.root / packed.file_id if packed else video
    template = Clip(named, BACKGROUND, "", start_seconds=0.0, root=catalog.root)
    # A rule that is a column says nothing of a video without a row of clips.
    says = not own and (rule in WORDS or "(" in rule)
    [alone], _ = (
        grouped([template], rule=rule, naming=None, where=str(catalog.root)) if says else (ungrouped([template]), [])
    )
    groups, splits = {clip.group for clip in own}, {clip.split for clip in own}
    template = replace(
        alone,
        group=own[0].group if own and len(groups) == 1 else alone.group,
        group_known=own[0].group_known if own and len(groups) == 1 else alone.group_known,
        split=splits.pop() if len(splits) == 1 else None,
    )

    def part(start: float, end: float) -> Clip:
        clip = replace(template, start_seconds=round(start, 6), end_seconds=round(end, 6))
        if packed is None:
            return clip
        return replace(clip, path=video, known_as=clip.id, size_bytes=packed.size_bytes, sha256=packed.sha256)

    number = 0
    for start, end in spans:
        here = start
        while True:
            fitting = bisect_right(lengths, end - here)
            if not fitting:
                # A gap that holds none is better than no clip, as long as it is nearly as long as one.
                if here == start and end - start >= max(_SHORTEST_SECONDS, lengths[0] / 2):
                    yield part(start, end)
                    number += 1
                break
            # Which length, by the hash of the clip's name: the same on every machine.
            digest = hashlib.sha256(f"{seed} {alone.group} {number}".encode()).digest()
            length = lengths[int.from_bytes(digest[:8]) % fitting]
            yield part(here, here + length)
            here += length
            number += 1
