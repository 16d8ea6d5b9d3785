"""What a recognizer costs: parameters, and multiply-adds per clip, counted by running it on shapes alone."""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from muybridge.models.encoder import FrameEncoder
from muybridge.models.recognizer import RecognizerNet


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
