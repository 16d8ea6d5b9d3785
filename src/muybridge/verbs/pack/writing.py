"""Writing shards one after the other, each whole or not at all, with a journal from which a killed packing goes on.

A shard ends before the sample that would make it too large, so where one ends is known only once it is written; the
journal has a line a shard: its name, its size, and where each sample lies or why it is not there.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Condition
from typing import Any

from muybridge.errors import UserError, VideoError
from muybridge.files import replacing, sync, write_text
from muybridge.verbs.pack.plan import Plan, PlannedSample
from muybridge.verbs.pack.samples import TAR_END, Placed, Sample

HELD_BYTES = 256 << 20
"""Of encoded clips that wait for their turn; with more in memory no other is begun, but for the next one."""
JOURNAL_FILE = "packed.jsonl"
Outcome = Placed | str
"""Where a sample lies, or why its clip could not be packed."""
Prepare = Callable[[PlannedSample], Sample]


@dataclass(frozen=True)
class WrittenShard:
    """A shard that is whole.

    Attributes:
        name: Its file name.
        size_bytes: Its size.
        outcomes: What became of each of its samples, in the order of the plan.
    """

    name: str
    size_bytes: int
    outcomes: tuple[Outcome, ...]


def write_shards(
    folder: Path,
    plan: Plan,
    prepare: Prepare,
    *,
    shard_bytes: int,
    workers: int,
    progress: Callable[[int], None],
) -> tuple[list[WrittenShard], int]:
    """Write the shards that an earlier call has not written.

    Args:
        folder: Where they go.
        plan: The samples.
        prepare: Makes a sample ready; several threads call it.
        shard_bytes: What a shard may hold; a larger sample has one of its own.
        workers: How many threads; 0: this one prepares each when it is its turn.
        progress: Called with the number of samples that are done.

    Returns:
        All shards, and how many were there.

    Raises:
        VideoError: A video changed, or is gone.
        OSError: A shard cannot be written.
    """
    shards = _written_before(folder, plan)
    kept = len(shards)
    done = sum(len(shard.outcomes) for shard in shards)
    progress(done)
    write_text(folder / JOURNAL_FILE, "".join(map(_line, shards)))
    samples = _Ahead(plan.samples[done:], prepare, workers)
    with samples, (folder / JOURNAL_FILE).open("a", encoding="utf-8") as journal:
        while samples.peek() is not None:
            name = plan.name_of(len(shards))
            outcomes: list[Outcome] = []
            with replacing(folder / name) as temporary, temporary.open("wb") as out:
                while (sample := samples.peek()) is not None:
                    if isinstance(sample, str):
                        outcomes.append(sample)
                    elif out.tell() and out.tell() + sample.weight_bytes + len(TAR_END) > shard_bytes:
                        break
                    else:
                        outcomes.append(sample.write(out))
                    samples.take()
                    progress(done + len(outcomes))
                if plan.kind != "tfrecord":
                    out.write(TAR_END)
            done += len(outcomes)
            shards.append(WrittenShard(name, (folder / name).stat().st_size, tuple(outcomes)))
            journal.write(_line(shards[-1]))
            journal.flush()
            os.fsync(journal.fileno())
    sync(folder)
    return shards, kept


class _Ahead:
    """Samples in order, the next ones prepared by threads; one whose video does not decode is the reason why."""

    def __init__(self, planned: Sequence[PlannedSample], prepare: Prepare, workers: int) -> None:
        self._upcoming: Iterator[PlannedSample] = iter(planned)
        self._prepare = prepare
        self._ahead = 2 * workers
        self._pool = ThreadPoolExecutor(max(1, workers))
        self._waiting: deque[Future[Sample | str]] = deque()
        self._submitted = self._taken = self._held_bytes = 0
        self._closed = False
        self._change = Condition()

    def __enter__(self) -> "_Ahead":
        return self

    def __exit__(self, *_: object) -> None:
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def peek(self) -> Sample | str | None:
        """The next one; None at the end."""
        while len(self._waiting) <= self._ahead and (planned := next(self._upcoming, None)) is not None:
            self._waiting.append(self._pool.submit(self._ready, planned, self._submitted))
            self._submitted += 1
        return self._waiting[0].result() if self._waiting else None

    def take(self) -> None:
        """Go on to the one after."""
        sample = self._waiting.popleft().result()
        with self._change:
            self._taken += 1
            self._held_bytes -= 0 if isinstance(sample, str) else sample.held_bytes
            self._change.notify_all()

    def _ready(self, planned: PlannedSample, number: int) -> Sample | str:
        with self._change:  # threads begin in order, so the one whose turn it is has begun before all that wait here
            self._change.wait_for(lambda: self._closed or number == self._taken or self._held_bytes < HELD_BYTES)
            if self._closed:
                return "not packed"
        try:
            sample = self._prepare(planned)
        except VideoError as error:
            return error.reason
        with self._change:
            self._held_bytes += sample.held_bytes
        return sample


def _line(shard: WrittenShard) -> str:
    outcomes = [each if isinstance(each, str) else asdict(each) for each in shard.outcomes]
    return json.dumps({"name": shard.name, "size_bytes": shard.size_bytes, "outcomes": outcomes}) + "\n"


def _written_before(folder: Path, plan: Plan) -> list[WrittenShard]:
    """The shards of the journal, up to the first that is not there as it says."""
    journal = folder / JOURNAL_FILE
    shards: list[WrittenShard] = []
    if not journal.is_file():
        return shards
    # What stands behind the last line break was cut off.
    for number, line in enumerate(journal.read_text(encoding="utf-8").split("\n")[:-1], 1):
        try:
            shard = _read(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{journal}, line {number} is damaged; delete {folder} and pack again") from error
        path = folder / plan.name_of(len(shards))
        if shard.name != path.name or not path.is_file() or path.stat().st_size != shard.size_bytes:
            break
        shards.append(shard)
    return shards


def _read(value: Any) -> WrittenShard:
    outcomes = (each if isinstance(each, str) else Placed(**each) for each in value["outcomes"])
    return WrittenShard(value["name"], value["size_bytes"], tuple(outcomes))
