"""The output of a network's frozen part for every clip, computed once and kept as 16-bit floats.

Notable: variant v of a training clip is exactly the batch item that the plain path would have made in epoch v, with
its temporal jitter and augmentation; validation has one variant without either. An entry's name is a hash over all
it depends on: the frames' own key, the random draw, and the network's frozen weights (``identity``). A damaged
entry is computed anew, never used. Threads keep all cores busy: on a CPU each reads and encodes clips of its own.
Where clips are streamed (`frame_stream`), all variants of one are made of one decoding, in the order of the shards.

Axes: B batch, T frames, S steps in time of the activations, D features, H, W, C.
"""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from muybridge import ranks
from muybridge.console import STDERR, say
from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError, VideoError
from muybridge.pipeline.batches import ActivationItem, Item, collate_activations
from muybridge.pipeline.cache_file import DamagedEntryError, read_cache_file, write_cache_file
from muybridge.pipeline.cache_folder import FEATURES_SUFFIX, entry_path, make_room
from muybridge.pipeline.frame_cache import place_in_shard
from muybridge.pipeline.frame_stream import FrameStream
from muybridge.pipeline.loader import ClipDataset
from muybridge.threads import read_ahead, torch_workers

VERSION = 2
ENCODED_TOGETHER = 8
_VARIANT = 2  # keeps this stream of random numbers apart from those of the loader

