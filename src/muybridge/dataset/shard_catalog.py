"""A folder of shards as a catalog: the clips that were packed, with their ids, labels, groups and parts.

Nothing but the index is read. A clip keeps the id that it had before it was packed, so that a split of the shards is
that of the clips; its size and SHA-256 come from the index.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.group_rule import grouped
from muybridge.dataset.shard_index import ShardIndex, column_values, read_index
from muybridge.errors import UserError
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
    if index.kind == "features":
        raise UserError(f"{root} holds features, not clips; name the clips, and {root} as cache.features_from")
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
        files = column_values(index.table.column("file"))
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
    root = index.root
    clips: list[Clip] = []
    names: dict[str, str] = {}  # one text for all clips of a class or a group
    with _no_garbage():
        # In pieces, since a million Python values a column take as much memory as the clips.
        for piece in index.table.select(list(_READ)).to_batches(max_chunksize=1 << 16):
            columns = [column_values(column) for column in piece.columns]
            clips += [
                Clip.packed(
                    root,
                    f"{shard}/{offset}+{size}/{member}",
                    id=id,
                    label=names.setdefault(label, label),
                    group=names.setdefault(group, group),
                    group_known=known,
                    split=split,
                    start_seconds=start,
                    end_seconds=end,
                    size_bytes=size,
                    sha256=sha256,
                    source_sha256=source,
                )
                for id, label, group, known, split, start, end, shard, member, offset, size, sha256, source in zip(
                    *columns, strict=True
                )
            ]
    return clips


@contextmanager
def _no_garbage() -> Iterator[None]:
    """While this lasts, nobody looks for circles among a million new objects, of which there is none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_READ = (
    "id", "label", "group", "group_known", "split", "start_seconds", "end_seconds", "shard", "member", "offset",
    "size_bytes", "sha256", "source_sha256",
)  # fmt: skip
