"""Checkpoints of a training: written whole, and the one before the last kept."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint

from muybridge import ranks
from muybridge.files import replacing
from muybridge.runs import RunFolder
from muybridge.temporaries import prefix_of


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
