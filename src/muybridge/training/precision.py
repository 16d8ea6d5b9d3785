"""In which precision a training computes."""

import torch

from muybridge.recipes.training import TrainingConfig
from muybridge.system import computes_in_bf16


def uses_bf16(config: TrainingConfig, device: torch.device) -> bool:
    """Whether a training computes in bfloat16; ``auto`` is yes only on a GPU that does."""
    if config.precision != "auto":
        return config.precision == "bf16"
    return device.type == "cuda" and computes_in_bf16(device)


def encodes_in_bf16(config: TrainingConfig, device: torch.device) -> bool:
    """The same for a frozen encoder whose output is kept, in 16 bits anyway; ``auto`` is yes wherever hardware does."""
    if config.precision != "auto" or device.type != "cpu":
        return uses_bf16(config, device)
    return computes_in_bf16(device)
