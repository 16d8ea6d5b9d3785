"""Shards back to files: the videos under the names that they had, and a CSV that says what the index said."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rich.console import Console

from muybridge.console import STDERR, progress_on
from muybridge.dataset.catalog import Clip
from muybridge.dataset.shard_catalog import clips_of
from muybridge.dataset.shard_index import FEATURE_SUFFIX, read_index
from muybridge.errors import UserError
from muybridge.file_parts import open_bytes
from muybridge.files import content_hash, holds_nothing, replacing, require_writable, write_rows
from muybridge.text import counted

_TABLE = "clips.csv"
_MARK = ".unpacking"
_LONGEST_NAME_BYTES, _LONGEST_SUFFIX_BYTES = 255, 32
"""What file systems take."""


@dataclass(frozen=True)
class UnpackResult:
    """What was unpacked.

    Attributes:
        folder: Holds the videos and ``clips.csv``.
        clips: How many clips the CSV has.
        videos: How many files there are.
        kept: How many of them were there already.
    """

    folder: Path
    clips: int
    videos: int
    kept: int

    def __str__(self) -> str:
        kept = f", {self.kept} of them from before" if self.kept else ""
        return (
            f"unpacked: {counted(self.clips, 'clip')} in {counted(self.videos, 'file')}{kept}\n"
            f"saved: {self.folder / _TABLE}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {**vars(self), "folder": str(self.folder)}


def unpack(shards: str | Path, out: str | Path, *, console: Console = STDERR) -> UnpackResult:
    """Write videos (or features) in shards as files again, each checked by its SHA-256; a killed call is gone on with.

    Args:
        shards: A folder that ``pack`` made.
        out: Folder for the videos; its ``clips.csv`` names them with labels, groups and parts.
        console: Where progress is printed.

    Raises:
        UserError: If the shards are damaged, or ``out`` holds something else.
    """
    index = read_index(Path(shards).absolute())
    index.require_shards()
    if index.kind not in ("clips", "features"):
        raise UserError(
            f"{shards} holds clips as pictures, kind {index.kind}; only videos and features are unpacked, and tar "
            "takes pictures out"
        )
    clips = clips_of(index)
    folder = Path(out).absolute()
    mark = folder / _MARK
    if not (holds_nothing(folder) or mark.is_file()):
        raise UserError(f"{folder} holds other files; name a folder that is new or empty")
    behind = FEATURE_SUFFIX if index.kind == "features" else ""
    places = {clip.path: folder / _below(clip.file_id + behind, folder) for clip in clips}
    if len(set(places.values())) < len(places):
        raise UserError(f"two videos of {shards} would have one name in {folder}; pack them again")
    taken = set(places.values())
    for place in places.values():
        if inside := next((above for above in place.parents if above in taken), None):
            raise UserError(
                f"the index names a video {str(inside.relative_to(folder))!r} and another inside it, "
                f"{str(place.relative_to(folder))!r}; pack the clips again"
            )
    require_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    kept = 0
    by_path = {clip.path: clip for clip in clips}
    with progress_on(console) as progress:
        for path in progress.track(sorted(places, key=str), description="unpacking"):
            kept += _copy(by_path[path], places[path])
    rows = list(_rows(clips, places, folder))
    write_rows(folder / _TABLE, rows)
    mark.unlink()
    return UnpackResult(folder, len(clips), len(places), kept)


def _below(name: str, folder: Path) -> PurePosixPath:
    """The name of a video as a place below a folder; that of one from outside its data set loses its root.

    Raises:
        UserError: It would lead out of the folder, is that of a file of `unpack`, or one that no file can have.
    """
    named = PurePosixPath(name)
    longest = max(len(os.fsencode(part)) for part in (*named.parts, ""))
    # Files are written under another name first, which keeps the suffix.
    if "\0" in name or longest > _LONGEST_NAME_BYTES or len(os.fsencode(named.suffix)) > _LONGEST_SUFFIX_BYTES:
        raise UserError(f"the index names a video {name[:80]!r}, and no file can be named so; pack the clips again")
    parts = [part for part in named.parts if part != "/"]
    if not parts or ".." in parts or any("\\" in part or ":" in part for part in parts if os.name == "nt"):
        raise UserError(f"the index names a video {name!r}, which does not lie below {folder}; pack the clips again")
    if parts[0].casefold() in (_TABLE, _MARK):  # a disk may not tell capitals
        raise UserError(
            f"the index names a video {name!r}, a name that unpack needs; rename it, and pack the clips again"
        )
    return PurePosixPath(*parts)


def _copy(clip: Clip, place: Path) -> bool:
    """Copy one video out of its shard; whether it was there already.

    Raises:
        UserError: Its bytes are not those of the index.
    """
    if place.is_file() and content_hash(place) == clip.sha256:
        return True
    digest = hashlib.sha256()
    with open_bytes(clip.path) as source, replacing(place, durable=False) as temporary, temporary.open("wb") as target:
        while piece := source.read(1 << 20):
            digest.update(piece)
            target.write(piece)
        if digest.hexdigest() != clip.sha256:
            raise UserError(f"{clip.path}: its bytes are not those that were packed; copy its shard again")
    return False


def _rows(clips: list[Clip], places: dict[Path, Path], folder: Path) -> Iterator[dict[str, Any]]:
    for clip in clips:
        yield {
            "path": places[clip.path].relative_to(folder).as_posix(),
            "label": clip.label,
            "group": clip.group if clip.group_known else "",
            "split": clip.split or "",
            "start_seconds": "" if clip.start_seconds is None else repr(clip.start_seconds),
            "end_seconds": "" if clip.end_seconds is None else repr(clip.end_seconds),
        }
