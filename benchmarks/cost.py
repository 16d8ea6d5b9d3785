"""What a recognizer costs: parameters, and multiply-adds per clip, counted by running it on shapes alone."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from muybridge.models.encoders.encoder import FrameEncoder
from muybridge.models.network import RecognizerNet


@dataclass(frozen=True)
class Cost:
    """The size of a recognizer and the work of one clip."""

    parameters: int
    trainable_parameters: int
    # Multiply-adds (MACs) of convolutions and matrix products; papers often call these FLOPs.
    encoder_macs_per_frame: int  # a video encoder's are shared out among the frames of the clip
    macs_per_clip: int


def measure_cost(net: RecognizerNet, *, frame_count: int, size_px: int) -> Cost:
    """Count parameters and multiply-adds of a recognizer for one clip of square frames."""
    shapes = copy.deepcopy(net).to("meta").eval()
    shape = (size_px, size_px) if isinstance(shapes.encoder, FrameEncoder) else (frame_count, size_px, size_px)
    frames_seen = 1 if isinstance(shapes.encoder, FrameEncoder) else frame_count
    clip_BTHWC = torch.empty(1, frame_count, size_px, size_px, 3, device="meta")
    return Cost(
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        trainable_parameters=sum(p.numel() for p in net.parameters() if p.requires_grad),
        encoder_macs_per_frame=count_macs(shapes.encoder, torch.empty(1, 3, *shape, device="meta")) // frames_seen,
        macs_per_clip=count_macs(shapes, clip_BTHWC),
    )


def count_macs(module: nn.Module, *inputs: torch.Tensor) -> int:
    """Count the multiply-adds of convolutions and matrix products in one forward pass."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*inputs)
    # The counter takes a multiplication and an addition as two.
    return int(counter.get_total_flops()) // 2


def count_training_macs(
    net: RecognizerNet, *, frame_count: int, size_px: int, kept: tuple[int, ...] | None = None
) -> int:
    """Count the multiply-adds of one clip's forward and backward pass; what is frozen has no backward pass.

    Args:
        net: The network.
        frame_count: T.
        size_px: H and W.
        kept: Shape (S, ...) of the clip's activations where the frozen part is not run.
    """
    shapes = copy.deepcopy(net).to("meta").train()
    clip_BTHWC = torch.empty(1, frame_count, size_px, size_px, 3, device="meta")
    counts = {torch.ops.aten.convolution_backward: _convolution_backward_flops}
    with FlopCounterMode(display=False, custom_mapping=counts) as counter:
        if kept is None:
            logits_BK = shapes(clip_BTHWC)
        else:
            logits_BK = shapes.classify(shapes.encode_upper(torch.empty(1, *kept, device="meta")))
        logits_BK.sum().backward()
    return int(counter.get_total_flops()) // 2


def _convolution_backward_flops(
    gradient: Sequence[int],
    _inputs: Sequence[int],
    weight: Sequence[int],
    *arguments: Any,
    out_val: Any = None,
    **_named: Any,
) -> int:
    """As many as forward for each of the two gradients that are asked for; torch's own count ignores groups."""
    asked_for: Sequence[bool] = arguments[-1]
    return int(2 * gradient[0] * math.prod(gradient[2:]) * math.prod(weight) * sum(asked_for[:2]))
