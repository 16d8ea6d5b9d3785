"""TensorFlow's "same" padding: ceil(size / stride) positions come out, whatever the size.

Axes: N images, D features, H height, W width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muybridge.models.encoders.encoder import Settling


def same_padding(size: int, kernel_size: int, stride: int) -> tuple[int, int]:
    """Rows (or columns) of zeros before and after, so that the output has ceil(size / stride) of them.

    The odd one goes after, as in TensorFlow: ``same_padding(224, 3, 2) == (0, 1)``.
    """
    # Nothing negative is divided: ONNX would round it towards zero. And in a graph for any size no branch is taken.
    output_size = (size + stride - 1) // stride
    total: int = torch.sym_max(0, (output_size - 1) * stride + kernel_size - size)  # type: ignore[no-untyped-call]
    return total // 2, total - total // 2


def pad_same(maps_NDHW: Tensor, kernel_size: int, stride: int) -> Tensor:
    """Add the zeros that a square kernel needs below and above, right and left."""
    height, width = maps_NDHW.shape[-2:]
    return F.pad(maps_NDHW, (*same_padding(width, kernel_size, stride), *same_padding(height, kernel_size, stride)))


class SameConv2d(Settling, nn.Conv2d):
    """A convolution with a square kernel of odd size and "same" padding.

    Settled, it pads no copy of the maps. Where one more row is needed after them than before, the kernel gets a row of
    zeros in front in its place: then both sides need the same, which convolutions add without a copy.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel_size: Height and width of the kernel.
        stride: The same along both axes.
        groups: Groups of channels; as many as channels for a depthwise convolution.
        bias: Whether a bias is added.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel_size: int, stride: int = 1, *, groups: int = 1, bias: bool = False
    ) -> None:
        # Without a stride both sides get the same at every size, and no padded copy is needed.
        padding = kernel_size // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel_size, stride, padding, groups=groups, bias=bias)

    def forward(self, maps_NDHW: Tensor) -> Tensor:
        """Convolve: (N, outputs, ceil(H / stride), ceil(W / stride))."""
        if self.stride[0] == 1:
            return super().forward(maps_NDHW)
        if not self.settled:
            return super().forward(pad_same(maps_NDHW, self.kernel_size[0], self.stride[0]))
        (top, bottom), (left, right) = (
            same_padding(size, self.kernel_size[0], self.stride[0]) for size in maps_NDHW.shape[-2:]
        )
        weight = F.pad(self.weight, (right - left, 0, bottom - top, 0))
        return F.conv2d(maps_NDHW, weight, self.bias, self.stride, (bottom, right), groups=self.groups)


class SamePool(Settling):
    """Averages 3x3 positions at stride 2; where the window reaches beyond the edge, over those that there are."""

    def forward(self, maps_NDHW: Tensor) -> Tensor:
        """Pool: (N, D, ceil(H / 2), ceil(W / 2))."""
        if not self.settled:
            ones = torch.ones_like(maps_NDHW[:1, :1])
            sums, counts = (F.avg_pool2d(pad_same(maps, 3, 2), 3, 2) for maps in (maps_NDHW, ones))
            return sums / counts
        # An odd size needs a row on both sides, an even one a row after: the one that ceil_mode stands for.
        height, width = maps_NDHW.shape[-2:]
        return F.avg_pool2d(maps_NDHW, 3, 2, padding=(height % 2, width % 2), ceil_mode=True, count_include_pad=False)
