"""The order in which clips of shards are read in an epoch, so that each shard is read once, from front to back.

Notable: it is a function of seed, epoch and the clips' places alone, known before a byte is read. The shards come in a
new order each epoch, one behind the other. This line is cut into lanes of equal length, which are read side by side;
of each a shuffle buffer holds some clips, from which one is drawn at a time while the next one takes its place. Clip p
of each batch comes from lane p modulo the number of lanes. So each process, which takes every n-th clip of a batch,
reads lanes of its own, no clip comes twice, and none is left over, whatever does not divide evenly.

Axes: N clips, L lanes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muybridge.dataset.catalog import Clip
from muybridge.launched import Place
from muybridge.pipeline.epoch_order import EpochOrder
from muybridge.pipeline.shard_pieces import ReadAhead, ShardPieces, Wanted, wanted_by
from muybridge.storage.urls import url_at

Indices = npt.NDArray[np.int64]

MOST_LANES = 16
"""Read at once by processes together, as far as there are fewer of these."""
_SHARDS, _BUFFER = 3, 4  # keep these streams of random numbers apart from the loader's


@dataclass(frozen=True)
class Lane:
    """A stretch of clips.

    Attributes:
        clips: Their numbers, in the order in which they are read.
        drawn: Positions in it, in the order in which they leave the shuffle buffer.
        positions: Where in the epoch each of these comes.
    """

    clips: Indices
    drawn: Indices
    positions: Indices


def lane_count(batch_size: int, process_count: int) -> int:
    """How many lanes: a multiple of the processes, the same for 1, 2, 4, 8 and 16 of them where a batch allows it."""
    return min(batch_size, process_count * max(1, min(batch_size, MOST_LANES) // process_count))


def lanes_of(
    shards_N: Indices, *, batch_size: int, lanes: int, buffer_clips: int, seed: int, epoch: int, shuffle: bool
) -> list[Lane]:
    """The lanes of an epoch.

    Args:
        shards_N: The number of each clip's shard; clips of a shard stand together, in the order of their places.
        batch_size: Clips per batch, over all processes.
        lanes: How many lanes.
        buffer_clips: How many clips all shuffle buffers hold together.
        seed: Seed of the order.
        epoch: Which one.
        shuffle: Whether the order is drawn; if not, shards come in their own, and buffers hold nothing.
    """
    count = len(shards_N)
    begins = np.flatnonzero(np.diff(shards_N, prepend=-1))
    stretches = [np.arange(begin, end) for begin, end in zip(begins, [*begins[1:], count], strict=True)]
    if shuffle:
        chosen = np.random.default_rng([seed, _SHARDS, epoch]).permutation(len(stretches))
        stretches = [stretches[number] for number in chosen]
    line_N = np.concatenate(stretches) if stretches else np.arange(0)
    lane_N = np.arange(count) % batch_size % lanes
    ends = np.cumsum(np.bincount(lane_N, minlength=lanes))
    found = []
    for number, clips in enumerate(np.split(line_N, ends[:-1])):
        generator = np.random.default_rng([seed, _BUFFER, epoch, number])
        held = max(1, buffer_clips // lanes) if shuffle else 1
        drawn = through_buffer(len(clips), held, generator)
        found.append(Lane(clips, drawn, np.flatnonzero(lane_N == number)))
    return found


def through_buffer(count: int, size: int, generator: np.random.Generator) -> Indices:
    """The numbers 0, 1, 2, ... as they leave a shuffle buffer: one is drawn, and the next one takes its place."""
    held = list(range(min(size, count)))
    drawn = []
    for coming, place in enumerate(generator.integers(size, size=max(0, count - size)).tolist(), size):
        drawn.append(held[place])
        held[place] = coming
    return np.array([*drawn, *generator.permutation(held)], dtype=np.int64)


class StreamOrder(EpochOrder):
    """Yields (epoch, index) as `lanes_of` says, and has pieces of remote shards fetched ahead.

    Args:
        clips: The clips of the data set, sorted by their places in shards.
        shuffle: Whether each epoch has its own order.
        seed: Seed of the order.
        batch_size: Clips per batch, over all processes.
        buffer_clips: How many clips all shuffle buffers hold together.
        place: Which process this is.
        pieces: Where pieces of shards are kept.
        lanes: How many lanes; default: by the size of a batch, and how many processes there are.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        *,
        shuffle: bool,
        seed: int,
        batch_size: int,
        buffer_clips: int,
        place: Place,
        pieces: ShardPieces,
        lanes: int | None = None,
    ) -> None:
        super().__init__(clips, shuffle=shuffle, seed=seed)
        self.lanes = lane_count(batch_size, place.size) if lanes is None else lanes
        self._usual_lanes = self.lanes
        self._begun_with = (-1, 0, 0)
        numbers: dict[str, int] = {}
        # Numbers rather than objects: there may be a million clips.
        places_N3: Indices = np.fromiter(
            (
                (numbers.setdefault(shard, len(numbers)), offset, size_bytes)
                for shard, offset, size_bytes in map(place_of, clips)
            ),
            dtype=np.dtype((np.int64, 3)),
            count=len(clips),
        )
        self._shards_N: Indices = places_N3[:, 0]
        self._spans_N2: Indices = places_N3[:, 1:]
        self._urls = [url_at(shard) for shard in numbers]
        self._batch_size, self._buffer_clips = batch_size, buffer_clips
        self._place, self._pieces = place, pieces
        self._ahead: ReadAhead | None = None

    def begin_with(self, epoch: int, lanes: int, position: int) -> None:
        """Go on inside an epoch, at a position; it was begun with so many lanes, by other processes, too; 0: as usual.

        What only clips before the position need is not fetched.
        """
        self._begun_with = epoch, lanes or self._usual_lanes, position

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch, lanes, begin = self._begun_with
        self.lanes, begin = (lanes, begin) if epoch == self.epoch else (self._usual_lanes, 0)
        found = self._lanes()
        order_N = np.empty(self.length, dtype=np.int64)
        for lane in found:
            order_N[lane.positions] = lane.clips[lane.drawn]
        self.close()
        if any(self._urls):
            wanted = self._wanted(found, begin)
            self._ahead = ReadAhead(self._pieces, wanted, lanes=len({number for _, number in self._own(found)}))
        return iter([(self.epoch, index) for index in order_N.tolist()])

    def reached(self, position: int) -> None:
        """Clips up to this position of the epoch are about to be read."""
        if self._ahead is not None:
            self._ahead.reached(position)

    def close(self) -> None:
        """Fetch no more."""
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def _lanes(self) -> list[Lane]:
        return lanes_of(
            self._shards_N,
            batch_size=self._batch_size,
            lanes=self.lanes,
            buffer_clips=self._buffer_clips,
            seed=self.seed,
            epoch=self.epoch,
            shuffle=self.shuffle,
        )

    def _own(self, lanes: Sequence[Lane]) -> list[tuple[Lane, int]]:
        """The lanes from which this process takes clips."""
        own = {position % self.lanes for position in range(self._place.rank, self._batch_size, self._place.size)}
        return [(lane, number) for number, lane in enumerate(lanes) if number in own]

    def _wanted(self, lanes: Sequence[Lane], begin: int) -> list[Wanted]:
        """The pieces that this process needs from a position on, by the position from which on it may need them."""
        wanted: list[Wanted] = []
        for lane, _ in self._own(lanes):
            leaves = np.empty(len(lane.clips), dtype=np.int64)  # when each clip leaves the buffer
            leaves[lane.drawn] = lane.positions
            clips, leaves = lane.clips[leaves >= begin], leaves[leaves >= begin]
            # In the order of reading, so that what comes later is not fetched first.
            first = np.minimum.accumulate(leaves[::-1])[::-1].tolist()
            shards, spans = self._shards_N[clips].tolist(), self._spans_N2[clips].tolist()
            places = [
                (self._urls[shard] or "", offset, size) for shard, (offset, size) in zip(shards, spans, strict=True)
            ]
            wanted += wanted_by(places, first.__getitem__)
        return sorted(wanted, key=lambda piece: piece.position)


def place_of(clip: Clip) -> tuple[str, int, int]:
    """The shard of a clip, its first byte there, and its size.

    Raises:
        ValueError: It is in none.
    """
    place = clip.shard_place
    if place is None:
        raise ValueError(f"{clip} is in no shard")
    return place
