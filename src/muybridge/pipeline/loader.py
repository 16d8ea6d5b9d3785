"""Clips to batches: which frames, augmented how, padded into one tensor.

Notable: every random choice is drawn from a generator seeded by (seed, epoch, clip), and the order of an epoch by
(seed, epoch). A batch is therefore the same whatever the number of workers, and a training that is interrupted
and resumed at the start of an epoch sees exactly the batches it would have seen.

Axes: B batch, T frames (the longest of the batch; shorter clips are padded with zeros), H, W, C (RGB), V views.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader, Dataset

from muybridge.dataset.catalog import Clip
from muybridge.launched import Place
from muybridge.pipeline.augmentation import augment, draw_transform, is_sided
from muybridge.pipeline.batches import ActivationBatch, Batch, Examples, Item, collate_frames
from muybridge.pipeline.epoch_order import EpochOrder
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.pipeline.frame_entries import Views
from muybridge.pipeline.frame_stream import FrameStream
from muybridge.pipeline.loader_processes import SharingCollate, start_worker
from muybridge.pipeline.stream_order import StreamOrder
from muybridge.recipes.augment import AugmentConfig

ALONE = Place()
_AUGMENT = 1  # keeps this stream of random numbers apart from that of the order


class ClipDataset(Dataset[Item]):
    """Cached clips of one part of a split: an example per clip, or per window where the cache keeps all windows.

    Args:
        cache: A cache whose ``build`` has seen the clips.
        clips: Clips that decode.
        classes: Class names; a clip's label is its position among them.
        augment: Augmentation, or None for validation: no randomness, and the middle view where one is chosen.
        seed: Seed of the augmentation.
    """

    def __init__(
        self,
        cache: FrameCache,
        clips: Sequence[Clip],
        *,
        classes: Sequence[str],
        augment: AugmentConfig | None,
        seed: int,
    ) -> None:
        self.cache = cache
        self.classes = classes
        # A clip and which of its views; None leaves the choice to each epoch.
        self.examples: list[tuple[Clip, int | None]] = [(clip, None) for clip in clips]
        if cache.views is None:
            self.examples = [(clip, view) for clip in clips for view in range(len(cache.entry(clip).views))]
        self.labels = [classes.index(clip.label) for clip, _ in self.examples]
        self.left_out: Mapping[str, str] = {}  # clips that do not decode are left out before
        self.augment = augment
        # True: items carry their draw instead of going through it; the device does it.
        self.augment_later = False
        self.seed = seed

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, key: tuple[int, int]) -> Item:
        """Item of (epoch, index)."""
        epoch, index = key
        clip, view = self.examples[index]
        entry = self.cache.entry(clip)
        if self.augment is None:
            positions = np.asarray(entry.views[len(entry.views) // 2 if view is None else view])
            return Item(self.cache.read(clip, positions), self.labels[index], number=index)
        generator = np.random.default_rng([self.seed, _AUGMENT, epoch, index])
        if view is None:
            positions = draw_positions(entry, generator, mix=self.cache.sampler.kind == "uniform")
        else:
            positions = np.asarray(entry.views[view])
        may_flip = not (is_sided(clip.label) or clip.label in self.augment.no_flip_classes)
        if self.augment_later:
            frames = self.cache.read(clip, positions)
            height, width = frames.shape[1:3]
            transform = draw_transform(self.augment, generator, width_px=width, height_px=height, may_flip=may_flip)
            return Item(frames, self.labels[index], transform, index)
        frames = augment(self.cache.read(clip, positions), self.augment, generator, may_flip=may_flip)
        return Item(frames, self.labels[index], number=index)

    def without(self, ids: Collection[str]) -> "ClipDataset":
        """The same without some clips, by their ids."""
        clips = [clip for clip, _ in self.examples if clip.id not in ids]
        return ClipDataset(self.cache, clips, classes=self.classes, augment=self.augment, seed=self.seed)

    def identity(self, epoch: int, index: int) -> dict[str, Any]:
        """All that the item of (epoch, index) depends on, as plain values."""
        clip, view = self.examples[index]
        draw = None
        if self.augment is not None:
            # Whoever asks gets the loader's own pixels, wherever training augments.
            options = {name: value for name, value in asdict(self.augment).items() if name != "device"}
            draw = [self.seed, epoch, index, clip.label, options]
        return {"frames": self.cache.key(clip), "view": view, "draw": draw}

    collate = staticmethod(collate_frames)


def draw_positions(entry: Views, generator: np.random.Generator, *, mix: bool) -> npt.NDArray[np.int64]:
    """Draw the frames of one training clip: temporal jitter.

    Args:
        entry: The cached clip.
        generator: Source of randomness.
        mix: True for the uniform sampler, whose views cut a clip into the same segments: each frame is drawn from
            its own segment (Wang et al., Temporal Segment Networks, 2016). False: one whole view is drawn.

    Returns:
        Positions into the stored frames, one per frame of the clip.
    """
    if not mix:
        return np.asarray(entry.views[int(generator.integers(len(entry.views)))])
    views_VT = np.asarray(entry.views)
    choice_T = generator.integers(len(views_VT), size=views_VT.shape[1])
    return np.asarray(views_VT[choice_T, np.arange(views_VT.shape[1])])


class BatchShares:
    """Yields this process's share of each batch of an order, as lists of (epoch, index).

    The batches are those of one process; of each, process ``rank`` takes every ``size``-th clip, from its own number
    on. Where a batch has too few clips for all, a process whose share is empty takes the batch's first clip along, so
    that it has a step to make; it does not count (see `share_of_batch`).

    Args:
        sampler: The order.
        batch_size: Clips per batch, over all processes.
        place: Which process this is.
    """

    def __init__(self, sampler: EpochOrder, batch_size: int, place: Place) -> None:
        self.sampler = sampler  # Lightning looks for it here
        self.batch_size = batch_size
        self._place = place
        self._done = (0, 0)

    def begin_at(self, epoch: int, batch: int, *, lanes: int = 0) -> None:
        """Go on inside an epoch, begun with so many lanes: the next to be iterated, without its first batches."""
        self.sampler.set_epoch(epoch)
        self.sampler.begin_with(epoch, lanes, batch * self.batch_size)
        self._done = (epoch, batch)

    def __len__(self) -> int:
        return math.ceil(len(self.sampler) / self.batch_size)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = list(self.sampler)
        epoch, done = self._done
        begin = done * self.batch_size if order and order[0][0] == epoch else 0
        for start in range(begin, len(order), self.batch_size):
            self.sampler.reached(start + self.batch_size)
            batch = order[start : start + self.batch_size]
            yield batch[self._place.rank :: self._place.size] or batch[:1]


def share_of_batch(number: int, *, clip_count: int, batch_size: int, place: Place) -> tuple[int, int]:
    """How many clips of batch ``number``, from 0, are this process's, and how many it has over all processes."""
    whole = min(batch_size, clip_count - number * batch_size)
    return len(range(place.rank, whole, place.size)), whole


