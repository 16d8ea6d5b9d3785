"""A figure over the clips of an epoch so far, which a checkpoint inside the epoch keeps."""

import torch
from torch import Tensor
from torchmetrics import Metric


class EpochMean(Metric):
    """The mean of a figure of batches, weighted by their clips; NaN stays NaN.

    torchmetrics' own `MeanMetric` takes no weights where it is to keep NaN. What the processes have is summed before it
    comes here.
    """

    total: Tensor
    clips: Tensor

    def __init__(self) -> None:
        super().__init__(sync_on_compute=False)
        for name in ("total", "clips"):
            self.add_state(name, torch.tensor(0.0, dtype=torch.get_default_dtype()), dist_reduce_fx="sum")

    def update(self, figure: Tensor, clips: int) -> None:
        """Add a batch."""
        self.total = self.total + figure * clips
        self.clips = self.clips + clips

    def compute(self) -> Tensor:
        """The mean."""
        return self.total / self.clips

    def sums(self) -> list[float]:
        """What the mean is made of."""
        return [float(self.total), float(self.clips)]

    def take_up(self, sums: list[float]) -> None:
        """Go on with what ``sums`` returned."""
        self.total, self.clips = (torch.full_like(self.total, value) for value in sums)
