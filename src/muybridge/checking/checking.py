"""Checking a data set before training on it: the work behind `muybridge check`.

Every file is decoded from the first frame to the last, because headers lie and damage sits anywhere.
"""

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from muybridge.checking.alike_report import SeenAlike, see_alike
from muybridge.checking.check_journal import Journal
from muybridge.checking.decode_pool import Progress, decode_all
from muybridge.checking.segment_report import SegmentReport, look_at_segments
from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.labels import alike
from muybridge.dataset.protocol_names import PROTOCOLS
from muybridge.dataset.protocols import make_split
from muybridge.dataset.split import Leak
from muybridge.errors import UserError
from muybridge.file_parts import is_there, size_of
from muybridge.files import write_json, write_rows
from muybridge.recipes.cache import CacheConfig
from muybridge.text import printable
from muybridge.video.full_decoding import DecodeResult

Status = Literal["ok", "damaged", "bad"]


@dataclass(frozen=True)
class CheckedClip:
    """One clip and what decoding its file showed.

    Attributes:
        clip: The clip.
        file: What its file holds; None if nothing decodes.
        size_bytes: Size of the file; 0 if it is missing.
        problem: What is wrong, or None.
    """

    clip: Clip
    file: DecodeResult | None
    size_bytes: int
    problem: str | None

    @property
    def status(self) -> Status:
        """`bad` if the clip has no frames, `damaged` if some of the file's frames are lost, else `ok`."""
        if self.duration_seconds is None:
            return "bad"
        return "ok" if self.problem is None else "damaged"

    @property
    def duration_seconds(self) -> float | None:
        """How long the clip is by its frames' times; None if it has no frames."""
        if self.file is None:
            return None
        start, end = self.clip.start_seconds or 0.0, self.clip.end_seconds
        stop = self.file.duration_seconds if end is None else min(end, self.file.duration_seconds)
        return stop - start if stop > start else None

    @property
    def header_lied(self) -> bool:
        """Whether the file's header declares another number of frames than decode."""
        file = self.file
        return file is not None and file.declared_frames not in (None, file.frame_count)

    def to_dict(self) -> dict[str, Any]:
        """The clip as one flat row."""
        file = self.file
        return {
            "id": self.clip.id,
            "label": self.clip.label,
            "group": self.clip.group if self.clip.group_known else None,
            "status": self.status,
            "problem": self.problem,
            "frames": file and file.frame_count,
            "declared_frames": file and file.declared_frames,
            "duration_seconds": _rounded(self.duration_seconds),
            "frames_per_second": None if file is None else _rounded(file.frames_per_second),
            "width_px": file and file.width_px,
            "height_px": file and file.height_px,
            "codec": file and file.codec,
            "mended_times": file and file.mended_times,
            "size_bytes": self.size_bytes,
        }


