"""Torch: the trained network, prepared for inference when it is first needed, or as an export.

An export has its batch norms folded into the convolutions before them, and with bf16 its encoder computes in
bfloat16, whichever it is. On disk it is a safetensors file and a list of what was folded: the code that computes is
ours, so loading runs nothing from the file. (A ``torch.export`` archive would be a program in a file; and torch unrolls
an LSTM while it writes one, which fixes the number of frames.)

Axes: B clips, T frames, N images, C channels, H, W, K classes.
"""

import copy
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.inference.engines.engine import Engine, Frames, Logits, Precision
from muybridge.models.network import RecognizerNet
from muybridge.models.prepared import (
    CONVOLUTIONS,
    Folded,
    compute_in_bf16,
    fold_batch_norms,
    prepared_copy,
    replace_module,
)
from muybridge.pipeline.batches import Item, collate_frames
from muybridge.system import computes_in_bf16
from muybridge.threads import network_workers


class TorchEngine(Engine):
    """A network in torch, on any device; clips of different lengths are computed together.

    What computes is a copy of the encoder, prepared for inference at the first clip. A wholly frozen encoder, whose
    kept features a head was fitted on, computes as it did then: in bfloat16 where it may (see ``models.prepared``).

    Args:
        net: The network; its encoder must not change after the first clip.
        device: Where it computes.
        name: What a user calls it.
        precision: ``fp32`` for that in any case; None: as above.
        prepare: False for a network that is prepared already.
    """

    def __init__(
        self,
        net: RecognizerNet,
        *,
        device: torch.device,
        name: str = "torch",
        precision: Literal["fp32"] | None = None,
        prepare: bool = True,
    ) -> None:
        self.net = net.to(device).eval()
        self.device = device
        self.name = name
        self.workers = network_workers(device)
        self._bf16 = precision is None and net.pools_when_frozen and computes_in_bf16(device)
        self._prepared = None if prepare else net
        self._lock = threading.Lock()

    @torch.inference_mode()
    def score(self, clips: Sequence[Frames]) -> Logits:
        """Score clips; see ``Engine``."""
        batch = collate_frames([Item(frames_THWC, 0) for frames_THWC in clips])
        frames_BTHWC = batch.frames_BTHWC.to(self.device)
        logits_BK = self.prepared(frames_BTHWC)(frames_BTHWC, batch.lengths_B.to(self.device))
        return np.asarray(logits_BK.float().cpu().numpy())

    @torch.inference_mode()
    def prepared(self, example_BTHWC: Tensor) -> RecognizerNet:
        """The network that computes, prepared at the first call.

        Args:
            example_BTHWC: Any clip, on the device; see ``models.prepared``.
        """
        with self._lock:
            if self._prepared is None:
                self._prepared = prepared_copy(self.net, example_BTHWC, bf16=self._bf16)
            return self._prepared


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
    folded = fold_batch_norms(prepared, example_BTHWC)
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
            replace_module(blank, norm, nn.Identity())
        _finish(blank, precision)
        blank.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, AttributeError, OSError) as error:
        raise UserError(f"{path} is damaged ({error}); export again") from error
    return blank.eval()


def _finish(net: RecognizerNet, precision: Precision) -> None:
    if precision == "bf16":
        compute_in_bf16(net.encoder)
    net.requires_grad_(False)
