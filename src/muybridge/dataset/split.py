"""A split: which clips train, which validate, which test, and how far the parts share sources.

A split is what makes an accuracy mean something, so it is a value of its own: it can be saved, its hash names
exactly these clips in these parts with these labels, and it can be measured for leaks. A leak is a test clip
whose source (its source group, or a byte-identical file) is also in train or validation: a network may
then recognise the scene in place of the action.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from muybridge.dataset.catalog import Catalog, Clip, are_guessed
from muybridge.dataset.groups import NAME_THEM
from muybridge.errors import UserError
from muybridge.files import write_text
from muybridge.run_schemas import ClipEntry, SplitFile
from muybridge.schemas import distinct, read
from muybridge.text import counted

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
FITTED_PARTS: tuple[Part, ...] = ("train", "validation")

UNKNOWN_LEAK = (
    "source groups{whose} unknown: clips of one recording may stand on both sides, so this accuracy may be too high; "
    f"{NAME_THEM}"
)
"""What stands in place of a count of the leak where nothing is known of the sources."""

LOOK_ALIKE_LEAK = (
    "source groups{whose} unknown but for look-alikes, which are on one side: other clips of one recording may stand "
    "on both, so this accuracy may be too high"
)
"""The same where look-alikes are kept together."""


@dataclass(frozen=True)
class Leak:
    """How many clips of one part share a source with the parts that the model is fitted or chosen on.

    Attributes:
        test_clips: Clips in the test part.
        test_in_group: Test clips whose source group also has clips in train or validation.
        test_identical: Test clips whose very bytes are also in train or validation.
        test_shared: Test clips of which either is true.
        validation_clips: Clips in the validation part.
        validation_shared: Validation clips that share a group or bytes with train.
        unknown: Clips, of all parts, whose source group is not known: what they share cannot be counted.
        clips: Clips of all parts.
        guessed: Whether clips of unknown source are joined by a guess, as look-alikes are.
    """

    test_clips: int
    test_in_group: int
    test_identical: int
    test_shared: int
    validation_clips: int
    validation_shared: int
    unknown: int = 0
    clips: int = 0
    guessed: bool = False

    @property
    def is_known(self) -> bool:
        """Whether every clip's source group is known, so that the counts are all there is."""
        return not self.unknown

    def __str__(self) -> str:
        if self.unknown and not self.test_shared - self.test_identical:
            # A count of none would claim what nobody knows.
            whose = "" if self.unknown == self.clips else f" of {counted(self.unknown, 'clip')}"
            if self.guessed:
                return LOOK_ALIKE_LEAK.format(whose=whose)
            are = "clip is" if self.test_identical == 1 else "clips are"
            twins = f"; {self.test_identical} test {are} in train byte for byte" if self.test_identical else ""
            return UNKNOWN_LEAK.format(whose=whose) + twins
        text = f"{self.test_shared} of {self.test_clips} test clips share a source with train"
        if self.unknown:
            text = f"at least {text}, since the source group of {counted(self.unknown, 'clip')} is unknown"
        if self.test_identical:
            text += f" ({self.test_identical} byte for byte)"
        if self.validation_shared:
            text += f"; {self.validation_shared} of {self.validation_clips} validation clips do"
        return text

    def to_dict(self) -> dict[str, int]:
        """The counts, for JSON; those of shared clips are the least that there are where `unknown` is not 0."""
        return dict(vars(self))