Encode = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""From frames_BTHWC, uint8 RGB, to activations with the axes (B, S, ...)."""

_Key = tuple[int, int]  # of an entry: the variant and the index of the clip


@runtime_checkable
class ThreadedEncode(Protocol):
    """An ``Encode`` that several threads call at once, each with one clip.

    Attributes:
        workers: How many threads are to call it; 1: one, with several clips.
    """

    workers: int

    def __call__(self, frames_BTHWC: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
        """Encode clips."""


class ActivationDataset(Dataset[ActivationItem]):
    """The clips of a `ClipDataset` as activations.

    Args:
        clips: The clips as frames.
        encode: The frozen part of the network. A `ThreadedEncode` is called by its threads, one clip each; any other is
            called with several clips, the next ones being read meanwhile.
        identity: Names what ``encode`` computes: equal for equal weights and settings.
        variants: How many variants of each training clip; epochs take them in turns, in an order drawn per clip.

    Attributes:
        failed: Clip id to reason, for clips of a stream that ``build`` could not decode.
        left_out: The same for clips that were taken out for that.
    """

    def __init__(self, clips: ClipDataset, encode: Encode, *, identity: str, variants: int) -> None:
        self.clips = clips
        self.labels = clips.labels
        self.variants = 1 if clips.augment is None else variants
        self.failed: dict[str, str] = {}
        self.left_out: Mapping[str, str] = {}
        self._streams = isinstance(clips.cache, FrameStream)
        self._encode = encode
        folder = clips.cache.folder

        def path(variant: int, index: int) -> Path:
            return entry_path(folder, activation_key(identity, clips.identity(variant, index)), FEATURES_SUFFIX)

        self._paths = {
            (variant, index): path(variant, index) for index in range(len(clips)) for variant in range(self.variants)
        }

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def paths(self) -> Collection[Path]:
        """The entries of all clips and variants."""
        return self._paths.values()

    def describe_entry(self) -> str:
        """How much is kept of the first clip, in words; others may have more or fewer steps."""
        kept = self[0, 0].activations
        each = f"{kept.nbytes / 1e3:.0f} kB a clip"
        if kept.ndim == 2:
            return f"{kept.shape[0]} tokens of {kept.shape[1]} numbers, {each}"
        return f"maps of {' x '.join(map(str, kept.shape))} numbers, {each}"

    def build(self, on_progress: Callable[[int, int], None] = lambda done, total: None) -> int:
        """Compute what is not there yet; several processes that call this together a share each.

        Args:
            on_progress: Called with (done, total) variants.

        Returns:
            How many were computed now.

        Raises:
            UserError: If they need more than the cache's budget, or do not fit 16-bit floats.
        """
        missing = self._missing()
        done = len(self._paths) - len(missing)
        on_progress(done, len(self._paths))
        # The first by one process: only then is their size known, and whether there is room for the others.
        tried = ranks.broadcast(self._first(missing) if missing and ranks.is_first() else 0)
        done += tried
        on_progress(done, len(self._paths))
        rest = missing[tried:]
        own = ranks.stretch(rest) if self._streams else ranks.share(rest)
        with self.clips.cache.reading_ahead([self.clips.examples[index][0] for _, index in own]) as reached:
            read = 0
            for keys in self._computed(own):
                read += len(keys)
                reached(read)
                done = min(len(self._paths), done + len(keys) * ranks.size())
                on_progress(done, len(self._paths))
        for part in ranks.gathered(self.failed):
            self.failed |= part
        return sum(self.clips.examples[index][0].id not in self.failed for _, index in missing)

    def _first(self, missing: Sequence[_Key]) -> int:
        """Compute the entries of the first clip that decodes, and make room for the others; how many were tried."""
        cache, tried = self.clips.cache, 0
        for _, group in groupby(missing, key=itemgetter(1)):
            keys = list(group)
            list(self._computed(keys))
            tried += len(keys)
            if self._paths[keys[0]].exists():
                make_room(
                    cache.folder,
                    missing_bytes=self._paths[keys[0]].stat().st_size * (len(missing) - tried),
                    mine=[*self._paths.values(), *cache.paths],
                    budget_bytes=cache.budget_bytes,
                    advice=", lower cache.variants, or say cache.features off",
                )
                break
        return tried

    def _missing(self) -> list[_Key]:
        """The entries that are not there; those that are count as used now."""
        there: set[_Key] = set()
        for key in ranks.share(list(self._paths)):
            if self._paths[key].exists():
                os.utime(self._paths[key])
                there.add(key)
        there = set().union(*ranks.gathered(there))
        missing = [key for key in self._paths if key not in there]
        if self._streams:  # from front to back; a clip's variants stay together
            missing.sort(key=lambda key: (place_in_shard(self.clips.examples[key[1]][0]), key[1]))
        return missing

    def __getitem__(self, key: tuple[int, int]) -> ActivationItem:
        """Item of (epoch, index)."""
        epoch, index = key
        turn, place = divmod(epoch, self.variants)
        order = np.random.default_rng([self.clips.seed, _VARIANT, turn, index]).permutation(self.variants)
        variant = int(order[place])
        try:
            return self._read(variant, index)
        except (FileNotFoundError, DamagedEntryError) as error:
            if isinstance(error, DamagedEntryError):
                say(STDERR, f"{error}; it is computed anew")
            # Else another process dropped it to keep the budget.
            self._write([(variant, index)], self.clips[variant, index].frames_THWC[None])
            return self._read(variant, index)

    def _read(self, variant: int, index: int) -> ActivationItem:
        file = read_cache_file(self._paths[variant, index])
        return ActivationItem(np.array(file.map()), file.values["frame_count"], self.labels[index], index)

    def _computed(self, keys: Sequence[_Key]) -> Iterator[list[_Key]]:
        """Compute and write entries; yields the keys of each batch, and of each clip that does not decode."""
        workers = self._encode.workers if isinstance(self._encode, ThreadedEncode) else 1
        groups = [list(group) for _, group in groupby(keys, key=itemgetter(1))]
        if workers == 1 or len(keys) < 2:
            for batch in _equally_long(self._read_ahead(groups)):
                if items := [item for _, item in batch if item is not None]:
                    self._write([key for key, _ in batch], np.stack([item.frames_THWC for item in items]))
                yield [key for key, _ in batch]
            return
        with torch_workers(workers) as pool:
            for future in as_completed([pool.submit(self._compute_clip, group) for group in groups]):
                yield future.result()

    def _compute_clip(self, keys: list[_Key]) -> list[_Key]:
        for key in keys:
            item = self._item(key)
            if item is not None:
                self._write([key], item.frames_THWC[None])
        return keys

    def _item(self, key: _Key) -> Item | None:
        """A clip as frames; None for one of a stream that does not decode, which is noted."""
        clip = self.clips.examples[key[1]][0]
        if clip.id in self.failed:
            return None
        try:
            return self.clips[key]
        except VideoError as error:
            if not self._streams:
                raise
            self.failed[clip.id] = error.reason
            return None

    def _write(self, keys: Sequence[_Key], frames_BTHWC: npt.NDArray[np.uint8]) -> None:
        with np.errstate(over="ignore"):
            kept = self._encode(frames_BTHWC).astype(np.float16)
        if not np.isfinite(kept).all():
            raise UserError("the encoder's features exceed 16-bit floats; train with cache.features off")
        for key, activations in zip(keys, kept, strict=True):
            write_cache_file(self._paths[key], activations, {"frame_count": frames_BTHWC.shape[1]})

    def _read_ahead(self, groups: Iterable[list[_Key]]) -> Iterator[tuple[_Key, Item | None]]:
        """The clips as frames, in order; the next ones are read in threads while the caller works on these."""
        workers = ranks.own_cores() if self._streams else 1
        for some in read_ahead(groups, self._items, workers=workers, ahead=2 * ENCODED_TOGETHER):
            yield from some

    def _items(self, keys: list[_Key]) -> list[tuple[_Key, Item | None]]:
        return [(key, self._item(key)) for key in keys]

    @property
    def examples(self) -> list[tuple[Clip, int | None]]:
        """The clips, each with its view; see `ClipDataset`."""
        return self.clips.examples

    collate = staticmethod(collate_activations)


def activation_key(identity: str, item: object) -> str:
    """What names the activations that the network of an identity makes of an item; see `ClipDataset.identity`."""
    parts = {"version": VERSION, "identity": identity, "item": item}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]


def _equally_long(items: Iterator[tuple[_Key, Item | None]]) -> Iterator[list[tuple[_Key, Item | None]]]:
    """Batches of neighbours with the same number of frames, since activations are computed without padding.

    One that does not decode is a batch of its own.
    """
    batch: list[tuple[_Key, Item | None]] = []
    length: int | None = None
    for key, item in items:
        own = None if item is None else len(item.frames_THWC)
        if batch and (len(batch) == ENCODED_TOGETHER or own != length or own is None):
            yield batch
            batch = []
        length = own
        batch.append((key, item))
    if batch:
        yield batch
