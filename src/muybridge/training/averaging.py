"""A running average of the weights, which is validated and kept in place of the last ones.

Notable: Lightning's callback does the work: it swaps the average in for validation, writes it as the checkpoint's
weights and keeps the weights that learn beside it for a resume. Batch norm's running statistics are averaged like the
weights that they belong to; whole numbers (how many batches it has seen) are taken as they are.

Source: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992.
"""

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class MovingAverage(WeightAveraging):
    """An exponential moving average over the optimiser's steps.

    Args:
        decay: Share of the average that stays at each step; less in the first steps, see ``decay_at``.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: tuple[Tensor, ...], current: tuple[Tensor, ...], updates: Tensor) -> None:
            share = 1 - decay_at(int(updates), decay)
            for mean, value in zip(averaged, current, strict=True):
                if mean.is_floating_point():
                    # lerp leaves what does not change (frozen layers) as it is, to the last bit.
                    mean.lerp_(value, share)
                else:
                    mean.copy_(value)

        super().__init__(multi_avg_fn=torch.no_grad()(average))

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Follow the weights to their device; the average is made before they get there."""
        assert self._average_model is not None
        self._average_model.to(pl_module.device)


def decay_at(updates: int, decay: float) -> float:
    """The decay after a number of updates: an average of few steps should not hold on to random first weights.

    >>> [round(decay_at(updates, 0.99), 2) for updates in (0, 1, 10, 10_000)]
    [0.1, 0.18, 0.55, 0.99]
    """
    return min(decay, (1 + updates) / (10 + updates))
