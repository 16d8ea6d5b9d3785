"""Encoding clips once: the frozen part of a recognizer in front of the part that learns.

Source of the idea: with a fixed network below, an epoch need not repeat it (the bottleneck features of many transfer
learning guides); here for whole or partly frozen encoders, with a few augmented variants of each clip.

Axes: B clips, T frames, S steps in time, H, W, C.
"""

import copy
import dataclasses
import hashlib
import json
import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from muybridge.errors import UserError
from muybridge.models.network import RecognizerNet
from muybridge.models.prepared import has_parts_for_bf16, prepared_copy
from muybridge.recipes.cache import CacheConfig
from muybridge.threads import network_workers

_WAY = 4
"""Changes whenever the same weights are made to give other numbers, be it in the last bits."""


class FrozenPart:
    """What comes before the first stage of a recognizer's encoder that learns, as a function on frames.

    A wholly frozen encoder computes as it will for the trained model's answers (``models.prepared``). The features of
    one clip agree with those to a cosine of 0.99999 in one precision, and of 0.9999 between float32 and bfloat16. They
    do not depend on which clips are computed next to it. What is kept of a partly frozen encoder is in float32.

    Args:
        net: The recognizer; the frozen part must not change afterwards.
        bf16: Compute in bfloat16 in those encoders whose features stay what they are.
        device: Where it computes.

    Attributes:
        identity: Names what it computes: equal for equal weights and settings.
        workers: How many threads are to call it, each with one clip; on a GPU one, with batches.
    """

    def __init__(self, net: RecognizerNet, *, bf16: bool = False, device: torch.device) -> None:
        self._net = net
        self._asks_bf16 = bf16
        self._bf16 = bf16 and net.pools_when_frozen and has_parts_for_bf16(net)
        self._device = device
        self._prepared: RecognizerNet | None = None
        self._lock = threading.Lock()
        self.identity = _identity(net, bf16=self._bf16)
        self.workers = network_workers(device)

    def __reduce__(self) -> tuple[Any, ...]:
        """As it goes to another process: computed by the device there, and without what is made ready here."""
        return _frozen_part, (copy.deepcopy(self._net).cpu(), self._asks_bf16, self._device)

    @torch.inference_mode()
    def __call__(self, frames_BTHWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Activations (B, S, ...) of clips of equal length; safe to call in threads."""
        clips_BTHWC = torch.from_numpy(frames_BTHWC).to(self._device)
        net = self._ready(clips_BTHWC)
        if not net.pools_when_frozen:
            activations = net.encode_lower(clips_BTHWC)
        elif self._device.type == "cpu":
            # One after the other: together they leave the processor's caches.
            activations = torch.cat([net.encode(clip_THWC[None]) for clip_THWC in clips_BTHWC])
        else:
            activations = net.encode(clips_BTHWC)
        return np.asarray(activations.float().cpu().numpy())

    def _ready(self, example_BTHWC: torch.Tensor) -> RecognizerNet:
        with self._lock:
            if self._prepared is None:
                net = self._net.to(self._device)
                self._prepared = prepared_copy(net, example_BTHWC, bf16=self._bf16)
            return self._prepared


def _frozen_part(net: RecognizerNet, bf16: bool, device: torch.device) -> FrozenPart:
    return FrozenPart(net, bf16=bf16, device=device)


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
    settings = {name: config[name] for name in ("encoder", "width", "pooling")} | {"encoder_output": net.config.output}
    if net.pool.places > 1:
        settings["tokens_per_side"] = net.config.tokens_per_side
    digest.update(json.dumps([_WAY, settings, net.frozen_stages, net.pools_when_frozen, bf16], sort_keys=True).encode())
    stages = net.encoder.stages()[: net.frozen_stages]
    tensors = [tensor for stage in stages for tensor in stage.state_dict().values()]
    for tensor in (net.pixel_mean, net.pixel_std, *tensors):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
