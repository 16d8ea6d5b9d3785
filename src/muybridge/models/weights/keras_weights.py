"""Keras's published MobileNet v1 files, re-laid into timm's key names.

Keras stores one HDF5 group per layer. The names below a group changed between versions (``conv1/kernel:0``,
``conv1_1/kernel:0``), so a tensor is known by its layer and the last part of its name. Kernels turn from
height, width, input, output to output, input, height, width.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from muybridge.errors import UserError
from muybridge.models.encoders.mobilenet import STAGES

BATCH_NORM_PARTS = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

Parts = dict[str, tuple[str, tuple[int, ...]]]
"""Of one layer: Keras's tensor name to timm's and the order of axes."""


def read_keras_mobilenet(path: Path) -> dict[str, Tensor]:
    """Read a Keras MobileNet v1 weight file, with or without its classifier ("no_top").

    Args:
        path: An HDF5 file written by Keras 2 (``save_weights`` or ``save``).

    Returns:
        The tensors under timm's names.

    Raises:
        UserError: The file is no HDF5 file, or no MobileNet v1 of Keras.
    """
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            arrays = {layer: _leaves(group) for layer, group in root.items() if isinstance(group, h5py.Group)}
    except OSError as error:
        raise UserError(f"{path} is not a readable HDF5 file ({error}); download it again") from error

    state: dict[str, Tensor] = {}
    try:
        for layer, prefix, parts in _layout():
            for leaf, (name, axes) in parts.items():
                state[f"{prefix}.{name}"] = torch.from_numpy(arrays[layer][leaf].transpose(axes).copy())
        if arrays.get("conv_preds"):
            # Keras classifies with a 1x1 convolution; timm with a linear layer.
            state["classifier.weight"] = torch.from_numpy(arrays["conv_preds"]["kernel"][0, 0].T.copy())
            state["classifier.bias"] = torch.from_numpy(arrays["conv_preds"]["bias"])
    except (KeyError, ValueError, IndexError) as error:
        raise UserError(
            f"{path} is not a MobileNet v1 as Keras saves it: no fitting tensor for {error}; name another file with "
            "model.weights"
        ) from error
    return state


def _leaves(group: h5py.Group) -> dict[str, np.ndarray]:
    """Read every data set below a group, by the last part of its name without the ":0"."""
    leaves: dict[str, np.ndarray] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            leaves[name.rsplit("/", 1)[-1].split(":")[0]] = item[()]

    group.visititems(visit)
    return leaves


def _layout() -> Iterator[tuple[str, str, Parts]]:
    """Yield Keras's layer name, timm's prefix, and the tensors of the layer."""
    convolution: Parts = {"kernel": ("weight", (3, 2, 0, 1))}
    # Keras: height, width, channel, 1. Torch: channel, 1, height, width.
    depthwise: Parts = {"depthwise_kernel": ("weight", (2, 3, 0, 1))}
    batch_norm: Parts = {keras: (torch_name, (0,)) for keras, torch_name in BATCH_NORM_PARTS.items()}
    yield "conv1", "conv_stem", convolution
    yield "conv1_bn", "bn1", batch_norm
    places = [(stage, index) for stage, blocks in enumerate(STAGES) for index in range(len(blocks))]
    for number, (stage, index) in enumerate(places, start=1):
        prefix = f"blocks.{stage}.{index}"
        yield f"conv_dw_{number}", f"{prefix}.conv_dw", depthwise
        yield f"conv_dw_{number}_bn", f"{prefix}.bn1", batch_norm
        yield f"conv_pw_{number}", f"{prefix}.conv_pw", convolution
        yield f"conv_pw_{number}_bn", f"{prefix}.bn2", batch_norm
