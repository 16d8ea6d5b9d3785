"""The Lightning module: loss, optimiser and schedule.

Notable: torch's global generator, which dropout draws from, is seeded again at every step from (seed, step). A
training resumed at an epoch's start therefore repeats the uninterrupted one bit for bit on CPU.

Axes: B batch, K classes.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import lightning as L
import torch
from torch import nn
from torch.nn import functional

from muybridge.models.recognizer import RecognizerNet
from muybridge.pipeline.device_augment import augment_batch
from muybridge.pipeline.loader import Batch
from muybridge.training.config import TrainingConfig
from muybridge.training.penalty import dense_penalty


class RecognizerModule(L.LightningModule):
    """Fits a recognizer.

    Args:
        net: The network.
        config: Options of training.
        class_counts: Training clips of each class, for class weights.
        steps_per_epoch: Optimiser steps of an epoch.
    """

    def __init__(
        self, net: RecognizerNet, config: TrainingConfig, *, class_counts: Sequence[int], steps_per_epoch: int
    ) -> None:
        super().__init__()
        self.net = net
        net.checkpointing = config.checkpointing
        if config.compile and not net.encoder._compiled_call_impl:
            net.encoder.compile(dynamic=False)
        self.config = config
        self.steps_per_epoch = steps_per_epoch
        counts_K = torch.tensor(class_counts, dtype=torch.float32)
        weights_K = counts_K.sum() / (len(counts_K) * counts_K.clamp(min=1)) if config.class_weights else None
        self.register_buffer("class_weights_K", weights_K, persistent=False)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make dropout a function of (seed, step)."""
        torch.manual_seed(self.config.seed * 1_000_003 + self.global_step)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment on the device what the loader left to it."""
        if batch.matrices_B23 is None or batch.gains_B is None:
            return batch
        frames_BTHWC = augment_batch(batch.frames_BTHWC, batch.matrices_B23, batch.gains_B)
        return batch._replace(frames_BTHWC=frames_BTHWC, matrices_B23=None, gains_B=None)

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Loss of one batch; logs loss and accuracy averaged over the epoch's clips."""
        features_BTD = self.net.encode(batch.frames_BTHWC, batch.lengths_B)
        logits_BK, hidden = self.net.classify_openly(features_BTD, batch.lengths_B)
        loss = functional.cross_entropy(
            logits_BK,
            batch.labels_B,
            weight=self.class_weights_K,  # type: ignore[arg-type]
            label_smoothing=self.config.label_smoothing,
        )
        self._log("train", loss, logits_BK, batch.labels_B)
        return loss + dense_penalty(self.net, hidden)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log validation loss (plain cross entropy) and accuracy."""
        logits_BK = self.net(batch.frames_BTHWC, batch.lengths_B)
        loss = functional.cross_entropy(logits_BK, batch.labels_B)
        self._log("validation", loss, logits_BK, batch.labels_B)

    def _log(self, part: str, loss: torch.Tensor, logits_BK: torch.Tensor, labels_B: torch.Tensor) -> None:
        accuracy = (logits_BK.argmax(dim=1) == labels_B).float().mean()
        for name, value in (("loss", loss), ("accuracy", accuracy)):
            self.log(f"{part}_{name}", value.detach(), on_step=False, on_epoch=True, batch_size=len(labels_B))

    def configure_optimizers(self) -> Any:
        """The optimiser over four groups (encoder or rest, decayed or not) and a rate set at every step."""
        optimizer = make_optimizer(self.net, self.config)
        # A fresh encoder has nothing that an untrained head could spoil.
        held = self.config.head_epochs * self.steps_per_epoch if self.net.config.pretrained else 0
        factors: list[Callable[[int], float]] = [
            partial(
                rate_factor,
                total=self.config.epochs * self.steps_per_epoch,
                warmup=round(self.config.warmup_epochs * self.steps_per_epoch),
                held=held if group["in_encoder"] else 0,
                kind=self.config.schedule,
            )
            for group in optimizer.param_groups
        ]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factors)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def rate_factor(step: int, *, total: int, warmup: int, kind: str, held: int = 0) -> float:
    """Share of the highest rate at a step: nothing while held, linear warm-up, then cosine to zero (or constant).

    Training the head first, then all, keeps pretrained features from being bent towards a random head
    (Kumar et al., Fine-Tuning can Distort Pretrained Features, 2022).

    Args:
        step: Optimiser steps done.
        total: Steps of the whole training.
        warmup: Steps of warm-up.
        kind: ``"cosine"`` or ``"constant"``.
        held: First steps at rate zero; warm-up follows.
    """
    if step < held:
        return 0.0
    rise = min(1.0, (step - held + 1) / (warmup + 1))
    if kind == "constant":
        return rise
    progress = min(1.0, max(0, step - warmup) / max(1, total - warmup))
    return rise * 0.5 * (1 + math.cos(math.pi * progress))


def make_optimizer(net: RecognizerNet, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser over the trainable parameters; the encoder has its own rate, biases and norms no decay."""
    encoder = {id(parameter) for parameter in net.encoder.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in net.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in encoder, parameter.ndim > 1), []).append(parameter)
    parameters = [
        {
            "params": members,
            "lr": config.learning_rate * (config.encoder_rate if in_encoder else 1.0),
            "weight_decay": config.weight_decay if decayed else 0.0,
            "in_encoder": in_encoder,
        }
        for (in_encoder, decayed), members in sorted(groups.items())
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=config.learning_rate, momentum=0.9)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    # eps 1e-7 is Keras's, within the report's settings; for float32 training it makes no other difference.
    return kind(parameters, lr=config.learning_rate, eps=1e-7, fused=True)
