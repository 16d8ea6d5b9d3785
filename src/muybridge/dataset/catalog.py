"""The catalog: the table of clips that everything else starts from.

A clip is one trimmed video with one label and one source group, the longer video it was cut from. Clips are
known by an `id` that is relative to the catalog's root, so that a split made on one machine names the same
clips on another. Nothing here opens a video.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

from muybridge.dataset.contents import Content
from muybridge.dataset.duplicates import find_duplicates
from muybridge.errors import UserError
from muybridge.file_parts import part_at
from muybridge.text import did_you_mean, printable, shortened


@dataclass(frozen=True)
class Clip:
    r"""One trimmed video file, or the part of a file between two times, with one label.

    Id, label and group are always valid Unicode: bytes of a file name that are not UTF-8 read `\xNN` there.

    Attributes:
        path: The video file.
        label: Name of the class.
        group: Source group: clips with the same group were cut from the same longer video.
        split: The part (`train`, `validation` or `test`) that the data set itself names, or None.
        start_seconds: Where the clip begins in the file; None means at its start.
        end_seconds: Where the clip ends in the file; None means at its end.
        root: The catalog's root, to which `id` is relative.
        group_known: Whether `group` says what the clip was cut from. If not, the clip is a group of its own, and
            clips of one recording may bear different groups.
        size_bytes: Size of the file when its run was made; None where it was not recorded.
        sha256: SHA-256 of the file's bytes when its run was made, or it was packed; None where it was not recorded.
        known_as: The clip's id in the run that it belongs to, or before it was packed, where its file has another place
            by now.
        source_sha256: Of a clip that was packed as pictures, the SHA-256 of the video that they were taken from.
    """

    path: Path
    label: str
    group: str
    split: str | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    root: Path = field(default=Path(), repr=False)
    group_known: bool = True
    size_bytes: int | None = field(default=None, repr=False)
    sha256: str | None = field(default=None, repr=False)
    known_as: str | None = field(default=None, repr=False)
    source_sha256: str | None = field(default=None, repr=False)

    _place: ClassVar[str | None] = None
    """Of a clip that `packed` made: its path below the root. The path is made of it when it is asked for."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", printable(self.label))
        object.__setattr__(self, "group", printable(self.group))

    @classmethod
    def packed(
        cls,
        root: Path,
        place: str,
        *,
        id: str,
        label: str,
        group: str,
        group_known: bool,
        split: str | None,
        start_seconds: float | None,
        end_seconds: float | None,
        size_bytes: int,
        sha256: str,
        source_sha256: str | None = None,
    ) -> "Clip":
        """A clip in a shard, as the constructor makes it of the same values, at a third of its time and memory.

        Where a data set has a million clips, their paths are half of the memory, and most are not needed at once.
        """
        clip, put = cls.__new__(cls), object.__setattr__
        put(clip, "label", printable(label))
        put(clip, "group", printable(group))
        put(clip, "split", split)
        put(clip, "start_seconds", start_seconds)
        put(clip, "end_seconds", end_seconds)
        put(clip, "root", root)
        put(clip, "group_known", group_known)
        put(clip, "size_bytes", size_bytes)
        put(clip, "sha256", sha256)
        put(clip, "known_as", id)
        put(clip, "id", id)
        put(clip, "source_sha256", source_sha256)
        put(clip, "_place", place)
        return clip

    if not TYPE_CHECKING:  # a checker would take it for a promise of every attribute

        def __getattr__(self, name: str) -> Path:
            if name != "path" or self._place is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            object.__setattr__(self, "path", self.root / self._place)
            return self.path

    @property
    def recorded(self) -> Content | None:
        """What its file held when its run was made; None where it was not recorded."""
        if self.size_bytes is None or self.sha256 is None:
            return None
        return Content(self.size_bytes, self.sha256)

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of it besides its file, as plain values."""
        return {
            "label": self.label,
            "group": self.group,
            "group_known": self.group_known,
            "split": self.split,
            "start_seconds": self.start_seconds,
            "end_seconds": self.end_seconds,
        }

    @property
    def is_packed(self) -> bool:
        """Whether it lies in a shard whose index says what its bytes are; they are checked when it is decoded."""
        return self._place is not None or (self.sha256 is not None and part_at(self.path) is not None)

    @property
    def shard_place(self) -> tuple[str, int, int] | None:
        """The path of its shard, its first byte there, and its size; None for a clip in none."""
        if self._place is not None:  # a million paths would take as much memory as the clips
            shard, span, _ = self._place.split("/")
            offset, _, size_bytes = span.partition("+")
            return f"{self.root}/{shard}", int(offset), int(size_bytes)
        part = part_at(self.path)
        return None if part is None else (str(part.whole), part.offset, part.size_bytes)

    @property
    def stem(self) -> str:
        """The name of its file in the data set, without the suffix."""
        return self.path.stem if self.known_as is None else PurePosixPath(self.file_id).stem

    @property
    def file_id(self) -> str:
        """The id that a clip would have that is the whole file."""
        if self.start_seconds is None and self.end_seconds is None:
            return self.id
        # A label may stand behind the times, and hold anything.
        name, times, _ = self.id.rpartition(f"#{_plain(self.start_seconds)}-{_plain(self.end_seconds)}")
        return name if times else self.id

    @cached_property
    def id(self) -> str:
        """The clip's name: its path relative to the root, with `#start-end` when it is a part of the file."""
        if self.known_as is not None:
            return self.known_as
        path = self.path.relative_to(self.root) if self.path.is_relative_to(self.root) else self.path
        name = printable(path.as_posix())
        if self.start_seconds is None and self.end_seconds is None:
            return name
        return f"{name}#{_plain(self.start_seconds)}-{_plain(self.end_seconds)}"


