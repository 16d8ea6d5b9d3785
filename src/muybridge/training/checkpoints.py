"""Checkpoints of a training: written whole, checked when they are read, and the one before the last kept.

Notable: a checkpoint is a ZIP archive, and torch writes a CRC-32 of each of its records but does not look at it when
it reads. Here it is looked at, so that one flipped bit is noticed, in checkpoints of any age.
"""

import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint
from rich.console import Console

from muybridge import ranks
from muybridge.console import say
from muybridge.errors import UserError
from muybridge.files import replacing
from muybridge.runs import RunFolder
from muybridge.temporaries import prefix_of

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


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint writer, whole or not at all; the last checkpoint becomes the previous one.

    Args:
        run: The run.
    """

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self._run = run

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write to another name next to ``path``, then rename."""
        path = Path(path)
        with replacing(path) as temporary:
            super().save_checkpoint(checkpoint, temporary, storage_options)
            if path.name == self._run.last_checkpoint.name and path.exists():
                _keep(path, self._run.previous_checkpoint)

    def load_checkpoint(self, path: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Read by the first process, which may be the only one that has the file."""
        read = super().load_checkpoint
        return ranks.broadcast(read(path, *arguments, **options) if ranks.is_first() else {})


class EpochCheckpoint(ModelCheckpoint):
    """Lightning's checkpoint callback for one file, written at the ends of epochs, in a folder that may be moved.

    Args:
        path: The file.
        goal: ``monitor`` and ``mode`` of the figure whose best epoch is kept; default: every epoch replaces the last.
    """

    def __init__(self, path: Path, **goal: Any) -> None:
        super().__init__(
            path.parent, filename=path.stem, enable_version_counter=False, save_on_train_epoch_end=True, **goal
        )
        self._path = path

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best figure so far; Lightning would forget it where the folder has another name now."""
        path = str(self._path.absolute())
        scores = {path: state_dict["best_model_score"]} if state_dict["best_k_models"] else {}
        paths = {"best_model_path": path, "kth_best_model_path": path, "best_k_models": scores}
        super().load_state_dict({**state_dict, **paths, "dirpath": self.dirpath})


class InnerCheckpoint(ModelCheckpoint):
    """Replaces the last checkpoint inside an epoch, too, whenever so many minutes have passed.

    Args:
        path: The file.
        minutes: How many; the first process looks at the clock.
        accumulate: Batches that make one step. Half of a step is in no checkpoint.
    """

    def __init__(self, path: Path, *, minutes: float, accumulate: int) -> None:
        super().__init__(
            path.parent,
            filename=path.stem,
            enable_version_counter=False,
            save_on_train_epoch_end=False,
            train_time_interval=timedelta(minutes=minutes),
        )
        self._accumulate = accumulate

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the clock after each step, but for the last of an epoch, which has a checkpoint of its own."""
        done = batch_idx + 1
        if done % self._accumulate == 0 and done < trainer.num_training_batches:
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Nothing: the end of an epoch has a checkpoint of its own."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing: the clock begins anew, and the file has one name."""


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


def _keep(last: Path, previous: Path) -> None:
    """Give the last checkpoint the name of the previous one, too, where the file system lets a file have two names."""
    name = previous.with_name(f"{prefix_of(previous.stem)}hardlink{previous.suffix}")
    name.unlink(missing_ok=True)
    try:
        os.link(last, name)
    except (OSError, NotImplementedError):
        last.replace(previous)
        return
    name.replace(previous)
