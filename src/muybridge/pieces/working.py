"""What is done with clips, whatever it is: decoded in threads, computed in batches, a row for each."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar

from muybridge.errors import UserError, VideoError
from muybridge.pieces.planning import Batch, Item
from muybridge.storage.patience import STORAGE_SECONDS, watching_storage
from muybridge.storage.remote_files import traffic

Row = dict[str, Any]
T = TypeVar("T")


class Work(Protocol):
    """What is done with clips.

    Attributes:
        workers: How many threads are to call ``compute``, each with clips of its own.
    """

    workers: int

    def decode(self, item: Item) -> Any | VideoError:
        """Read what is needed of a clip, or say why that fails; called in threads."""

    def compute(self, decoded: Sequence[Any]) -> list[Row]:
        """The answer for each of some decoded clips; in ``workers`` threads at a time."""

    def describe(self, item: Item) -> Row:
        """What a row says of its clip, besides the answer."""


MakeWork = Callable[[str], Work]
"""Makes the work in a process that does it, given the device to compute on; it goes to other processes."""


@dataclass
class Cost:
    """Where time went, in seconds summed over threads and processes.

    Attributes:
        decoding: Reading and decoding clips.
        storage: Of that, waiting for storage that is not of this machine.
        computing: The network.
        requests: How many requests to storage there were.
        size_bytes: What they brought.
    """

    decoding: float = 0.0
    storage: float = 0.0
    computing: float = 0.0
    requests: int = 0
    size_bytes: int = 0

    def __iadd__(self, other: "Cost") -> "Cost":
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self

    def to_dict(self) -> dict[str, float]:
        """Plain values."""
        return {each.name: round(getattr(self, each.name), 3) for each in fields(self)}


def decoded_or_reason(work: Work, item: Item) -> Any | VideoError:
    """Decode a clip.

    Raises:
        UserError: Not the clip is bad, but its storage cannot be reached: nothing is known of the clip.
    """
    return unless_storage_fails(item, work.decode)


def unless_storage_fails(item: Item, call: Callable[[Item], T | VideoError]) -> T | VideoError:
    """What a call says of a clip.

    Raises:
        UserError: Not the clip is bad, but its storage cannot be reached: nothing is known of the clip.
    """
    with watching_storage() as failures:
        found = call(item)
    if isinstance(found, VideoError) and (failures or STORAGE_SECONDS in found.reason):
        why = failures[0] if failures else found.reason
        raise UserError(f"{item.name} cannot be read: {why}; what is done is kept, run the same command again")
    return found


def answered(work: Work, batch: Batch, decoded: Sequence[Any | VideoError]) -> list[Row]:
    """The rows of a batch, in order."""
    answers = iter(work.compute([each for each in decoded if not isinstance(each, VideoError)]))
    rows = []
    for item, each in zip(batch, decoded, strict=True):
        row: Row = {**work.describe(item), "error": None}
        row |= {"error": each.reason} if isinstance(each, VideoError) else next(answers)
        rows.append(row)
    return rows


class Meter:
    """Measures what this process read from storage since it was asked last."""

    def __init__(self) -> None:
        self._before = (0, 0, 0.0)
        self.read()

    def read(self) -> Cost:
        """What came since, as a cost."""
        now = traffic.requests, traffic.size_bytes, traffic.seconds
        requests, size_bytes, seconds = (new - old for new, old in zip(now, self._before, strict=True))
        self._before = now
        return Cost(storage=float(seconds), requests=int(requests), size_bytes=int(size_bytes))


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What a call returns, and the seconds that it took."""
    begun = time.perf_counter()
    found = function(*arguments)
    return found, time.perf_counter() - begun
