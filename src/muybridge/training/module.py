"""The Lightning module: loss, optimiser and schedule.

Notable: dropout is drawn by (seed, epoch, clip), and torch's global generator, for whatever else draws, is seeded
again at every batch. A training resumed at an epoch's start therefore repeats the uninterrupted one bit for bit on CPU.

Several processes share each batch (see ``pipeline.loader.BatchShares``). The loss of each is weighted by its share, so
that the mean of their gradients is the gradient of the whole batch, also where its clips cannot be divided evenly.

Axes: B batch, K classes.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import lightning as L
import torch
from torch import nn
from torch.nn import functional

from muybridge import ranks
from muybridge.clip_draws import drawing_by_clip
from muybridge.errors import UserError
from muybridge.models.encoders.batch_norms import SharedBatchNorm
from muybridge.models.encoders.encoder import VideoEncoder
from muybridge.models.heads.standardise import Standardise
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.batches import ActivationBatch, Batch, Examples
from muybridge.pipeline.device_augment import augment_batch
from muybridge.pipeline.loader import make_loader, share_of_batch
from muybridge.recipes.training import TrainingConfig
from muybridge.training.checkpoint_files import INSIDE
from muybridge.training.epoch_mean import EpochMean
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
        validation_clips: How many there are.

    Attributes:
        steps_per_epoch: Optimiser steps of an epoch; the last may be of fewer batches than ``config.accumulate``.
    """

    def __init__(
        self,
        net: RecognizerNet,
        config: TrainingConfig,
        *,
        class_counts: Sequence[int],
        batches_per_epoch: int,
        validation_clips: int = 0,
    ) -> None:
        super().__init__()
        self.net = net
        net.checkpointing = config.checkpointing
        self.config = config
        self.batches_per_epoch = batches_per_epoch
        self.steps_per_epoch = math.ceil(batches_per_epoch / config.accumulate)
        self.clips_per_epoch = sum(class_counts)
        self.validation_clips = validation_clips
        counts_K = torch.tensor(class_counts, dtype=torch.get_default_dtype())
        weights_K = counts_K.sum() / (len(counts_K) * counts_K.clamp(min=1)) if config.class_weights else None
        self.register_buffer("class_weights_K", weights_K, persistent=False)
        self._means = nn.ModuleDict({"loss": EpochMean(), "accuracy": EpochMean()})
        self._batches_done = 0

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Inside an epoch, keep what Lightning does not: where in the data it is, and the sums of its figures."""
        if 0 < self._batches_done < self.batches_per_epoch:
            sums = {name: cast(EpochMean, mean).sums() for name, mean in self._means.items()}
            lanes = self.trainer.train_dataloader.batch_sampler.sampler.lanes  # type: ignore[union-attr]
            checkpoint[INSIDE] = {"batches": self._batches_done, "lanes": lanes, "sums": sums}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the sums up."""
        for name, sums in checkpoint.get(INSIDE, {"sums": {}})["sums"].items():
            cast(EpochMean, self._means[name]).take_up(sums)

    def on_train_start(self) -> None:
        """Before the first step, measure the features that are to be standardised; a resumed training has them."""
        if self.global_step or not isinstance(self.net.norm, Standardise):
            return
        data = self.trainer.train_dataloader.dataset  # type: ignore[union-attr]
        norm = self.net.norm
        if ranks.is_first():
            self.net.eval()
            with torch.no_grad():
                norm.measure(features_of(self.net, batch) for batch in self._on_device(data))
            self.net.train()
        measured = {name: value.cpu() for name, value in norm.state_dict().items()}
        norm.load_state_dict(ranks.broadcast(measured))

    def _on_device(self, data: Examples) -> Iterator[Batch | ActivationBatch]:
        """The clips as the first epoch sees them, in their own order, on the module's device."""
        size = self.config.clips_per_batch
        loader = make_loader(data, batch_size=size, shuffle=False, seed=0, workers=0, lanes=1)
        for batch in loader:
            yield self.on_after_batch_transfer(self.transfer_batch_to_device(batch, self.device, 0), 0)

    def on_train_batch_start(self, batch: Batch | ActivationBatch, batch_idx: int) -> None:
        """Make what is drawn, other than by clip, a function of seed, batch and process."""
        done = self.current_epoch * self.batches_per_epoch + batch_idx
        torch.manual_seed(self.config.seed * 1_000_003 + done + (ranks.rank() << 48))

    def on_after_batch_transfer(self, batch: Batch | ActivationBatch, dataloader_idx: int) -> Batch | ActivationBatch:
        """Augment on the device what the loader left to it."""
        if isinstance(batch, ActivationBatch) or batch.matrices_B23 is None or batch.gains_B is None:
            return batch
        frames_BTHWC = augment_batch(batch.frames_BTHWC, batch.matrices_B23, batch.gains_B)
        return batch._replace(frames_BTHWC=frames_BTHWC, matrices_B23=None, gains_B=None)

    def training_step(self, batch: Batch | ActivationBatch, batch_idx: int) -> torch.Tensor:
        """Loss of one batch; logs loss and accuracy averaged over the epoch's clips."""
        self._batches_done = batch_idx + 1
        own, whole = self.clips_of_batch(batch_idx, self.clips_per_epoch)
        self._prepare_batch_norms(batch, counts=own > 0)
        indices_B = torch.arange(len(batch.labels_B)) if batch.indices_B is None else batch.indices_B
        with drawing_by_clip(seed=self.config.seed, epoch=self.current_epoch, indices_B=indices_B):
            logits_BK, hidden = self.net.classify_openly(*features_of(self.net, batch))
        weights_K: torch.Tensor | None = self.class_weights_K  # type: ignore[assignment]
        loss = functional.cross_entropy(
            logits_BK, batch.labels_B, weight=weights_K, label_smoothing=self.config.label_smoothing
        )
        own_weight = own if weights_K is None else float(weights_K[batch.labels_B].sum()) * (own > 0)
        weight = self._log("train", loss, logits_BK, batch.labels_B, own=own, own_weight=own_weight)
        penalty = dense_penalty(self.net, hidden)
        if ranks.size() > 1:
            # The strategy takes the mean over the processes.
            loss = loss * (ranks.size() * own_weight / weight)
            penalty = penalty * (ranks.size() * own / whole)
        return (loss + penalty) * self._share_of_step(whole, batch_idx)

    def clips_of_batch(self, batch_idx: int, clip_count: int) -> tuple[int, int]:
        """Clips of a batch that are this process's, and all of them."""
        return share_of_batch(
            batch_idx, clip_count=clip_count, batch_size=self.config.clips_per_batch, place=ranks.place()
        )

    def _prepare_batch_norms(self, batch: Batch | ActivationBatch, *, counts: bool) -> None:
        """Tell batch norms that learn whether this process's clips count."""
        if ranks.size() == 1:
            return
        shared = [module for module in self.net.encoder.modules() if isinstance(module, SharedBatchNorm)]
        learning = [module for module in shared if module.training]
        for module in learning:
            module.counts = counts
        if learning and isinstance(self.net.encoder, VideoEncoder) and len(set(batch.lengths_B.tolist())) > 1:
            raise UserError(
                "batch norms that learn see all processes' clips of one length together, and the clips of this batch "
                "differ in length; set sampler.frames to one number, or model.frozen_batch_norm"
            )

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
        own, _ = self.clips_of_batch(batch_idx, self.validation_clips)
        logits_BK = self.net.classify(*features_of(self.net, batch))
        loss = functional.cross_entropy(logits_BK, batch.labels_B)
        self._log("validation", loss, logits_BK, batch.labels_B, own=own, own_weight=own)

    def _log(
        self,
        part: str,
        loss: torch.Tensor,
        logits_BK: torch.Tensor,
        labels_B: torch.Tensor,
        *,
        own: int,
        own_weight: float,
    ) -> float:
        """Log loss and accuracy of a batch over all processes; returns the weight of its clips in the loss."""
        right = (logits_BK.argmax(dim=1) == labels_B).float()
        if ranks.size() == 1:
            values, clips, weight = (loss.detach(), right.mean()), len(labels_B), own_weight
        else:
            counted = right.sum() * (own > 0)
            own_counts = right.new_tensor([own, own_weight], dtype=torch.float64)
            sums = torch.cat([torch.stack([loss.detach() * own_weight, counted]).double(), own_counts])
            torch.distributed.all_reduce(sums)
            clips, weight = int(sums[2]), float(sums[3])
            values = sums[0] / weight, sums[1] / clips
        for name, value in zip(("loss", "accuracy"), values, strict=True):
            figure: torch.Tensor | EpochMean = value.float()
            if part == "train":
                figure = cast(EpochMean, self._means[name])
                figure.update(value.float(), clips)
            self.log(f"{part}_{name}", figure, on_step=False, on_epoch=True, batch_size=clips)
        return weight

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