@dataclass(frozen=True)
class CheckedProtocol:
    """What one protocol would make of the catalog, with its default shares and seed 0.

    Attributes:
        clips: Number of clips in train, validation and test.
        leak: How far the parts share sources.
        notes: The split's notes.
    """

    clips: dict[str, int]
    leak: Leak
    notes: tuple[str, ...]


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes:
        catalog: The catalog that was checked.
        clips: All its clips, sorted by id.
        protocols: The protocols that apply, by name.
        skipped_protocols: The protocols that do not apply, with the reason.
        look_alikes: Clips that look alike, where source groups are unknown; None where they are known.
        segments: What was found about segments of long videos; None where clips are files of their own.
    """

    catalog: Catalog
    clips: tuple[CheckedClip, ...]
    protocols: dict[str, CheckedProtocol]
    skipped_protocols: dict[str, str]
    look_alikes: SeenAlike | None = None
    segments: SegmentReport | None = None

    def with_status(self, status: Status) -> tuple[CheckedClip, ...]:
        """The clips that are ok, damaged or bad."""
        return tuple(checked for checked in self.clips if checked.status == status)

    @property
    def header_lied(self) -> tuple[CheckedClip, ...]:
        """The clips whose file declares another number of frames than decode."""
        return tuple(checked for checked in self.clips if checked.header_lied)

    @property
    def mended_times(self) -> tuple[CheckedClip, ...]:
        """The clips with frames whose time in the file is not later than that of the frame before."""
        return tuple(checked for checked in self.clips if checked.file is not None and checked.file.mended_times)

    @cached_property
    def duplicates(self) -> tuple[tuple[CheckedClip, ...], ...]:
        """The clips that lie in byte-identical files, each set of twins together."""
        by_id = {checked.clip.id: checked for checked in self.clips}
        return tuple(
            tuple(by_id[clip.id] for clip in self.catalog.clips_in(twins)) for twins in self.catalog.duplicates
        )

    @cached_property
    def classes(self) -> dict[str, dict[str, int | None]]:
        """For every class its number of `clips`, of source `groups` (None if not all are known), and of `bad` clips."""
        by_label: dict[str, list[CheckedClip]] = {label: [] for label in self.catalog.classes}
        for checked in self.clips:
            by_label[checked.clip.label].append(checked)
        return {
            label: {
                "clips": len(own),
                "groups": len({checked.clip.group for checked in own})
                if all(checked.clip.group_known for checked in own)
                else None,
                "bad": sum(checked.status == "bad" for checked in own),
            }
            for label, own in by_label.items()
        }

    @property
    def durations(self) -> dict[str, float]:
        """`shortest`, `median`, `longest` and `total` duration in seconds; empty if no clip decodes."""
        seconds = [checked.duration_seconds for checked in self.clips if checked.duration_seconds is not None]
        if not seconds:
            return {}
        values = {
            "shortest": min(seconds),
            "median": statistics.median(seconds),
            "longest": max(seconds),
            "total": sum(seconds),
        }
        return {name: round(value, 3) for name, value in values.items()}

    @property
    def frame_sizes(self) -> dict[str, int]:
        """Number of clips by frame size as `WIDTHxHEIGHT` in pixels, the most frequent first."""
        return _counts(f"{file.width_px}x{file.height_px}" for file in self._files())

    @property
    def frame_rates(self) -> dict[str, int]:
        """Number of clips by nominal frames per second, the most frequent first."""
        return _counts(
            "unknown" if file.frames_per_second is None else f"{file.frames_per_second:.5g}" for file in self._files()
        )

    def _files(self) -> list[DecodeResult]:
        return [checked.file for checked in self.clips if checked.file is not None]

    def to_dict(self) -> dict[str, Any]:
        """The whole report as plain values, for JSON."""
        return {
            "root": printable(str(self.catalog.root)),
            "layout": self.catalog.layout,
            "notes": list(self.catalog.notes),
            "clip_count": len(self.clips),
            "bad": _problems(self.with_status("bad")),
            "damaged": _problems(self.with_status("damaged")),
            "header_lied": [
                {"id": c.clip.id, "declared_frames": c.file.declared_frames, "frames": c.file.frame_count}
                for c in self.header_lied
                if c.file is not None
            ],
            "mended_times": [
                {"id": c.clip.id, "frames": c.file.mended_times} for c in self.mended_times if c.file is not None
            ],
            "duplicates": [
                [{"id": checked.clip.id, "label": checked.clip.label} for checked in twins] for twins in self.duplicates
            ],
            "contradictions": [
                [{"id": clip.id, "label": clip.label} for clip in clips] for clips in self.catalog.contradictions
            ],
            "alike_labels": [list(labels) for labels in alike(self.catalog.classes)],
            "classes": self.classes,
            "durations_seconds": self.durations,
            "frame_sizes": self.frame_sizes,
            "frame_rates": self.frame_rates,
            "protocols": {
                name: {
                    "clips": protocol.clips,
                    "leak": protocol.leak.to_dict(),
                    "groups_known": protocol.leak.is_known,
                    "leak_text": str(protocol.leak),
                    "notes": list(protocol.notes),
                }
                for name, protocol in self.protocols.items()
            },
            "skipped_protocols": self.skipped_protocols,
            "look_alikes": None if self.look_alikes is None else self.look_alikes.to_dict(),
            "segments": None if self.segments is None else self.segments.to_dict(),
            "clips": [checked.to_dict() for checked in self.clips],
        }

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Write `check.json`, the whole report, and `check.csv`, a row per clip, each whole or not at all.

        Returns:
            The two paths.
        """
        json_path, csv_path = folder / "check.json", folder / "check.csv"
        write_json(json_path, self.to_dict())
        rows = [checked.to_dict() for checked in self.clips]
        if self.look_alikes is not None:
            rows = [{**row, "look_alike_group": self.look_alikes.group_of.get(row["id"])} for row in rows]
        write_rows(csv_path, rows)
        return json_path, csv_path


