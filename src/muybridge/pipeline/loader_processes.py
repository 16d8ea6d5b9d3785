"""Processes that read clips: whether their batches have room in shared memory, and what it means when one fails.

Notable: a worker hands its batches over in shared memory (/dev/shm), of which a container has 64 MB unless it is told
otherwise. Where a batch has no room, torch says so in a thread of the worker, and the training would wait for ever. So
the room is looked at before, and a batch is put there by the worker itself, whose errors reach the training.
"""

import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import get_worker_info

from muybridge.pipeline.batches import Examples
from muybridge.sequences import spread

SHARED_MEMORY = Path("/dev/shm")
_AHEAD = 2
"""Batches that torch lets each worker have ready."""
_LOOKED_AT = 16
"""Clips whose size is taken for that of all."""


def why_no_room(data: Examples, *, batch_size: int, workers: int, streams: bool = False) -> str:
    """Why workers cannot hand over their batches; empty if they can.

    Args:
        data: The clips.
        batch_size: Clips per batch.
        workers: Number of processes.
        streams: Whether clips are read from shards; those that are looked at then lie together.
    """
    if not workers or not SHARED_MEMORY.is_dir():  # other systems have no such limit
        return ""
    looked_at = range(min(_LOOKED_AT, len(data))) if streams else spread(range(len(data)), _LOOKED_AT)
    sizes = [_size_of(data[0, index]) for index in looked_at]
    largest = max(sizes) * (1 if min(sizes) == max(sizes) else 2)  # there may be longer ones
    needed = largest * min(batch_size, len(data)) * (_AHEAD * workers + 1)
    free = shutil.disk_usage(SHARED_MEMORY).free
    if needed <= free:
        return ""
    return (
        f"{workers} processes would need {needed / 1e6:.0f} MB of shared memory, {free / 1e6:.0f} MB are free in "
        f"{SHARED_MEMORY}"
    )


class SharingCollate:
    """Makes a batch; in a worker, in shared memory at once.

    Args:
        collate: Makes a batch of a list of items.
    """

    def __init__(self, collate: Any) -> None:
        self._collate = collate

    def __call__(self, items: Sequence[Any]) -> Any:
        """The batch of some items."""
        batch = self._collate(items)
        if get_worker_info() is not None:
            for part in batch:
                if isinstance(part, torch.Tensor):
                    part.share_memory_()  # type: ignore[no-untyped-call]
        return batch


def start_worker(worker: int) -> None:
    """What a worker does first."""
    # Ctrl-C and its like are the main process's to handle; it ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cv2.setNumThreads(1)  # for workers that are not forks


def failure_of_workers(error: RuntimeError) -> str:
    """What an error says of the processes that read clips, and what to do; empty if it is about something else."""
    said = " ".join(str(error).split())
    if "shared memory" in said or "(shm)" in said:
        return (
            "the shared memory of the processes that read clips is full; set training.workers to 0, or give more "
            f"(docker run --shm-size 2g, or a larger {SHARED_MEMORY})"
        )
    if "DataLoader worker" in said and ("killed by signal" in said or "exited unexpectedly" in said):
        return (
            f"a process that reads clips died ({said.split('. ')[0]}); if memory was short, set training.workers lower "
            "or to 0"
        )
    return ""


def _size_of(item: Any) -> int:
    return sum(int(part.nbytes) for part in item if hasattr(part, "nbytes"))
