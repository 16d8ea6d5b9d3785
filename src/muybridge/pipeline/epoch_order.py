"""The order of an epoch: a function of seed and epoch."""

from collections.abc import Iterator, Sized

import numpy as np
from torch.utils.data import Sampler

_ORDER = 0  # keeps this stream of random numbers apart from the loader's


class EpochOrder(Sampler[tuple[int, int]]):
    """Yields (epoch, index); the order is a function of seed and epoch. Lightning calls ``set_epoch``."""

    def __init__(self, data: Sized, *, shuffle: bool, seed: int) -> None:
        self.length = len(data)
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0
        self.lanes = 0  # stretches of shards that are read side by side, where clips are streamed

    def begin_with(self, epoch: int, lanes: int, position: int) -> None:
        """Go on inside an epoch: begun with so many lanes, at a position; here neither changes the order."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration."""
        self.epoch = epoch

    def reached(self, position: int) -> None:
        """Clips up to this position of the epoch are about to be read; nothing has to be done for it here."""

    def close(self) -> None:
        """No more will be read; nothing was begun here."""

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.arange(self.length)
        if self.shuffle:
            np.random.default_rng([self.seed, _ORDER, self.epoch]).shuffle(order)
        return iter([(self.epoch, int(index)) for index in order])
