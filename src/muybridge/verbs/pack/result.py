"""What a packing left."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.dataset.shard_index import INDEX_FILE, Kind
from muybridge.text import counted, shortened, size_text


@dataclass(frozen=True)
class PackResult:
    """Shards, and what is in them.

    Attributes:
        folder: Holds them, their index and ``shards.json``.
        kind: What a clip is in them.
        clips: How many clips there are.
        samples: In how many samples they are: videos, or clips as pictures.
        shards: In how many shards these are.
        size_bytes: What the shards take.
        kept: How many shards an earlier call had written.
        undecodable: Clip id to reason, for each clip whose frames could not be packed.
        notes: What a user should know about the clips, one line each.
    """

    folder: Path
    kind: Kind
    clips: int
    samples: int
    shards: int
    size_bytes: int
    kept: int
    undecodable: Mapping[str, str]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"note: {note}" for note in self.notes]
        kept = f", {self.kept} of them from before" if self.kept else ""
        of = f" of {counted(self.samples, 'video')}" if self.kind == "clips" else ""
        lines.append(
            f"packed: {counted(self.clips, 'clip')}{of} into {counted(self.shards, 'shard')}, "
            f"{size_text(self.size_bytes)}{kept}"
        )
        if self.undecodable:
            listed = shortened([f"{id} ({reason})" for id, reason in self.undecodable.items()], limit=5)
            lines.append(f"not packed, {counted(len(self.undecodable), 'clip')} that cannot be decoded: {listed}")
        if self.kind == "features":
            lines.append(f"note: these stand in place of clips, in a training with --features {self.folder}")
        elif self.kind != "clips":
            format = "AVIF" if self.kind == "avif" else "JPEG"
            lines.append(f"note: {format} changes pixels, so scores differ a little from those of the videos")
        lines.append(f"saved: {self.folder}, index {INDEX_FILE}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            **vars(self),
            "folder": str(self.folder),
            "undecodable": dict(self.undecodable),
            "notes": list(self.notes),
        }
