"""The scores of a network for clips that are in the cache, as frames or as kept activations.

Axes: B clips of a batch, S steps in time, D features, N examples, K classes.
"""

import torch
from torch import Tensor

from muybridge.models.network import RecognizerNet
from muybridge.pipeline.batches import ActivationBatch, Batch, Examples
from muybridge.pipeline.loader import make_loader

# Kept activations are small; frames are not.
BATCH_CLIPS = 8


def features_of(net: RecognizerNet, batch: Batch | ActivationBatch) -> tuple[Tensor, Tensor | None]:
    """features_BSD and the steps of each clip, from frames or from what the frozen part made of them."""
    if isinstance(batch, ActivationBatch):
        features_BSD = net.encode_upper(batch.activations.float(), batch.steps_B)
    else:
        features_BSD = net.encode(batch.frames_BTHWC, batch.lengths_B)
    return features_BSD, net.step_lengths(batch.lengths_B)


def score_examples(net: RecognizerNet, examples: Examples, *, device: torch.device) -> Tensor:
    """logits_NK of examples in their order, float64, on the CPU; the network is left in evaluation mode."""
    net = net.to(device).eval()
    logits = [torch.empty(0, net.class_count)]
    with torch.inference_mode():
        for batch in make_loader(examples, batch_size=BATCH_CLIPS, shuffle=False, seed=0, workers=0):
            moved = type(batch)(*(part if part is None else part.to(device) for part in batch))
            logits.append(net.classify(*features_of(net, moved)).float().cpu())
    return torch.cat(logits).double().clone()
