"""Batch norms that see the clips of all processes that train together.

Notable: torch's own synchronised batch norm computes on GPUs only. This one runs wherever processes can add up a
tensor, in any precision, so that what several processes learn can be compared with what one learns, on a CPU, too.

Axes: N images or clips, C channels.
"""

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from muybridge import ranks

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class SharedBatchNorm(nn.Module):
    """Batch norm over the clips of all processes that train together; of one process it is torch's own.

    Attributes:
        counts: Whether this process's input counts, where several train together.
    """

    counts: bool = True
    # Those of torch's batch norms, one of which stands next to this class among a layer's bases.
    eps: float
    momentum: float | None
    affine: bool
    track_running_stats: bool
    weight: nn.Parameter
    bias: nn.Parameter
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise maps (N, C, ...)."""
        if not self.training or ranks.size() == 1:
            result: Tensor = super().forward(maps)
            return result
        return self._over_processes(maps)

    def _over_processes(self, maps: Tensor) -> Tensor:
        wide = maps.float() if maps.dtype in (torch.float16, torch.bfloat16) else maps
        axes = [axis for axis in range(maps.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(maps.ndim)]
        share = 1.0 if self.counts else 0.0
        count = wide.new_tensor([share * maps.numel() / maps.shape[1]])
        # Distances from the mean first: squares of large numbers would lose their digits.
        sums = _summed(torch.cat([wide.sum(dim=axes) * share, count]))
        total = sums[-1].detach()
        mean_C = sums[:-1] / total
        centred = wide - mean_C.view(shape)
        variance_C = _summed(centred.square().sum(dim=axes) * share) / total
        if self.track_running_stats and self.running_mean is not None and self.running_var is not None:
            with torch.no_grad():
                if self.num_batches_tracked is not None:
                    self.num_batches_tracked.add_(1)
                assert self.momentum is not None  # no encoder here asks for a plain mean over all batches
                weight = self.momentum
                unbiased_C = variance_C * (total / (total - 1).clamp(min=1))
                self.running_mean.lerp_(mean_C.to(self.running_mean), weight)
                self.running_var.lerp_(unbiased_C.to(self.running_var), weight)
        result = centred * (variance_C + self.eps).rsqrt().view(shape)
        if self.affine:
            result = result * self.weight.view(shape) + self.bias.view(shape)
        normal: Tensor = result.to(maps.dtype)
        return normal


class _Sum(torch.autograd.Function):
    """The sum over all processes, whose gradient is the sum of theirs."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(context, gradient)


def _summed(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


def takes_statistics(
    module: nn.Module,
) -> TypeGuard[nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm]:
    """Whether a layer normalises by the statistics of the batch, as it stands."""
    return isinstance(module, BATCH_NORMS) and module.training