def check_catalog(
    catalog: Catalog,
    *,
    workers: int | None = None,
    lists: Path | None = None,
    isolate: bool = False,
    progress: Progress | None = None,
    cache: CacheConfig | None = None,
    journal: Journal | None = None,
) -> CheckReport:
    """Decode every file of a catalog fully and report what is wrong, and what the catalog is like.

    Ctrl-C raises KeyboardInterrupt and ends the worker processes, see `decode_all`.

    Args:
        catalog: The clips; a file with several clips is decoded once.
        workers: Number of processes; None for one per processor.
        lists: Folder of official lists, as for `make_split`.
        isolate: Whether each file is decoded in a process with limits, see `decode_all`.
        progress: Called in this process after each file.
        cache: Where tiny frames are kept while look-alikes are looked for, which is done where source groups are
            unknown; None: nobody looks.
        journal: Where what is found of each file is written down at once, and what an earlier check found is read.

    Returns:
        The report; problems with files are part of it, not errors.
    """
    paths = sorted({*(clip.path for clip in catalog.clips), *catalog.videos})
    files = decode_all(
        paths,
        workers=workers,
        isolate=isolate,
        progress=progress,
        hashes={clip.path: clip.sha256 for clip in catalog.clips if clip.is_packed and clip.sha256},
        known={} if journal is None else journal.known(paths),
        on_outcome=(lambda path, outcome: None) if journal is None else journal.add,
    )
    protocols, skipped = _protocols(catalog, lists=lists)
    unknown = not all(clip.group_known for clip in catalog.clips)
    return CheckReport(
        catalog=catalog,
        clips=tuple(_checked(clip, files[clip.path]) for clip in catalog.clips),
        protocols=protocols,
        skipped_protocols=skipped,
        look_alikes=see_alike(catalog, cache=cache) if cache is not None and unknown else None,
        segments=look_at_segments(catalog, files) if catalog.videos else None,
    )


def _checked(clip: Clip, outcome: DecodeResult | str) -> CheckedClip:
    size_bytes = size_of(clip.path) if is_there(clip.path) else 0
    if isinstance(outcome, str):
        return CheckedClip(clip, None, size_bytes, outcome)
    checked = CheckedClip(clip, outcome, size_bytes, outcome.problem)
    if checked.duration_seconds is None:
        late = f"starts at {clip.start_seconds:g} s, but the file ends at {outcome.duration_seconds:g} s"
        return CheckedClip(clip, outcome, size_bytes, late)
    return checked


def _protocols(catalog: Catalog, *, lists: Path | None) -> tuple[dict[str, CheckedProtocol], dict[str, str]]:
    applied, skipped = {}, {}
    for name in PROTOCOLS:
        if name == "auto":
            continue
        try:
            split = make_split(catalog, protocol=name, lists=lists)
        except UserError as error:
            skipped[name] = printable(str(error))
            continue
        counts = {part: len(getattr(split, part)) for part in ("train", "validation", "test")}
        applied[name] = CheckedProtocol(counts, split.leak(catalog), split.notes)
    return applied, skipped


def _problems(clips: Iterable[CheckedClip]) -> list[dict[str, str | None]]:
    return [{"id": checked.clip.id, "problem": checked.problem} for checked in clips]


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
