"""Torch: the trained network as it is, or prepared for inference.

A prepared network has its batch norms folded into the convolutions before them, and with bf16 its encoder computes in
bfloat16. On disk it is a safetensors file and a list of what was folded: the code that computes is ours, so loading
runs nothing from the file. (A ``torch.export`` archive would be a program in a file; and torch unrolls an LSTM while
it writes one, which fixes the number of frames.)

Axes: B clips, T frames, N images, C channels, H, W, K classes.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from muybridge.errors import UserError
from muybridge.inference.engines.engine import Engine, Frames, Logits, Precision
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.batches import Item, collate_frames

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

Folded = tuple[tuple[str, str], ...]
"""Names of convolutions with that of the batch norm folded into each."""


class TorchEngine(Engine):
    """A network in torch, on any device; clips of different lengths are computed together.

    Args:
        net: The network.
        device: Where it computes.
        name: What a user calls it.
    """

    def __init__(self, net: RecognizerNet, *, device: torch.device, name: str = "torch") -> None:
        self.net = net.to(device).eval()
        self.device = device
        self.name = name

    @torch.inference_mode()
    def score(self, clips: Sequence[Frames]) -> Logits:
        """Score clips; see ``Engine``."""
        batch = collate_frames([Item(frames_THWC, 0) for frames_THWC in clips])
        logits_BK = self.net(batch.frames_BTHWC.to(self.device), batch.lengths_B.to(self.device))
        return np.asarray(logits_BK.float().cpu().numpy())


def prepare(net: RecognizerNet, example_BTHWC: Tensor, precision: Precision) -> tuple[RecognizerNet, Folded]:
    """A copy of a network for inference only.

    Args:
        net: The trained network.
        example_BTHWC: Any clip; it shows which batch norm follows which convolution.
        precision: ``fp32`` or ``bf16``.

    Returns:
        The prepared network, on the CPU, and what was folded in it.
    """
    prepared = copy.deepcopy(net).cpu().eval()
    folded = _batch_norms_after_convolutions(prepared, example_BTHWC)
    for convolution, norm in folded:
        fused = fuse_conv_bn_eval(prepared.get_submodule(convolution), prepared.get_submodule(norm))  # type: ignore[arg-type, type-var]
        _replace(prepared, convolution, fused)
        _replace(prepared, norm, nn.Identity())
    _finish(prepared, precision)
    return prepared, folded


def save_prepared(path: Path, prepared: RecognizerNet) -> None:
    """Save the tensors of a prepared network."""
    save_file({name: tensor.detach().contiguous() for name, tensor in prepared.state_dict().items()}, path)


def load_prepared(path: Path, blank: RecognizerNet, folded: Folded, precision: Precision) -> RecognizerNet:
    """Load a prepared network.

    Args:
        path: What ``save_prepared`` wrote.
        blank: A network of the same configuration, with any weights; it is changed.
        folded: What ``prepare`` returned.
        precision: As given to ``prepare``.

    Raises:
        UserError: If these do not fit together.
    """
    try:
        for convolution, norm in folded:
            layer = blank.get_submodule(convolution)
            if not isinstance(layer, CONVOLUTIONS):
                raise UserError(f"{path} is damaged: {convolution} is no convolution; export again")
            layer.bias = nn.Parameter(layer.weight.new_zeros(layer.weight.shape[0]))
            _replace(blank, norm, nn.Identity())
        _finish(blank, precision)
        blank.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, AttributeError, OSError) as error:
        raise UserError(f"{path} is damaged ({error}); export again") from error
    return blank.eval()


def _finish(net: RecognizerNet, precision: Precision) -> None:
    if precision == "bf16":
        # The encoder alone computes in bfloat16, between neighbours that do not.
        net.encoder.bfloat16()
        net.encoder.register_forward_pre_hook(lambda _encoder, inputs: (inputs[0].bfloat16(),))
        net.encoder.register_forward_hook(lambda _encoder, _inputs, maps: maps.float())
    net.requires_grad_(False)


@torch.inference_mode()
def _batch_norms_after_convolutions(net: RecognizerNet, example_BTHWC: Tensor) -> Folded:
    """Pairs of a convolution and the batch norm that takes its very output, both called once."""
    outputs: dict[int, tuple[str, Tensor]] = {}
    pairs: list[tuple[str, str]] = []
    calls: dict[str, int] = {}
    handles = []

    def record(name: str, module: nn.Module) -> None:
        def after(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            calls[name] = calls.get(name, 0) + 1
            if isinstance(module, CONVOLUTIONS):
                outputs[id(output)] = name, output  # held, so that no other tensor takes its id
            elif id(inputs[0]) in outputs:
                pairs.append((outputs[id(inputs[0])][0], name))

        handles.append(module.register_forward_hook(after))

    for name, module in net.named_modules():
        if isinstance(module, CONVOLUTIONS + BATCH_NORMS):
            record(name, module)
    # One frame shows as much as many, which might go through the encoder in several chunks.
    net(example_BTHWC[:, :1])
    for handle in handles:
        handle.remove()
    return tuple(pair for pair in pairs if all(calls[name] == 1 for name in pair))


def _replace(net: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(net.get_submodule(parent), child, module)