def is_streamed(data: object) -> bool:
    """Whether the clips of a data set are decoded from their shards whenever they are asked for."""
    return isinstance(data, ClipDataset) and isinstance(data.cache, FrameStream)


def make_loader(
    data: Examples,
    *,
    batch_size: int,
    shuffle: bool,
    seed: int,
    workers: int,
    pin_memory: bool = False,
    place: Place = ALONE,
    lanes: int | None = None,
) -> DataLoader[Batch | ActivationBatch]:
    """A loader over the dataset in an order that depends on seed and epoch alone.

    Clips of a stream come in the order in which their shards are read.

    Args:
        data: The clips.
        batch_size: Clips per batch, over all processes; the last batch may be smaller.
        shuffle: Whether each epoch has its own order.
        seed: Seed of the order.
        workers: Processes that read and augment; 0 does it in this one.
        pin_memory: Page-locked batches, for a GPU.
        place: Whose share of each batch; default: all of it.
        lanes: Of a stream, how many stretches of shards are read side by side; 1 without shuffling is the data set's
            own order.
    """
    if workers:
        # Workers may be forks, and a fork has OpenCV's thread pool without its threads: it would wait for them
        # for ever. Ending the pool here, before they start, costs little: clips are read in parallel, not pixels.
        cv2.setNumThreads(1)
    order = EpochOrder(data, shuffle=shuffle, seed=seed)
    if isinstance(data, ClipDataset) and isinstance(data.cache, FrameStream):
        order = StreamOrder(
            [clip for clip, _ in data.examples],
            shuffle=shuffle,
            seed=seed,
            batch_size=batch_size,
            buffer_clips=data.cache.buffer_clips,
            place=place,
            pieces=data.cache.pieces,
            lanes=lanes,
        )
    return DataLoader(
        data,  # type: ignore[arg-type]
        batch_sampler=BatchShares(order, batch_size, place),
        collate_fn=SharingCollate(data.collate),
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=start_worker,
        pin_memory=pin_memory,
    )


def batch_shares(loader: DataLoader[Any]) -> BatchShares:
    """What a loader of ``make_loader`` draws its batches by."""
    shares = loader.batch_sampler
    assert isinstance(shares, BatchShares)
    return shares
