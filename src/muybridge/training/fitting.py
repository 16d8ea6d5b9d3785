"""Fitting a recognizer with Lightning: from cached clips and a network to its best weights.

Notable: after every epoch, and every ``checkpoint_minutes`` inside one, ``checkpoints/last.ckpt`` is replaced in one
step. Killed at any moment, a training resumes at the batch after it, and on CPU ends with the same bits as if nothing
had happened, because order, augmentation and dropout are functions of the seed and of the position (see
``pipeline.loader``, ``module``).

Several processes (``muybridge.ranks``) train by Lightning's DDP strategy. Batch size and learning rate are those of
the whole: each process takes its share of each batch, and the step is the one that a single process would have made.
"""

import logging
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import Logger
from rich.console import Console
from torch.utils.data import DataLoader

from muybridge import ranks
from muybridge.console import say
from muybridge.errors import Interrupted, UserError
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.activations import ActivationDataset
from muybridge.pipeline.batches import ActivationBatch, Batch
from muybridge.pipeline.device_augment import augments_on_device
from muybridge.pipeline.loader import ClipDataset, batch_shares, is_streamed, make_loader
from muybridge.pipeline.loader_processes import failure_of_workers, why_no_room
from muybridge.recipes.training import TrainingConfig
from muybridge.runs import RunFolder
from muybridge.system import keep_freed_memory
from muybridge.training.callbacks import EpochLines, EpochTable, Row, SecondCtrlC
from muybridge.training.checkpoint_files import load_weights, position_of
from muybridge.training.checkpoints import AtomicCheckpointIO, EpochCheckpoint, InnerCheckpoint
from muybridge.training.group_strategy import group_strategy, refuse_foreign_batch_norms
from muybridge.training.module import RecognizerModule
from muybridge.training.precision import uses_bf16


def fit(
    net: RecognizerNet,
    config: TrainingConfig,
    *,
    train: ClipDataset | ActivationDataset,
    validation: ClipDataset | ActivationDataset,
    run: RunFolder,
    device: torch.device,
    console: Console,
    on_epoch: Callable[[list[Row]], bool],
    logger: Logger | None = None,
    resume: bool = False,
) -> list[Row]:
    """Fit a network and leave it with the weights of its best epoch, or of the last, as ``config.monitor`` says.

    Args:
        net: The network; changed in place.
        config: Options of training.
        train: Training clips.
        validation: Validation clips; they choose the best epoch. Without any the last one is taken.
        run: Where checkpoints go.
        device: Where it computes.
        console: Where progress is printed.
        on_epoch: Called with all rows of figures after every epoch; True ends the training there.
        logger: Gets the figures of every epoch, too.
        resume: Continue from the run's last checkpoint, if it has one.

    Returns:
        One row of figures per epoch.

    Raises:
        Interrupted: On Ctrl-C; at once on a second one.
        UserError: If a checkpoint does not belong to this recipe, or the loss is not finite.
    """
    start = run.last_checkpoint if resume and run.last_checkpoint.exists() else None
    rows = ranks.together(
        _fit_share,
        net.cpu(),
        config,
        train=train,
        validation=validation,
        run=run,
        device=device,
        console=console,
        start=start,
        first={"on_epoch": on_epoch, "logger": logger},
    )
    load_weights(net, run.best_checkpoint if len(validation) else run.last_checkpoint)
    run.previous_checkpoint.unlink(missing_ok=True)  # it is as large as the last one, and has served its purpose
    return rows


def _never(rows: list[Row]) -> bool:
    """Only the first process decides."""
    return False


