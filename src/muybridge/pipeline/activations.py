"""The output of a network's frozen part for every clip, computed once and kept as 16-bit floats.

Notable: variant v of a training clip is exactly the batch item that the plain path would have made in epoch v, with
its temporal jitter and augmentation; validation has one variant without either. An entry's name is a hash over all
it depends on: the frames' own key, the random draw, and the network's frozen weights (``identity``). A damaged
entry is computed anew, never used. Threads keep all cores busy: on a CPU each reads and encodes clips of its own.

Axes: B batch, T frames, S steps in time of the activations, D features, H, W, C.
"""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from muybridge import ranks
from muybridge.console import STDERR, say
from muybridge.errors import UserError
from muybridge.pipeline.batches import ActivationItem, Item, collate_activations
from muybridge.pipeline.cache_file import DamagedEntryError, read_cache_file, write_cache_file
from muybridge.pipeline.cache_folder import FEATURES_SUFFIX, entry_path, make_room
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
    """

    def __init__(self, clips: ClipDataset, encode: Encode, *, identity: str, variants: int) -> None:
        self.clips = clips
        self.labels = clips.labels
        self.variants = 1 if clips.augment is None else variants
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
        if missing and ranks.is_first():
            [_] = self._computed(missing[:1])
            cache = self.clips.cache
            make_room(
                cache.folder,
                missing_bytes=self._paths[missing[0]].stat().st_size * (len(missing) - 1),
                mine=[*self._paths.values(), *cache.paths],
                budget_bytes=cache.budget_bytes,
                advice=", lower cache.variants, or say cache.features off",
            )
        ranks.barrier()
        if missing:
            done += 1
            on_progress(done, len(self._paths))
        for keys in self._computed(ranks.share(missing[1:])):
            done = min(len(self._paths), done + len(keys) * ranks.size())
            on_progress(done, len(self._paths))
        ranks.barrier()
        return len(missing)

    def _missing(self) -> list[_Key]:
        """The entries that are not there; those that are count as used now."""
        there: set[_Key] = set()
        for key in ranks.share(list(self._paths)):
            if self._paths[key].exists():
                os.utime(self._paths[key])
                there.add(key)
        there = set().union(*ranks.gathered(there))
        return [key for key in self._paths if key not in there]

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
            list(self._computed([(variant, index)]))
            return self._read(variant, index)

    def _read(self, variant: int, index: int) -> ActivationItem:
        file = read_cache_file(self._paths[variant, index])
        return ActivationItem(np.array(file.map()), file.values["frame_count"], self.labels[index], index)

    def _computed(self, keys: Sequence[_Key]) -> Iterator[list[_Key]]:
        """Compute and write entries; yields the keys of each batch."""
        workers = self._encode.workers if isinstance(self._encode, ThreadedEncode) else 1
        if workers == 1 or len(keys) < 2:
            for batch in _equally_long(_read_ahead(self.clips, keys)):
                self._write([key for key, _ in batch], np.stack([item.frames_THWC for _, item in batch]))
                yield [key for key, _ in batch]
            return
        with torch_workers(workers) as pool:
            for future in as_completed([pool.submit(self._compute_one, key) for key in keys]):
                yield [future.result()]

    def _compute_one(self, key: _Key) -> _Key:
        self._write([key], self.clips[key].frames_THWC[None])
        return key

    def _write(self, keys: Sequence[_Key], frames_BTHWC: npt.NDArray[np.uint8]) -> None:
        with np.errstate(over="ignore"):
            kept = self._encode(frames_BTHWC).astype(np.float16)
        if not np.isfinite(kept).all():
            raise UserError("the encoder's features exceed 16-bit floats; train with cache.features off")
        for key, activations in zip(keys, kept, strict=True):
            write_cache_file(self._paths[key], activations, {"frame_count": frames_BTHWC.shape[1]})

    collate = staticmethod(collate_activations)


def activation_key(identity: str, item: object) -> str:
    """What names the activations that the network of an identity makes of an item; see `ClipDataset.identity`."""
    parts = {"version": VERSION, "identity": identity, "item": item}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]


def _read_ahead(clips: ClipDataset, keys: Sequence[_Key]) -> Iterator[tuple[_Key, Item]]:
    """The clips as frames, in order; the next ones are read in a thread while the caller works on these."""
    return zip(keys, read_ahead(keys, clips.__getitem__, workers=1, ahead=2 * ENCODED_TOGETHER), strict=True)


def _equally_long(items: Iterator[tuple[_Key, Item]]) -> Iterator[list[tuple[_Key, Item]]]:
    """Batches of neighbours with the same number of frames, since activations are computed without padding."""
    batch: list[tuple[_Key, Item]] = []
    for key, item in items:
        if batch and (len(batch) == ENCODED_TOGETHER or len(item.frames_THWC) != len(batch[0][1].frames_THWC)):
            yield batch
            batch = []
        batch.append((key, item))
    if batch:
        yield batch
