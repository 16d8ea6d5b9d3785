"""The options of training, as plain values that the command line can show without importing torch."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from cyclopts import Parameter

from muybridge.errors import UserError

MOST = 1_000_000
"""No option of training is larger."""


@dataclass(frozen=True)
class TrainingConfig:
    """How a recognizer is fitted."""

    epochs: Annotated[int, Parameter(alias="--epochs")] = 0
    """Passes over the training clips; 0: from 8 to 40, by their number. As many as show about 3000 clips."""

    batch_size: Annotated[int | Literal["auto"], Parameter(alias="--batch-size")] = 8
    """Clips per batch; auto: the most that fit into memory. The learning rate stays as it is."""

    accumulate: int = 1
    """Batches whose gradients make one step, as one batch of so many times the clips would (batch norm and the mean
    under class_weights still see each batch alone). 1 is off."""

    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    """adamw, or the paper's adam; sgd has momentum 0.9."""

    learning_rate: Annotated[float, Parameter(alias="--learning-rate")] = 5e-4
    """Highest rate of the temporal head and the classifier."""

    encoder_rate: float = 0.1
    """Rate of the encoder, as a share of learning_rate."""

    head_epochs: int = 2
    """First epochs in which a pretrained encoder's rate is zero, so that an untrained head cannot spoil it."""

    layer_decay: float = 1.0
    """Factor by which the rate falls from each stage of the encoder to the one below; the top one has encoder_rate.
    For example 0.8; 1 is off."""

    unfreeze_every: float = 0.0
    """Gradual unfreezing: the encoder's stages that learn start one after the other, from the top, so many epochs
    apart. The top one starts after head_epochs, or where that is 0 after so many epochs. 0 is off."""

    weight_decay: float = 0.05
    """Weight decay (not on biases and norms)."""

    schedule: Literal["cosine", "constant"] = "cosine"
    """cosine: falls to zero at the last epoch. constant: stays."""

    warmup_epochs: float = 1.0
    """Epochs over which the rate rises from zero."""

    label_smoothing: float = 0.1
    """Share of the target spread over all classes."""

    class_weights: bool = False
    """Weigh each class by the inverse of its share of the training clips."""

    gradient_clip: float = 1.0
    """Largest norm of the gradient; 0 is off."""

    monitor: Literal["loss", "accuracy", "last"] = "loss"
    """Which validation figure chooses the best epoch and stops early; last: none does, the last epoch is kept."""

    patience: int = 5
    """Stop after this many epochs without a better validation figure; 0 never stops early."""

    precision: Literal["auto", "32", "bf16"] = "auto"
    """auto: 32-bit, on GPUs that can bf16; and bf16 for frozen encoders whose output is kept (cache.features), wherever
    the processor has instructions for it."""

    checkpointing: bool = False
    """Keep only what passes between the encoder's stages, and compute the rest again for the backward pass: about a
    third more time, and memory for longer clips, larger frames or more clips per step. The results are the same."""

    calibrate: bool = True
    """Divide the class scores by a temperature, fitted on validation clips (head probe: on folds of the training
    clips), so that a score says how often such an answer is right."""

    false_alarms: float = 0.05
    """Share of clips of the classes that may be called none of these: it sets how unlike all classes a clip must be.
    Chosen on the same clips as the temperature; too few of them to show such a share set none. 0 is off."""

    refit: Annotated[bool | None, Parameter(alias="--refit")] = None
    """Fit the final model on all clips once the accuracy is measured, test clips too, but never those of an official
    or given test part. Unset: where no clip has to be encoded anew for it and it costs less than a minute."""

    seed: Annotated[int, Parameter(alias="--seed")] = 0
    """Seed of initial weights, order, augmentation and dropout."""

    checkpoint_minutes: float = 10.0
    """Inside an epoch, too, a checkpoint is written so many minutes after the last: what a kill costs at most. A
    resumed training goes on at the next batch. 0: at the ends of epochs alone."""

    workers: int = -1
    """Processes that read and augment; -1: one fewer than the cores, at most 8."""

    @property
    def clips_per_batch(self) -> int:
        """``batch_size`` as a number.

        Raises:
            ValueError: While it is still auto.
        """
        if self.batch_size == "auto":
            raise ValueError("batch_size auto is resolved before training")
        return self.batch_size

    def resolved(self, clip_count: int) -> "TrainingConfig":
        """The same with a number of epochs that suits this many training clips, where none was given."""
        if self.epochs:
            return self
        return replace(self, epochs=min(40, max(8, round(3000 / clip_count))))

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            UserError: For a value outside its range.
        """
        least = {"epochs": 0, "seed": 0, "patience": 0, "workers": -1, "head_epochs": 0}
        least |= {"accumulate": 1, "unfreeze_every": 0}
        least |= dict.fromkeys(
            ("encoder_rate", "weight_decay", "warmup_epochs", "gradient_clip", "checkpoint_minutes"), 0
        )
        for name, minimum in least.items():
            if not minimum <= getattr(self, name) <= MOST:  # so that nan is refused, too
                raise UserError(f"training.{name} is {getattr(self, name)}; give {minimum} or more, at most {MOST}")
        if self.batch_size != "auto" and not 1 <= self.batch_size <= MOST:
            raise UserError(f"training.batch_size is {self.batch_size}; give a number from 1 to {MOST}, or auto")
        if self.monitor == "last" and self.patience:
            raise UserError(f"training.patience is {self.patience}; give 0, since training.monitor last stops nothing")
        if not 0 < self.learning_rate <= MOST:
            raise UserError(f"training.learning_rate is {self.learning_rate}; give more than 0, at most {MOST}")
        if not 0 <= self.label_smoothing < 1:
            raise UserError(f"training.label_smoothing is {self.label_smoothing}; give a share from 0 to below 1")
        if not 0 <= self.false_alarms < 1:
            raise UserError(f"training.false_alarms is {self.false_alarms}; give a share from 0 to below 1")
        if not 0 < self.layer_decay <= 1:
            raise UserError(f"training.layer_decay is {self.layer_decay}; give a factor above 0 and at most 1")
