"""What a check says of segments of long videos: those that cannot be meant so, and the time that none covers."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.dataset.background import free_spans
from muybridge.dataset.catalog import Catalog, Clip
from muybridge.text import percent, printable
from muybridge.video.full_decoding import DecodeResult

TINY_SECONDS = 0.2
"""Segments that are shorter are named: most samplers then see one picture again and again."""

_LISTED = 20
_SLACK_SECONDS = 0.05
"""An end that is so little behind that of the video is an annotator's last frame."""


@dataclass(frozen=True)
class UnlabelledTime:
    """How much of a video no segment covers.

    Attributes:
        video: The video.
        seconds: Time without a segment.
        duration_seconds: How long the video lasts.
    """

    video: Path
    seconds: float
    duration_seconds: float

    @property
    def share(self) -> float:
        """The part of the video, 0..1."""
        return self.seconds / self.duration_seconds


@dataclass(frozen=True)
class SegmentReport:
    """What a check found about segments.

    Attributes:
        root: The folder that names of videos are relative to.
        outside: Segments that end behind the end of their video, or begin there, by id, with what is wrong.
        overlaps: Pairs of segments of one label that overlap, by id.
        overlaps_of_labels: Number of pairs of segments of different labels that overlap.
        tiny: Segments that are very short, by id, with their seconds.
        unlabelled: The time without a segment of every video that decodes.
    """

    root: Path
    outside: dict[str, str]
    overlaps: tuple[tuple[str, str], ...]
    overlaps_of_labels: int
    tiny: dict[str, float]
    unlabelled: tuple[UnlabelledTime, ...]

    def lines(self) -> Iterable[str]:
        """All that in lines for a terminal."""
        yield from _section("segments outside the video", [f"{name}: {why}" for name, why in self.outside.items()])
        yield from _section("segments of one label that overlap", [f"{a} and {b}" for a, b in self.overlaps])
        if self.overlaps_of_labels:
            yield f"overlaps of different labels: {self.overlaps_of_labels}; each is a clip of its own, with one label"
        yield from _section(
            f"segments shorter than {TINY_SECONDS:g} s", [f"{name}: {s:.3f} s" for name, s in self.tiny.items()]
        )
        free = sum(each.seconds for each in self.unlabelled)
        whole = sum(each.duration_seconds for each in self.unlabelled)
        if whole:
            yield (
                f"time without a label: {free:.1f} of {whole:.1f} s ({percent(free / whole)}); data.background auto or "
                "all makes it a class"
            )
            for each in self.unlabelled[:_LISTED]:
                yield f"  {self._name(each.video)}: {each.seconds:.1f} s ({percent(each.share)})"
            if len(self.unlabelled) > _LISTED:
                yield f"  and {len(self.unlabelled) - _LISTED} more, see check.json"

    def to_dict(self) -> dict[str, Any]:
        """All that as plain values."""
        return {
            "outside": self.outside,
            "overlaps_of_one_label": [list(pair) for pair in self.overlaps],
            "overlaps_of_different_labels": self.overlaps_of_labels,
            "tiny_seconds": {name: round(seconds, 3) for name, seconds in self.tiny.items()},
            "unlabelled": {
                self._name(each.video): {"seconds": round(each.seconds, 3), "share": round(each.share, 4)}
                for each in self.unlabelled
            },
        }

    def _name(self, video: Path) -> str:
        return printable((video.relative_to(self.root) if video.is_relative_to(self.root) else video).as_posix())


def look_at_segments(catalog: Catalog, files: Mapping[Path, DecodeResult | str]) -> SegmentReport:
    """Check the segments of a catalog against the videos as they decode."""
    by_video: defaultdict[Path, list[Clip]] = defaultdict(list)
    for clip in catalog.clips:
        by_video[clip.path].append(clip)
    outside: dict[str, str] = {}
    tiny: dict[str, float] = {}
    overlaps: list[tuple[str, str]] = []
    of_labels = 0
    unlabelled = []
    for video in catalog.videos:
        file = files[video]
        if isinstance(file, str):
            continue
        last = file.duration_seconds
        own = sorted(by_video[video], key=lambda clip: (*_span(clip, last), clip.label))
        for clip in own:
            start, end = _span(clip, last)
            if start >= last:
                outside[clip.id] = f"begins at {start:g} s, and the video ends at {last:.3f} s"
            elif end > last + _SLACK_SECONDS:
                outside[clip.id] = f"ends at {end:g} s, and the video at {last:.3f} s"
            if end - start < TINY_SECONDS:
                tiny[clip.id] = end - start
        pairs, number = _overlaps(own, last)
        overlaps += pairs
        of_labels += number
        free = free_spans([_span(clip, last) for clip in own], last)
        unlabelled.append(UnlabelledTime(video, sum(end - start for start, end in free), last))
    return SegmentReport(catalog.root, outside, tuple(overlaps), of_labels, tiny, tuple(unlabelled))


def _span(clip: Clip, last: float) -> tuple[float, float]:
    return clip.start_seconds or 0.0, last if clip.end_seconds is None else clip.end_seconds


def _overlaps(clips: Sequence[Clip], last: float) -> tuple[list[tuple[str, str]], int]:
    """The pairs of one label, each segment with the latest that reaches into it; and how many pairs of two labels."""
    pairs = []
    of_labels = 0
    running: list[tuple[float, str]] = []  # a heap of ends
    by_label: Counter[str] = Counter()
    latest: dict[str, tuple[float, str]] = {}
    for clip in clips:
        start, end = _span(clip, last)
        while running and running[0][0] <= start:
            by_label[heapq.heappop(running)[1]] -= 1
        of_labels += len(running) - by_label[clip.label]
        if clip.label in latest and latest[clip.label][0] > start:
            pairs.append((latest[clip.label][1], clip.id))
        heapq.heappush(running, (end, clip.label))
        by_label[clip.label] += 1
        latest[clip.label] = max(latest.get(clip.label, (0.0, "")), (end, clip.id))
    return pairs, of_labels


def _section(title: str, lines: Sequence[str]) -> Iterable[str]:
    yield f"{title}: {len(lines) or 'none'}"
    for line in lines[:_LISTED]:
        yield f"  {line}"
    if len(lines) > _LISTED:
        yield f"  and {len(lines) - _LISTED} more, see check.json"