def _fit_share(
    net: RecognizerNet,
    config: TrainingConfig,
    *,
    train: ClipDataset | ActivationDataset,
    validation: ClipDataset | ActivationDataset,
    run: RunFolder,
    device: torch.device,
    console: Console,
    start: Path | None,
    on_epoch: Callable[[list[Row]], bool] = _never,
    logger: Logger | None = None,
) -> list[Row]:
    """What each process does of ``fit``: its share of every batch; ``start`` is a checkpoint to go on from."""
    quiet_lightning()
    keep_freed_memory()
    L.seed_everything(config.seed, verbose=False)
    cuda = device.type == "cuda"
    train_loader = training_loader(train, config, device, console=console)
    # The first process may be the only one that has the file. The loader begins before Lightning tells it an epoch.
    goes_on = ranks.broadcast(position_of(start) if start is not None and ranks.is_first() else None)
    if goes_on is not None:
        batch_shares(train_loader).begin_at(goes_on.epoch, goes_on.batch, lanes=goes_on.lanes)
    validation_loader = make_loader(
        validation,
        batch_size=config.clips_per_batch,
        shuffle=False,
        seed=config.seed,
        # Validation needs no augmentation, so reading what is kept costs next to nothing: no processes of its own.
        workers=train_loader.num_workers if is_streamed(validation) else 0,
        pin_memory=cuda,
        place=ranks.place(),
    )
    counts = Counter(train.labels)
    module = RecognizerModule(
        net,
        config,
        class_counts=[counts[label] for label in range(net.class_count)],
        batches_per_epoch=len(train_loader),
        validation_clips=len(validation),
    )
    if ranks.size() > 1:
        refuse_foreign_batch_norms(net)
    table = EpochTable(on_epoch)
    goal: dict[str, Any] = {
        "monitor": "epoch" if config.monitor == "last" else f"validation_{config.monitor}",
        "mode": "min" if config.monitor == "loss" else "max",
    }
    # The last comes last, so that it knows the best. Lightning's save_last would leave out epochs that are no better.
    callbacks: list[Any] = [
        SecondCtrlC(),  # before others take their time
        table,
        EpochLines(console, clips_per_epoch=len(train)),
        *([EpochCheckpoint(run.best_checkpoint, **goal)] if len(validation) else []),
        EpochCheckpoint(run.last_checkpoint),
    ]
    if config.checkpoint_minutes:
        minutes, accumulate = config.checkpoint_minutes, config.accumulate
        callbacks.append(InnerCheckpoint(run.last_checkpoint, minutes=minutes, accumulate=accumulate))
    if config.patience and len(validation):
        callbacks.append(EarlyStopping(patience=config.patience, check_on_train_epoch_end=True, **goal))
    options = trainer_options(config, device)
    trainer = L.Trainer(
        max_epochs=config.epochs,
        callbacks=callbacks,
        num_sanity_val_steps=0,
        **{**options, "logger": logger or False, "plugins": [*options.get("plugins", []), AtomicCheckpointIO(run)]},
    )
    try:
        trainer.fit(
            module, train_loader, validation_loader if len(validation) else None, ckpt_path=start, weights_only=True
        )
    except SystemExit:
        # Lightning answers Ctrl-C by leaving the process; the caller still has things to say and to save.
        raise Interrupted(run.path) from None
    except KeyboardInterrupt:
        raise Interrupted(run.path, at_once=True) from None  # the second one
    except RuntimeError as error:
        if why := failure_of_workers(error):
            raise UserError(f"{why}; then continue with: muybridge train --resume {run.path}") from error
        if start is None or "state_dict" not in str(error):
            raise
        raise UserError(f"{start} does not fit this recipe's network; train a new run") from error
    finally:
        for loader in (train_loader, validation_loader):
            batch_shares(loader).sampler.close()
    return table.rows


def training_loader(
    data: ClipDataset | ActivationDataset, config: TrainingConfig, device: torch.device, *, console: Console
) -> "DataLoader[Batch | ActivationBatch]":
    """The loader of training clips; where a GPU augments, the clips are not augmented here."""
    cuda = device.type == "cuda"
    # Activations are read in no time; and whoever reads them may have to compute one, which a fork cannot do.
    workers = 0 if isinstance(data, ActivationDataset) else worker_count(config.workers)
    if isinstance(data, ClipDataset) and data.augment is not None:
        data.augment_later = augments_on_device(data.augment, cuda=cuda)
    if why_not := why_no_room(data, batch_size=config.clips_per_batch, workers=workers, streams=is_streamed(data)):
        say(console, f"clips are read without processes of their own: {why_not}; training.workers 0 says the same")
        workers = 0
    return make_loader(
        data,
        batch_size=config.clips_per_batch,
        shuffle=True,
        seed=config.seed,
        workers=workers,
        pin_memory=cuda,
        place=ranks.place(),
    )


def trainer_options(config: TrainingConfig, device: torch.device) -> dict[str, Any]:
    """Settings of Lightning's trainer that a training and its profile share."""
    if ranks.size() > 1:
        where = group_strategy(device)
    else:
        where = {"devices": [device.index or 0] if device.type == "cuda" else 1}
    return {
        "accelerator": device.type,
        **where,
        "precision": "bf16-mixed" if uses_bf16(config, device) else "32-true",
        "accumulate_grad_batches": config.accumulate,
        "use_distributed_sampler": False,
        "deterministic": True if device.type == "cpu" else "warn",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }


def worker_count(workers: int) -> int:
    """Resolve -1: one process fewer than this one's cores, at most 8."""
    return min(8, max(0, ranks.own_cores() - 1)) if workers < 0 else workers


def quiet_lightning() -> None:
    """Silence Lightning's advertisements and hints about settings that were chosen here on purpose."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    # Of gradients in channels-last order, which DDP copies: convolutions gain more by it than the copy costs.
    warnings.filterwarnings("ignore", message="Grad strides do not match")
