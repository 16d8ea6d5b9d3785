"""The scores of a network for clips that are in the cache, as frames or as kept activations.

Axes: B clips of a batch, S steps in time, D features, N examples, K classes.
"""

import torch
from torch import Tensor

from muybridge import ranks
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.batches import ActivationBatch, Batch, Examples
from muybridge.pipeline.loader import make_loader

# Kept activations are small; frames are not.
BATCH_CLIPS = 8


def features_of(net: RecognizerNet, batch: Batch | ActivationBatch) -> tuple[Tensor, Tensor | None]:
    """features_BSD and the steps of each clip, from frames or from what the frozen part made of them."""
    if isinstance(batch, ActivationBatch):
        features_BSD = net.encode_upper(batch.activations.to(net.pixel_mean.dtype), batch.steps_B)
    else:
        features_BSD = net.encode(batch.frames_BTHWC, batch.lengths_B)
    return features_BSD, net.step_lengths(batch.lengths_B)


def score_examples(net: RecognizerNet, examples: Examples, *, device: torch.device) -> Tensor:
    """logits_NK of examples in their order, float64, on the CPU; the network is left in evaluation mode.

    Several processes each score a share of them.
    """
    return ranks.together(_score_share, net.cpu(), examples, device=device)


def _score_share(net: RecognizerNet, examples: Examples, *, device: torch.device) -> Tensor:
    place, count = ranks.place(), len(examples)
    net = net.to(device).eval()
    logits = [torch.empty(0, net.class_count)]
    size = BATCH_CLIPS * place.size
    batches = make_loader(examples, batch_size=size, shuffle=False, seed=0, workers=0, place=place, lanes=1)
    with torch.inference_mode():
        for batch in batches:
            moved = type(batch)(*(part if part is None else part.to(device) for part in batch))
            logits.append(net.classify(*features_of(net, moved)).float().cpu())
    own_NK = torch.cat(logits)[: len(range(place.rank, count, place.size))].double()
    all_NK = torch.empty(count, net.class_count, dtype=torch.float64)
    for rank, part_NK in enumerate(ranks.gathered(own_NK)):
        all_NK[rank :: place.size] = part_NK
    return all_NK
