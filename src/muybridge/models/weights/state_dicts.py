"""Putting a file of published weights into an encoder: strictly, and without running code from the file.

Safetensors and HDF5 hold nothing but arrays; torch's own files are read as plain tensors only.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from muybridge.errors import UserError
from muybridge.models.encoders.densenet import DenseNet121, modern_keys
from muybridge.models.encoders.encoder import Encoder
from muybridge.models.weights.keras_weights import read_keras_mobilenet


def load_pretrained(encoder: Encoder, path: Path) -> None:
    """Load the weights in a file into an encoder.

    Every tensor of the encoder must be there in its shape, and nothing else may be, but for a classifier
    that the encoder does not use. Numbers of half precision are widened.

    Args:
        encoder: The encoder to fill.
        path: A .safetensors, .pth, .pt or .pyth file, or one without suffix, under the encoder's published keys
            (timm's for MobileNet and EfficientNet, pytorch-i3d's for I3D, pytorchvideo's for SlowFast,
            MoViNet-pytorch's for MoViNet, else torchvision's), or Keras's .h5 of a MobileNet.

    Raises:
        UserError: The file cannot be read, or does not fit.
    """
    state = _read(path)
    if isinstance(encoder, DenseNet121):
        state = modern_keys(state)
    state = {key: value for key, value in state.items() if not key.startswith(encoder.unused_keys)}
    expected = encoder.state_dict()
    # Counts of batches are bookkeeping that older files lack.
    counts = {key: value for key, value in expected.items() if key.endswith("num_batches_tracked")}
    state = counts | dict(state)

    problems = {
        "lacks": sorted(expected.keys() - state.keys()),
        "has unknown": sorted(state.keys() - expected.keys()),
        "has another shape for": [
            f"{key} {tuple(state[key].shape)}, not {tuple(value.shape)}"
            for key, value in expected.items()
            if key in state and state[key].shape != value.shape
        ],
    }
    misfit = "; ".join(f"it {problem} {_first(names)}" for problem, names in problems.items() if names)
    if misfit:
        raise UserError(
            f"{path} does not fit {type(encoder).__name__} with output {encoder.output!r}: {misfit}; name another file "
            "with model.weights"
        )
    encoder.load_state_dict(state)


def _read(path: Path) -> Mapping[str, Tensor]:
    """Read a file of tensors by its suffix, without running any code it may hold."""
    suffix = path.suffix.lower()
    if suffix in (".h5", ".hdf5"):
        return read_keras_mobilenet(path)
    if suffix not in (".safetensors", ".pth", ".pt", ".pyth", ""):  # MoViNet-pytorch's files have none
        raise UserError(f"{path} is not a file of weights; give a .safetensors, .pth, .pt, .pyth or Keras .h5 file")
    try:
        state = load_file(path) if suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as plain tensors; it is damaged, or holds other objects, "
            "which are refused because reading them could run code; get it anew, or save its state_dict() alone"
        ) from error
    if isinstance(state, Mapping) and isinstance(state.get("model_state"), Mapping):
        state = state["model_state"]  # pytorchvideo's files hold a checkpoint
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} holds no plain table of named tensors; save the model's state_dict() alone")
    return state


def _first(names: list[str], count: int = 3) -> str:
    more = len(names) - count
    return ", ".join(names[:count]) + (f" and {more} more" if more > 0 else "")
