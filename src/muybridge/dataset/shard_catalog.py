"""A folder of shards as a catalog: the clips that were packed, with their ids, labels, groups and parts.

Nothing but the index is read. A clip keeps the id that it had before it was packed, so that a split of the shards is
that of the clips; its size and SHA-256 come from the index.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.group_rule import grouped
from muybridge.dataset.shard_index import ShardIndex, read_index
from muybridge.text import counted


def read_shards(root: Path, *, groups: str = "auto") -> Catalog:
    """The catalog of a folder of shards.

    Args:
        root: The folder.
        groups: ``auto`` takes the source groups of the index; else a rule as for a folder, see `group_rule`.

    Raises:
        UserError: If the index is missing or damaged, or a shard is missing or of another size.
    """
    index = read_index(root)
    index.require_shards()
    clips = clips_of(index)
    classes = {clip.label for clip in clips}
    notes = [
        f"layout: shards, {counted(len(clips), 'clip')} of {counted(len(classes), 'class')} in "
        f"{counted(len(index.shards), 'shard')}"
    ]
    if groups == "auto":
        unknown = sum(not clip.group_known for clip in clips)
        notes.append("source groups: as packed" + (f", unknown of {counted(unknown, 'clip')}" if unknown else ""))
    else:
        # The rules look at names of files: those that the clips had.
        files = index.table.column("file").to_pylist()
        named = [
            replace(clip, path=root / file, known_as=None, group="") for clip, file in zip(clips, files, strict=True)
        ]
        found, group_notes = grouped(named, rule=groups, naming=None, where=str(root))
        clips = [
            replace(clip, group=known.group, group_known=known.group_known)
            for clip, known in zip(clips, found, strict=True)
        ]
        notes += group_notes
    videos = {clip.path for clip in clips if clip.start_seconds is not None or clip.end_seconds is not None}
    return Catalog(root=root, layout="shards", clips=tuple(clips), notes=tuple(notes), videos=tuple(sorted(videos)))


def videos_in_shards(root: Path) -> dict[Path, Path]:
    """The videos of a folder of shards, each with a path that names it as it was named before: ROOT/NAME.

    Raises:
        UserError: As `read_shards`.
    """
    return {clip.path: root / clip.file_id for clip in read_shards(root).clips}


def clips_of(index: ShardIndex) -> list[Clip]:
    """The clips of an index, in its order."""
    root, path_type = index.root, type(index.root)
    prefix = index.root.as_posix().removesuffix("/")
    columns = [cast(Sequence[Any], index.table.column(name).to_pylist()) for name in _READ]
    names: dict[str, str] = {}
    return [
        Clip(
            path_type(f"{prefix}/{shard}/{offset}+{size}/{member}"),
            names.setdefault(label, label),
            names.setdefault(group, group),
            split,
            start,
            end,
            root,
            known,
            size,
            sha256,
            id,
        )
        for id, label, group, known, split, start, end, shard, member, offset, size, sha256 in zip(
            *columns, strict=True
        )
    ]


_READ = (
    "id", "label", "group", "group_known", "split", "start_seconds", "end_seconds", "shard", "member", "offset",
    "size_bytes", "sha256",
)  # fmt: skip