@dataclass(frozen=True)
class Split:
    """Which clips are in which part.

    Attributes:
        protocol: How the clips were divided: `given`, `grouped`, `official-1..3` or `random`.
        seed: Seed of the protocol's draw.
        train: Ids of the clips to fit on, sorted.
        validation: Ids of the clips to choose the model by, sorted.
        test: Ids of the clips to measure on, sorted.
        clips: The clips of all three parts, sorted by id.
        notes: What a user should know about this split, one line each.
    """

    protocol: str
    seed: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    clips: tuple[Clip, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, sorted."""
        return tuple(sorted({clip.label for clip in self.clips}))

    @cached_property
    def unknown_groups(self) -> int:
        """How many of the clips have a source group that is not known."""
        return sum(not clip.group_known for clip in self.clips)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the parts' clip ids and labels: equal when the same clips are in the same parts.

        Protocol, seed, folder and source groups do not enter.
        """
        labels = {clip.id: clip.label for clip in self.clips}
        content = [[part, *([id, labels[id]] for id in sorted(getattr(self, part)))] for part in PARTS]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def clips_of(self, part: Part) -> tuple[Clip, ...]:
        """The clips of one part, sorted by id."""
        ids = set(getattr(self, part))
        return tuple(clip for clip in self.clips if clip.id in ids)

    def leak(self, catalog: Catalog) -> Leak:
        """Count the test and validation clips whose source is also on the side they are measured against.

        Args:
            catalog: The catalog the split was made from; its files are compared byte for byte where they
            exist.

        Raises:
            UserError: If the catalog does not have the split's clips.
        """
        contents = catalog.contents
        strangers = [clip.id for clip in self.clips if clip.id not in contents]
        if strangers:
            raise UserError(
                f"the split was made from other clips than {catalog.root}: it has no {strangers[0]}; "
                "make the split again"
            )

        def shared(measured: Iterable[Clip], fitted: Iterable[Clip]) -> tuple[int, int, int]:
            fitted = tuple(fitted)
            groups = {clip.group for clip in fitted}
            files = {contents[clip.id] for clip in fitted}
            found = [(clip.group in groups, contents[clip.id] in files) for clip in measured]
            return sum(group for group, _ in found), sum(file for _, file in found), sum(map(any, found))

        train, validation, test = (self.clips_of(part) for part in PARTS)
        test_in_group, test_identical, test_shared = shared(test, (*train, *validation))
        return Leak(
            test_clips=len(test),
            test_in_group=test_in_group,
            test_identical=test_identical,
            test_shared=test_shared,
            validation_clips=len(validation),
            validation_shared=shared(validation, train)[2],
            unknown=self.unknown_groups,
            clips=len(self.clips),
            guessed=are_guessed(self.clips),
        )

    def with_clips(self, clips: Iterable[Clip]) -> "Split":
        """The same split of clips that are known better, or lie elsewhere, by now; their ids are the same."""
        by_id = {clip.id: clip for clip in clips}
        return replace(self, clips=tuple(by_id[clip.id] for clip in self.clips))

    def to_dict(self) -> dict[str, Any]:
        """The split as plain values, for JSON: every clip with its path, label and group, under its part.

        With them go the size and SHA-256 of each file, where they are known.
        """
        return {
            "protocol": self.protocol,
            "seed": self.seed,
            "hash": self.hash,
            "root": str(self.clips[0].root) if self.clips else "",
            "notes": list(self.notes),
            **{part: [_clip_to_dict(clip) for clip in self.clips_of(part)] for part in PARTS},
        }

    @classmethod
    def _of_file(cls, value: SplitFile) -> "Split":
        root = Path(value.root)
        clips = {part: [_clip_of_entry(clip, root) for clip in getattr(value, part)] for part in PARTS}
        split = cls(
            protocol=value.protocol,
            seed=value.seed,
            notes=value.notes,
            clips=tuple(sorted((clip for part in PARTS for clip in clips[part]), key=lambda clip: clip.id)),
            **{part: tuple(sorted(clip.id for clip in clips[part])) for part in PARTS},
        )
        distinct(tuple(clip.id for clip in split.clips), where="the split", what="clip", hint="make it again")
        if split.hash != value.hash:
            raise UserError("the clips are not those its hash was taken over; undo the change or make it again")
        return split

    def save(self, path: Path) -> None:
        """Write the split as JSON, whole or not at all."""
        # Escaped to ASCII, so that file names that are not valid Unicode survive too.
        write_text(path, json.dumps(self.to_dict(), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Split":
        """Read a split that `save` wrote.

        Raises:
            UserError: If there is no such file, or it is damaged or was changed.
        """
        if not path.is_file():
            raise UserError(f"no split at {path}; check the path")
        value = read(path, SplitFile, hint="put back the file that the training wrote")
        try:
            return cls._of_file(value)
        except UserError as error:
            raise UserError(f"{path} is damaged: {error}") from error


def _clip_to_dict(clip: Clip) -> dict[str, Any]:
    inside = clip.path.is_relative_to(clip.root)
    value: dict[str, Any] = {
        "path": (clip.path.relative_to(clip.root) if inside else clip.path).as_posix(),
        "label": clip.label,
        "group": clip.group,
    }
    if not clip.group_known:
        value["group_known"] = False
    if clip.known_as is not None:
        value["id"] = clip.known_as
    if clip.size_bytes is not None and clip.sha256 is not None:
        value |= {"size_bytes": clip.size_bytes, "sha256": clip.sha256}
    if clip.start_seconds is not None:
        value["start_seconds"] = clip.start_seconds
    if clip.end_seconds is not None:
        value["end_seconds"] = clip.end_seconds
    return value


def _clip_of_entry(entry: ClipEntry, root: Path) -> Clip:
    return Clip(
        path=root / entry.path,
        label=entry.label,
        group=entry.group,
        start_seconds=entry.start_seconds,
        end_seconds=entry.end_seconds,
        root=root,
        group_known=entry.group_known,
        size_bytes=entry.size_bytes,
        sha256=entry.sha256,
        known_as=entry.id,
    )
