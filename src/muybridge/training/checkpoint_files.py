"""Checkpoints of a training as files: checked when they are read, mended where one is damaged.

Notable: a checkpoint is a ZIP archive, and torch writes a CRC-32 of each of its records but does not look at it when
it reads. Here it is looked at, so that one flipped bit is noticed, in checkpoints of any age.
"""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from rich.console import Console

from muybridge.console import say
from muybridge.errors import UserError
from muybridge.models.network import RecognizerNet
from muybridge.runs import RunFolder

_DAMAGED = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    UnpicklingError,
    OSError,
    EOFError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What reading an archive with a flipped bit can raise."""


@dataclass(frozen=True)
class Position:
    """Where a training goes on.

    Attributes:
        epoch: In which epoch, from 0.
        batch: Before which of its batches.
        lanes: With how many lanes the epoch was begun, where shards are streamed.
    """

    epoch: int = 0
    batch: int = 0
    lanes: int = 0


INSIDE = "inside_epoch"
"""Of a checkpoint that was written inside an epoch: how many batches are done, of how many lanes, and the sums
of its figures."""


def position_of(path: Path) -> Position:
    """Where a training goes on from a checkpoint."""
    saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    inside = saved.get(INSIDE)
    if inside is None:
        return Position(saved["epoch"] + 1)
    return Position(saved["epoch"], inside["batches"], inside["lanes"])


def mend_checkpoints(run: RunFolder, *, console: Console) -> None:
    """Before a run is resumed: where the last checkpoint is damaged, the one before it takes its place.

    What is trained again then has the same bits, since order and augmentation are functions of seed and epoch.

    Raises:
        UserError: If there is no whole one, or the best one is damaged.
    """
    last, previous = run.last_checkpoint, run.previous_checkpoint
    anew = f"delete {last.parent} and resume: the training then begins at its first epoch"
    if (last.exists() and not is_whole(last)) or (previous.exists() and not last.exists()):
        if not (previous.exists() and is_whole(previous)):
            raise UserError(f"{last} is damaged, and there is no whole one before it; put back a copy, or {anew}")
        say(console, f"{last} is damaged; going on from the one before it")
        previous.replace(last)
    if run.best_checkpoint.exists() and not is_whole(run.best_checkpoint):
        raise UserError(f"{run.best_checkpoint} is damaged; put back a copy, or {anew}")


def is_whole(path: Path) -> bool:
    """Whether a checkpoint holds what was written."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return False
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)  # its directory and its names, too
    except _DAMAGED:
        return False
    return True


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of a run.

    Raises:
        UserError: If it is not what was written.
    """
    if not is_whole(path):
        raise UserError(f"{path} is damaged; put back a copy, or delete its folder and resume the run")
    saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return saved


def finished_epochs(path: Path) -> int:
    """How many epochs were finished when a checkpoint of a run was written."""
    return position_of(path).epoch


def load_weights(net: RecognizerNet, checkpoint: Path) -> int:
    """Load the weights in a checkpoint of a run; return after which epoch it was written, from 1.

    Raises:
        UserError: If it is damaged.
    """
    saved = read_checkpoint(checkpoint)
    net.load_state_dict({key.removeprefix("net."): value for key, value in saved["state_dict"].items()})
    return int(saved["epoch"]) + 1
