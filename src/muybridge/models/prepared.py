"""A network for inference: batch norms folded, layers in the form that a CPU likes, bfloat16 where that holds.

Encoding clips for a training and answering with the trained model take the same way through here, so that a classifier
sees the features that it was fitted on.

Axes: B clips, T frames, N images, C channels, H, W.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from muybridge.models.encoders.adapted import Adapted
from muybridge.models.encoders.encoder import Encoder, Settling
from muybridge.models.network import RecognizerNet

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

Folded = tuple[tuple[str, str], ...]
"""Names of convolutions with that of the batch norm folded into each."""


def prepared_copy(net: RecognizerNet, example_BTHWC: Tensor, *, bf16: bool) -> RecognizerNet:
    """A network with an encoder of its own for inference; all behind the encoder is shared.

    Encoders of other libraries stay as they are, not copied: they are large, and have little to fold.

    Args:
        net: The network, on its device; it is not changed, and its encoder must not change afterwards.
        example_BTHWC: Any clip, there, too; it shows which batch norm follows which convolution.
        bf16: Compute in bfloat16 in those encoders whose features stay what they are (``Encoder.true_in_bf16``); those
            of other libraries where autocast deems it safe.
    """
    own = None if isinstance(net.encoder, Adapted) else net.encoder
    prepared = copy.deepcopy(net, {id(child): child for child in net.children() if child is not own})
    prepared.training = False
    if isinstance(net.encoder, Adapted):
        if bf16:
            prepared.encoder = _under_autocast(net.encoder)  # type: ignore[assignment]
        return prepared
    prepared.encoder.eval().requires_grad_(False)
    fold_batch_norms(prepared, example_BTHWC)
    for module in prepared.encoder.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
        elif isinstance(module, nn.Conv3d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last_3d)
    if example_BTHWC.device.type == "cpu":
        for module in prepared.encoder.modules():
            if isinstance(module, Settling):
                module.settle()
    if bf16:
        for module in list(prepared.encoder.modules()):
            if isinstance(module, Encoder) and module.true_in_bf16:
                compute_in_bf16(module)
    return prepared


def has_parts_for_bf16(net: RecognizerNet) -> bool:
    """Whether ``prepared_copy`` in bfloat16 is another than in float32."""
    encoders = [module for module in net.encoder.modules() if isinstance(module, Encoder)]
    return isinstance(net.encoder, Adapted) or any(encoder.true_in_bf16 for encoder in encoders)


def fold_batch_norms(net: RecognizerNet, example_BTHWC: Tensor) -> Folded:
    """Fold every batch norm of a network's encoder that directly follows a convolution, in place.

    Args:
        net: In evaluation mode.
        example_BTHWC: Any clip.

    Returns:
        What was folded.
    """
    folded = _batch_norms_after_convolutions(net, example_BTHWC)
    for convolution, norm in folded:
        fused = fuse_conv_bn_eval(net.get_submodule(convolution), net.get_submodule(norm))  # type: ignore[arg-type, type-var]
        replace_module(net, convolution, fused)
        replace_module(net, norm, nn.Identity())
    return folded


def compute_in_bf16(encoder: nn.Module) -> None:
    """Let an encoder compute in bfloat16, weights and all, between neighbours that do not; in place."""
    encoder.bfloat16()
    encoder.register_forward_pre_hook(lambda _encoder, inputs: (inputs[0].bfloat16(),))
    encoder.register_forward_hook(lambda _encoder, _inputs, maps: maps.float())


def replace_module(net: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of the one with this dotted name."""
    parent, _, child = name.rpartition(".")
    setattr(net.get_submodule(parent), child, module)


def _under_autocast(encoder: Adapted) -> Adapted:
    """The same encoder, computing under autocast; it shares its weights."""
    shared = copy.copy(encoder)
    forward: Callable[[Tensor], Tensor] = shared.forward

    def cast(maps: Tensor) -> Tensor:
        with torch.autocast(maps.device.type, torch.bfloat16):
            return forward(maps).float()

    shared.forward = cast
    return shared


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
    net.encode(example_BTHWC[:1, :1])
    for handle in handles:
        handle.remove()
    return tuple(pair for pair in pairs if all(calls[name] == 1 for name in pair))