@dataclass(frozen=True)
class Catalog:
    """The clips of one data set, sorted by id.

    Attributes:
        root: Folder that the clips' ids are relative to.
        layout: How the data set was laid out: `folders`, `csv`, `hmdb51`, `ucf101`, `shards`, `file` for one video,
            or the format of an annotation file.
        clips: The clips, sorted by id whatever order they are given in.
        notes: What a user should know about how this table came about, one line each.
        videos: Where clips are parts of longer videos: all that were looked through, also those without a clip.

    Raises:
        UserError: If two clips have the same id.
    """

    root: Path
    layout: str
    clips: tuple[Clip, ...]
    notes: tuple[str, ...] = ()
    videos: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "clips", tuple(sorted(self.clips, key=lambda clip: clip.id)))
        if len(self.by_id) < len(self.clips):
            name = Counter(clip.id for clip in self.clips).most_common(1)[0][0]
            raise UserError(f"clip {name} is listed more than once in {self.root}; a clip has exactly one label")

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, sorted."""
        return tuple(sorted({clip.label for clip in self.clips}))

    @cached_property
    def by_id(self) -> dict[str, Clip]:
        """The clips by their id."""
        return {clip.id: clip for clip in self.clips}

    @cached_property
    def duplicates(self) -> list[tuple[Path, ...]]:
        """Files of the catalog that are byte-identical, each set of twins as a sorted tuple of paths."""
        if self.is_packed:
            return sorted(tuple(sorted({clip.path for clip in clips})) for clips in self._packed_twins)
        known = {clip.path: clip.recorded for clip in self.clips if clip.recorded is not None and clip.is_packed}
        return find_duplicates((clip.path for clip in self.clips), known=known)

    @cached_property
    def contents(self) -> Mapping[str, Hashable]:
        """A name for the bytes of each clip's file, by clip id: equal in one file and in byte-identical files."""
        if self.is_packed:
            return {clip.id: clip.source_sha256 or clip.sha256 for clip in self.clips}
        first_twin = {path: twins[0] for twins in self.duplicates for path in twins}
        return {clip.id: first_twin.get(clip.path, clip.path) for clip in self.clips}

    @cached_property
    def is_packed(self) -> bool:
        """Whether all clips lie in shards, so that nothing has to be opened to know what they hold."""
        return all(clip.is_packed for clip in self.clips)

    @cached_property
    def _packed_twins(self) -> list[list[Clip]]:
        """Of a packed catalog the clips of byte-identical files; a path is made of these alone."""
        first: dict[str, Clip] = {}
        twins: dict[str, list[Clip]] = {}
        for clip in self.clips:
            sha256 = clip.source_sha256 or clip.sha256 or ""
            other = first.setdefault(sha256, clip)
            if other is not clip and clip.size_bytes:
                twins.setdefault(sha256, [other]).append(clip)
        return [clips for clips in twins.values() if len({clip.path for clip in clips}) > 1]

    @cached_property
    def contradictions(self) -> list[tuple[Clip, ...]]:
        """Clips that are the same bytes, from the same time on, under different labels; each set sorted by id."""
        found = []
        sets = self._packed_twins if self.is_packed else [self.clips_in(twins) for twins in self.duplicates]
        for clips in sets:
            by_times: defaultdict[tuple[float, float], list[Clip]] = defaultdict(list)
            for clip in clips:
                by_times[_times(clip)].append(clip)
            same = (tuple(by_times[times]) for times in sorted(by_times))
            found += [each for each in same if len({clip.label for clip in each}) > 1]
        return found

    def clips_in(self, files: Iterable[Path]) -> list[Clip]:
        """The clips that lie in some files, sorted by id."""
        return sorted((clip for file in files for clip in self._by_path[file]), key=lambda clip: clip.id)

    @cached_property
    def _by_path(self) -> dict[Path, list[Clip]]:
        found: dict[Path, list[Clip]] = {}
        for clip in self.clips:
            found.setdefault(clip.path, []).append(clip)
        return found

    def subset(self, classes: Sequence[str] | int | None) -> "Catalog":
        """Keep only some classes.

        Args:
            classes: Names of the classes to keep; or a number n, for the n classes that come first in
                alphabetical order (a choice that depends on names alone, never on which files are present,
                and that is nested: the first 4 are among the first 9); or None for all of them.

        Raises:
            UserError: If a name is unknown or given twice, or the number is not between 1 and the number of
                classes.
        """
        if classes is None:
            return self
        if isinstance(classes, int):
            if not 1 <= classes <= len(self.classes):
                raise UserError(
                    f"cannot take {classes} classes from {self.root}: it has {len(self.classes)}; "
                    f"choose a number from 1 to {len(self.classes)}"
                )
            kept = set(self.classes[:classes])
        else:
            kept = set()
            for name in classes:
                if name not in self.classes:
                    raise UserError(f"unknown class {name!r} in {self.root}{did_you_mean(name, self.classes)}")
                if name in kept:
                    raise UserError(f"class {name!r} is named twice; name each class once")
                kept.add(name)
            if not kept:
                raise UserError("an empty list of classes keeps no clips; name at least one class")
        note = f"{len(kept)} of {len(self.classes)} classes kept: {shortened(sorted(kept))}"
        clips = tuple(clip for clip in self.clips if clip.label in kept)
        return replace(self, clips=clips, notes=(*self.notes, note))


def are_guessed(clips: Sequence[Clip]) -> bool:
    """Whether source groups that are not known join clips all the same, as look-alikes do."""
    unknown = [clip.group for clip in clips if not clip.group_known]
    return len(set(unknown)) < len(unknown)


def matches_group(clip: Clip, pattern: str) -> bool:
    """Whether a clip belongs to the group a user named.

    The name is the group itself (`Basketball_g08`), or for UCF101, whose group numbers restart in every
    class, the number alone (`g08`), which means that group of all classes.
    """
    return clip.group == pattern or (re.fullmatch(r"g\d+", pattern) is not None and clip.group.endswith(f"_{pattern}"))


def _times(clip: Clip) -> tuple[float, float]:
    return clip.start_seconds or 0.0, math.inf if clip.end_seconds is None else clip.end_seconds


def _plain(seconds: float | None) -> str:
    """A time as short text that still distinguishes any two times; empty for an open end."""
    return "" if seconds is None else repr(float(seconds)).removesuffix(".0")
