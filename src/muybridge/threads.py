"""Work in threads: a little ahead of whoever takes the results, and side by side in torch."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from threading import Barrier
from typing import TYPE_CHECKING, TypeVar

from muybridge.system import available_cores

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

# Each needs memory of its own; where there are more cores, each has several threads.
_MOST_SIDE_BY_SIDE = 8


def read_ahead(
    items: Iterable[Item], read: Callable[[Item], Result], *, workers: int | None, ahead: int = 0
) -> Iterator[Result]:
    """Call ``read`` on each item, in threads that run a little ahead; yield the results in order.

    Args:
        items: The items.
        read: Reads one; what it raises is raised here.
        workers: Number of threads; default: one per core.
        ahead: How many results the caller takes at once, so that as many are read while it works on them.
    """
    workers = workers or available_cores()
    with pool_of(workers) as pool:
        yield from in_order(pool, items, read, limit=2 * workers + ahead)


@contextmanager
def pool_of(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that end with the context; what they have not begun by then is not done."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def in_order(
    pool: ThreadPoolExecutor, items: Iterable[Item], work: Callable[[Item], Result], *, limit: int
) -> Iterator[Result]:
    """Call ``work`` on each item in a pool's threads; yield the results in order.

    Args:
        pool: Of `pool_of` or `torch_workers`.
        items: The items.
        work: What is done; what it raises is raised here.
        limit: Most items that are begun and not yet taken: enough to keep the threads busy, little enough to keep
            memory flat.
    """
    upcoming = iter(items)
    waiting = deque(pool.submit(work, item) for item in islice(upcoming, limit))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(pool.submit(work, item) for item in islice(upcoming, 1))


def network_workers(device: "torch.device") -> int:
    """How many threads are to compute with a network, each its own clips; on a GPU one, with batches.

    Several threads within one small network wait for each other, and spin meanwhile on cores that decode.
    """
    import torch

    return min(_MOST_SIDE_BY_SIDE, torch.get_num_threads()) if device.type == "cpu" else 1


def side_by_side(items: Iterable[Item], work: Callable[[Item], Result], *, workers: int) -> Iterator[Result]:
    """Compute something of each item, in order, in so many threads that share torch's; with one, in the caller's."""
    if workers <= 1:
        yield from map(work, items)
        return
    with torch_workers(workers) as pool:
        yield from in_order(pool, items, work, limit=2 * workers)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Within, torch computes with so many threads for whoever calls it here."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def torch_workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that compute side by side, among which torch's are divided; they end with the context."""
    import torch

    threads = torch.get_num_threads()
    all_have_begun = Barrier(count + 1)

    def begin() -> None:
        torch.get_num_threads()  # a thread that was never asked would take the number that is set next, wherever it is
        torch.set_num_threads(max(1, threads // count))
        all_have_begun.wait()

    with pool_of(count) as pool:
        try:
            for _ in range(count):
                pool.submit(begin)
            all_have_begun.wait()
            # It was set for themselves and for threads that start later; those are to have what they had.
            torch.set_num_threads(threads)
            yield pool
        finally:
            all_have_begun.abort()  # if Ctrl-C came before all had begun, the others would wait for ever
