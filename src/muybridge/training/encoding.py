"""Encoding clips once: the frozen part of a recognizer in front of the part that learns.

Source of the idea: with a fixed network below, an epoch need not repeat it (the bottleneck features of many transfer
learning guides); here for whole or partly frozen encoders, with a few augmented variants of each clip.

Axes: B clips, T frames, S steps in time, H, W, C.
"""

import dataclasses
import hashlib
import json

import numpy as np
import numpy.typing as npt
import torch

from muybridge.errors import UserError
from muybridge.models.network import RecognizerNet
from muybridge.recipes.cache import CacheConfig


class FrozenPart:
    """What comes before the first stage of a recognizer's encoder that learns, as a function on frames.

    Args:
        net: The recognizer; the frozen part must not change afterwards.
        bf16: Compute in bfloat16 where autocast deems it safe, as a training with that precision does.
        device: Where it computes.
    """

    def __init__(self, net: RecognizerNet, *, bf16: bool = False, device: torch.device) -> None:
        self._net = net
        self._bf16 = bf16
        self._device = device
        self.identity = _identity(net, bf16=bf16)

    def __call__(self, frames_BTHWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Activations (B, S, ...) of clips of equal length."""
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            net = self._net.to(self._device)
            activations = net.encode_lower(torch.from_numpy(frames_BTHWC).to(self._device))
            return np.asarray(activations.float().cpu().numpy())


def encodes_once(net: RecognizerNet, config: CacheConfig) -> bool:
    """Whether clips are to be encoded once.

    Raises:
        UserError: They are to be, but the encoder's first stage learns already; or they are not, and a probe needs it.
    """
    if config.features == "on" and not net.frozen_stages:
        raise UserError(
            f"cache.features is on, but all of the encoder learns (model.trainable {net.config.layers_to_train}); "
            "freeze some of it, for example model.trainable none, or say cache.features auto"
        )
    if config.features == "off" and net.config.head == "probe":
        raise UserError("cache.features is off, and model.head probe is fitted on kept features; set it to auto")
    return config.features == "on" or (config.features == "auto" and net.pools_when_frozen)


def _identity(net: RecognizerNet, *, bf16: bool) -> str:
    """A hash over the frozen stages' weights and all settings that bear on what they compute."""
    digest = hashlib.sha256()
    config = dataclasses.asdict(net.config)
    settings = {name: config[name] for name in ("encoder", "width", "encoder_output", "pooling")}
    if net.pool.places > 1:
        settings["tokens_per_side"] = net.config.tokens_per_side
    digest.update(json.dumps([settings, net.frozen_stages, net.pools_when_frozen, bf16], sort_keys=True).encode())
    stages = net.encoder.stages()[: net.frozen_stages]
    tensors = [tensor for stage in stages for tensor in stage.state_dict().values()]
    for tensor in (net.pixel_mean, net.pixel_std, *tensors):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
