"""Packing a data set into shards: a few large files in place of a million small ones.

A killed packing goes on with the first shard that is not whole. The index is written when all are.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from muybridge.console import STDERR, progress_on
from muybridge.dataset.annotations.rules import MissingVideos, TimeUnit
from muybridge.dataset.shard_index import INDEX_FILE, PLAN_FILE, Table, arrow, read_index, table_of, write_index
from muybridge.errors import UserError
from muybridge.experiment.named_clips import read_clips
from muybridge.files import holds_nothing, require_writable, write_json
from muybridge.locks import Lock
from muybridge.recipes.data import DataConfig
from muybridge.temporaries import remove_dead
from muybridge.text import counted, size_text
from muybridge.verbs.pack.plan import Plan, make_plan
from muybridge.verbs.pack.tar_shard import Written, read_shard, write_shard

_KIND = "clips"


@dataclass(frozen=True)
class PackResult:
    """Shards, and what is in them.

    Attributes:
        folder: Holds them, their index and ``shards.json``.
        clips: How many clips there are.
        videos: In how many files they were.
        shards: In how many shards they are.
        size_bytes: What the shards take.
        kept: How many shards an earlier call had written.
        notes: What a user should know about the clips, one line each.
    """

    folder: Path
    clips: int
    videos: int
    shards: int
    size_bytes: int
    kept: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"note: {note}" for note in self.notes]
        kept = f", {self.kept} of them from before" if self.kept else ""
        lines.append(
            f"packed: {counted(self.clips, 'clip')} of {counted(self.videos, 'file')} into "
            f"{counted(self.shards, 'shard')}, {size_text(self.size_bytes)}{kept}"
        )
        lines.append(f"saved: {self.folder}, index {INDEX_FILE}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {**vars(self), "folder": str(self.folder), "notes": list(self.notes)}


def pack(
    clips: str | Path,
    out: str | Path,
    *,
    shard_size_gb: float = 1.0,
    seed: int = 0,
    groups: str = "auto",
    annotation_unit: TimeUnit = "seconds",
    annotation_tier: str = "",
    annotation_fps: float = 0.0,
    annotation_missing: MissingVideos = "error",
    console: Console = STDERR,
) -> PackResult:
    """Pack clips into tar shards as WebDataset reads them, with an index; a call that was killed is gone on with.

    Args:
        clips: A data set, as ``train`` takes it.
        out: Folder for the shards.
        shard_size_gb: Size of a shard in 10^9 bytes; a larger video has a shard of its own.
        seed: Of the order in which videos are dealt to shards.
        groups: What says which clips were cut from one recording, as ``data.groups`` of a recipe; the index keeps it.
        annotation_unit: What the times of a CSV are, as ``data.annotation_unit`` of a recipe.
        annotation_tier: Which tier of an annotation file has the labels, as ``data.annotation_tier``.
        annotation_fps: Frames a second that frame numbers count, as ``data.annotation_fps``.
        annotation_missing: What becomes of videos that are not there, as ``data.annotation_missing``.
        console: Where progress is printed.

    Raises:
        UserError: If there are no clips, one cannot be read, or ``out`` holds something else.
        OSError: If a shard cannot be written.
    """
    if not 1e-6 <= shard_size_gb <= 1e6:
        raise UserError(f"shard_size_gb is {shard_size_gb:g}; give 0.000001 to 1000000")
    arrow()
    data = DataConfig(
        groups=groups,
        alike_labels="keep",  # train asks about them
        annotation_unit=annotation_unit,
        annotation_tier=annotation_tier,
        annotation_fps=annotation_fps,
        annotation_missing=annotation_missing,
    )
    folder = Path(out).absolute()
    if not (holds_nothing(folder) or (folder / PLAN_FILE).is_file()):
        raise UserError(f"{folder} holds other files; name a folder that is new or empty")
    catalog = read_clips(clips, data, console=console)
    plan = make_plan(catalog, shard_bytes=int(shard_size_gb * 1e9), seed=seed)
    require_writable(folder)
    lock = Lock(folder / ".lock", what=folder).acquire()
    try:
        remove_dead(folder)
        _take(folder, plan)
        placed, kept = _write_shards(folder, plan, console)
        sizes = {name: (folder / name).stat().st_size for name in map(plan.name_of, range(len(plan.shards)))}
        if kept < len(plan.shards) or not (folder / INDEX_FILE).is_file():
            write_index(folder, _table(plan, placed), kind=_KIND, shards=sizes)
        read_index(folder).require_shards()
    finally:
        lock.release()
    return PackResult(
        folder=folder,
        clips=len(catalog.clips),
        videos=sum(map(len, plan.shards)),
        shards=len(plan.shards),
        size_bytes=sum(sizes.values()),
        kept=kept,
        notes=catalog.notes,
    )


def _take(folder: Path, plan: Plan) -> None:
    """Write down what is packed here, or make sure that it is the same as before.

    Raises:
        UserError: It is not.
    """
    file = folder / PLAN_FILE
    if file.is_file():
        try:
            known = json.loads(file.read_text(encoding="utf-8"))["plan"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{file} is damaged ({error}); delete {folder} and pack again") from None
        if known != plan.hash:
            raise UserError(
                f"{folder} was begun with other clips or options, or clips changed since; name another folder, or "
                "delete it"
            )
        return
    videos = sum(map(len, plan.shards))
    about = {"kind": _KIND, "shards": len(plan.shards), "videos": videos, "shard_bytes": plan.shard_bytes}
    write_json(file, {**about, "seed": plan.seed, "plan": plan.hash})


def _write_shards(folder: Path, plan: Plan, console: Console) -> tuple[list[list[Written]], int]:
    """Write the shards that are not there; where each video lies, and how many shards were there."""
    placed, kept = [], 0
    with progress_on(console) as progress:
        task = progress.add_task("packing", total=sum(map(len, plan.shards)))
        for number, files in enumerate(plan.shards):
            path = folder / plan.name_of(number)
            if path.is_file():
                placed.append(read_shard(path, files))
                kept += 1
                progress.advance(task, len(files))
            else:
                placed.append(write_shard(path, files, on_file=lambda: progress.advance(task)))
    return placed, kept


def _table(plan: Plan, placed: Sequence[Sequence[Written]]) -> Table:
    rows = [
        (
            clip.id, file.name, clip.label, clip.group, clip.group_known, clip.split, clip.start_seconds,
            clip.end_seconds, plan.name_of(number), file.member, place.offset, file.size_bytes, place.sha256,
        )
        for number, (files, places) in enumerate(zip(plan.shards, placed, strict=True))
        for file, place in zip(files, places, strict=True)
        for clip in file.clips
    ]  # fmt: skip
    names = (
        "id", "file", "label", "group", "group_known", "split", "start_seconds", "end_seconds", "shard", "member",
        "offset", "size_bytes", "sha256",
    )  # fmt: skip
    return table_of(dict(zip(names, zip(*rows, strict=True), strict=True)))
