"""The Lightning module: loss, optimiser and schedule.

Notable: torch's global generator, which dropout draws from, is seeded again at every batch from (seed, number of the
batch). A training resumed at an epoch's start therefore repeats the uninterrupted one bit for bit on CPU.

Axes: B batch, K classes.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import lightning as L
import torch
from torch import nn
from torch.nn import functional

from muybridge.models.heads.standardise import Standardise
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.batches import ActivationBatch, Batch, Examples
from muybridge.pipeline.device_augment import augment_batch
from muybridge.pipeline.loader import make_loader
from muybridge.recipes.training import TrainingConfig
from muybridge.training.penalty import dense_penalty
from muybridge.training.rates import held_epochs, stage_depths
from muybridge.training.schedule import rate_factor
from muybridge.training.scoring import features_of


class RecognizerModule(L.LightningModule):
    """Fits a recognizer.

    Args:
        net: The network.
        config: Options of training.
        class_counts: Training clips of each class, for class weights.
        batches_per_epoch: Batches of an epoch.

    Attributes:
        steps_per_epoch: Optimiser steps of an epoch; the last may be of fewer batches than ``config.accumulate``.
    """

    def __init__(
        self, net: RecognizerNet, config: TrainingConfig, *, class_counts: Sequence[int], batches_per_epoch: int
    ) -> None:
        super().__init__()
        self.net = net
        net.checkpointing = config.checkpointing
        self.config = config
        self.batches_per_epoch = batches_per_epoch
        self.steps_per_epoch = math.ceil(batches_per_epoch / config.accumulate)
        self.clips_per_epoch = sum(class_counts)
        counts_K = torch.tensor(class_counts, dtype=torch.float32)
        weights_K = counts_K.sum() / (len(counts_K) * counts_K.clamp(min=1)) if config.class_weights else None
        self.register_buffer("class_weights_K", weights_K, persistent=False)

    def on_train_start(self) -> None:
        """Before the first step, measure the features that are to be standardised; a resumed training has them."""
        if self.current_epoch or not isinstance(self.net.norm, Standardise):
            return
        data = self.trainer.train_dataloader.dataset  # type: ignore[union-attr]
        self.net.eval()
        with torch.no_grad():
            self.net.norm.measure(features_of(self.net, batch) for batch in self._on_device(data))
        self.net.train()

    def _on_device(self, data: Examples) -> Iterator[Batch | ActivationBatch]:
        """The clips as the first epoch sees them, in their own order, on the module's device."""
        loader = make_loader(data, batch_size=self.config.clips_per_batch, shuffle=False, seed=0, workers=0)
        for batch in loader:
            yield self.on_after_batch_transfer(self.transfer_batch_to_device(batch, self.device, 0), 0)

    def on_train_batch_start(self, batch: Batch | ActivationBatch, batch_idx: int) -> None:
        """Make dropout a function of (seed, batch)."""
        done = self.current_epoch * self.batches_per_epoch + batch_idx
        torch.manual_seed(self.config.seed * 1_000_003 + done)

    def on_after_batch_transfer(self, batch: Batch | ActivationBatch, dataloader_idx: int) -> Batch | ActivationBatch:
        """Augment on the device what the loader left to it."""
        if isinstance(batch, ActivationBatch) or batch.matrices_B23 is None or batch.gains_B is None:
            return batch
        frames_BTHWC = augment_batch(batch.frames_BTHWC, batch.matrices_B23, batch.gains_B)
        return batch._replace(frames_BTHWC=frames_BTHWC, matrices_B23=None, gains_B=None)

    def training_step(self, batch: Batch | ActivationBatch, batch_idx: int) -> torch.Tensor:
        """Loss of one batch; logs loss and accuracy averaged over the epoch's clips."""
        logits_BK, hidden = self.net.classify_openly(*features_of(self.net, batch))
        weights_K: torch.Tensor | None = self.class_weights_K  # type: ignore[assignment]
        loss = functional.cross_entropy(
            logits_BK, batch.labels_B, weight=weights_K, label_smoothing=self.config.label_smoothing
        )
        self._log("train", loss, logits_BK, batch.labels_B)
        return (loss + dense_penalty(self.net, hidden)) * self._share_of_step(len(batch.labels_B), batch_idx)

    def _share_of_step(self, clip_count: int, batch_idx: int) -> float:
        """What turns Lightning's mean over ``accumulate`` batches into the mean over the clips of this step.

        The last batch of an epoch may be smaller, and the last step of fewer batches.
        """
        accumulate, batch_size = self.config.accumulate, self.config.clips_per_batch
        if accumulate == 1:
            return 1.0
        first_clip = batch_idx // accumulate * accumulate * batch_size
        clips_of_step = min(accumulate * batch_size, self.clips_per_epoch - first_clip)
        return accumulate * clip_count / clips_of_step

    def validation_step(self, batch: Batch | ActivationBatch, batch_idx: int) -> None:
        """Log validation loss (plain cross entropy) and accuracy."""
        logits_BK = self.net.classify(*features_of(self.net, batch))
        loss = functional.cross_entropy(logits_BK, batch.labels_B)
        self._log("validation", loss, logits_BK, batch.labels_B)

    def _log(self, part: str, loss: torch.Tensor, logits_BK: torch.Tensor, labels_B: torch.Tensor) -> None:
        accuracy = (logits_BK.argmax(dim=1) == labels_B).float().mean()
        for name, value in (("loss", loss), ("accuracy", accuracy)):
            self.log(f"{part}_{name}", value.detach(), on_step=False, on_epoch=True, batch_size=len(labels_B))

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip here: the trainer refuses fused optimisers in bf16, though only fp16 scales its gradients."""
        if self.config.gradient_clip:
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self.config.gradient_clip)

    def configure_optimizers(self) -> Any:
        """The optimiser over groups of parameters (see ``make_optimizer``) and a rate set at every step."""
        optimizer = make_optimizer(self.net, self.config)
        factors: list[Callable[[int], float]] = [
            partial(
                rate_factor,
                total=self.config.epochs * self.steps_per_epoch,
                warmup=round(self.config.warmup_epochs * self.steps_per_epoch),
                held=round(held_epochs(group["depth"], self.net, self.config) * self.steps_per_epoch),
                kind=self.config.schedule,
            )
            for group in optimizer.param_groups
        ]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factors)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def make_optimizer(net: RecognizerNet, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser over the trainable parameters; the encoder has its own rates, biases and norms no decay.

    Each group names the ``depth`` of its encoder stage below the topmost that learns; None outside the encoder.
    """
    encoder = {id(parameter) for parameter in net.encoder.parameters()}
    by_stage = config.layer_decay < 1 or config.unfreeze_every > 0
    depths = stage_depths(net.encoder) if by_stage else dict.fromkeys(encoder, 0)
    groups: dict[tuple[bool, int, bool], list[nn.Parameter]] = {}
    for parameter in net.parameters():
        if parameter.requires_grad:
            key = (id(parameter) in encoder, depths.get(id(parameter), 0), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    parameters = [
        {
            "params": members,
            "lr": config.learning_rate * (config.encoder_rate * config.layer_decay**depth if in_encoder else 1.0),
            "weight_decay": config.weight_decay if decayed else 0.0,
            "depth": depth if in_encoder else None,
        }
        for (in_encoder, depth, decayed), members in sorted(groups.items())
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=config.learning_rate, momentum=0.9)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    # eps 1e-7 is Keras's, within the paper's settings; for float32 training it makes no other difference.
    return kind(parameters, lr=config.learning_rate, eps=1e-7, fused=True)
