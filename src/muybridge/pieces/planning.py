"""Which clips make which piece: known, and named by a hash, before the first one is computed.

A piece is some clips whose answers become one file. Its clips are computed in batches that the plan fixes, too, so that
a piece that is computed again, by whomever, gives the same rows.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError
from muybridge.file_parts import part_at, size_of, status_of
from muybridge.storage.remote_files import RemoteStatus, remember, status_of_remote
from muybridge.storage.urls import url_at
from muybridge.text import printable

BATCH_CLIPS = 8
BATCH_BYTES = 2**26
"""What is computed together: small clips gain by it, large ones only take memory."""
PIECE_BYTES = 2**30
MOST_PIECE_CLIPS = 1000
_MOST_PIECES = 64
"""So many pieces, until each holds `MOST_PIECE_CLIPS`: a killed job loses the pieces that it was at."""
_VERSION = 1


@dataclass(frozen=True)
class Item:
    """A clip of a plan.

    Attributes:
        name: What its row is called; no other has this name.
        clip: Where it lies.
        size_bytes: Size of its file; 0 for one that is not there.
        version: Changes when the file does.
    """

    name: str
    clip: Clip
    size_bytes: int
    version: str

    @classmethod
    def of(cls, clip: Clip, *, name: str) -> "Item":
        """What is known of a clip without opening it.

        Raises:
            OSError: Its bucket cannot be reached.
        """
        if clip.is_packed and clip.size_bytes is not None and clip.sha256 is not None:
            return cls(printable(name), clip, clip.size_bytes, clip.sha256)
        url = url_at(clip.path)
        try:
            if url is not None and part_at(clip.path) is None:
                known = status_of_remote(url)
                return cls(printable(name), clip, known.size_bytes, known.version)
            return cls(printable(name), clip, size_of(clip.path), f"{status_of(clip.path).st_mtime_ns:x}")
        except (FileNotFoundError, ValueError):
            return cls(printable(name), clip, 0, "")

    def remember(self) -> None:
        """Let this process know of a file in a bucket what the plan knows."""
        url = url_at(self.clip.path)
        if url is not None and part_at(self.clip.path) is None and self.size_bytes:
            remember(url, RemoteStatus(self.size_bytes, self.version))


Batch = tuple[Item, ...]


@dataclass(frozen=True)
class Piece:
    """Clips whose answers become one file.

    Attributes:
        number: Its place in the plan.
        batches: Its clips, as they are computed together.
    """

    number: int
    batches: tuple[Batch, ...]

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"part-{self.number:06}.parquet"

    @property
    def items(self) -> Iterator[Item]:
        """Its clips in order."""
        return (item for batch in self.batches for item in batch)

    def __len__(self) -> int:
        return sum(map(len, self.batches))


@dataclass(frozen=True)
class Plan:
    """All pieces of a job.

    Attributes:
        pieces: In order.
        about: What is computed, as plain values; the same in two plans of one job.
        hash: Names all of this: equal for the same clips, unchanged, and the same work.
    """

    pieces: tuple[Piece, ...]
    about: Mapping[str, Any]
    hash: str

    @property
    def clip_count(self) -> int:
        """How many clips there are."""
        return sum(map(len, self.pieces))

    @property
    def size_bytes(self) -> int:
        """What their files take."""
        return sum(item.size_bytes for piece in self.pieces for item in piece.items)


def make_plan(items: Sequence[Item], about: Mapping[str, Any], *, piece_clips: int | None = None) -> Plan:
    """Cut clips into pieces.

    Those in shards come as they lie there, the others from large to small: neighbours are alike, and at the end of a
    job no worker is left with a long one.

    Args:
        items: The clips, in any order.
        about: What is computed.
        piece_clips: How many clips a piece holds at most; default: by their number.

    Raises:
        UserError: If there is no clip, two have one name, or the number makes no sense.
    """
    if not items:
        raise UserError("there is no clip to work on")
    if piece_clips is not None and not 1 <= piece_clips <= 100_000:
        raise UserError(f"part_clips is {piece_clips}; give 1 to 100000")
    if piece_clips is None:
        piece_clips = min(MOST_PIECE_CLIPS, BATCH_CLIPS * math.ceil(len(items) / _MOST_PIECES / BATCH_CLIPS))
    ordered = sorted(items, key=_order)
    names = {item.name for item in ordered}
    if len(names) < len(ordered):
        seen: set[str] = set()
        twice = next(item.name for item in ordered if item.name in seen or seen.add(item.name))  # type: ignore[func-returns-value]
        raise UserError(f"two clips are called {twice}; rename one of them")
    pieces = tuple(Piece(number, batches) for number, batches in enumerate(_pieces(ordered, piece_clips)))
    digest = hashlib.sha256(json.dumps([_VERSION, piece_clips, about], sort_keys=True).encode())
    for item in ordered:
        times = item.clip.start_seconds, item.clip.end_seconds
        digest.update(json.dumps([item.name, item.size_bytes, item.version, *times]).encode() + b"\n")
    return Plan(pieces, about, digest.hexdigest())


def _order(item: Item) -> tuple[Any, ...]:
    part = part_at(item.clip.path)
    if part is not None:
        return 0, str(part.whole), part.offset, item.name
    return 1, "", -item.size_bytes, item.name


def _pieces(items: Sequence[Item], piece_clips: int) -> Iterator[tuple[Batch, ...]]:
    for piece in _cut(items, piece_clips, PIECE_BYTES):
        yield tuple(_cut(piece, BATCH_CLIPS, BATCH_BYTES))


def _cut(items: Sequence[Item], most: int, most_bytes: int) -> Iterator[Batch]:
    """Neighbours, at most so many and so large together; one that is larger is alone."""
    begun, size_bytes = 0, 0
    for place, item in enumerate(items):
        if place > begun and (place - begun == most or size_bytes + item.size_bytes > most_bytes):
            yield tuple(items[begun:place])
            begun, size_bytes = place, 0
        size_bytes += item.size_bytes
    yield tuple(items[begun:])


def whole_files(paths: Sequence[Path]) -> list[Clip]:
    """Files as clips, each once."""
    return [Clip(path=path, label="", group="") for path in dict.fromkeys(paths)]
