"""The learning rate over the steps of a training, as a share of the highest."""

import math


def rate_factor(step: int, *, total: int, warmup: int, kind: str, held: int = 0) -> float:
    """Share of the highest rate at a step: nothing while held, linear warm-up, then cosine to zero (or constant).

    Training the head first, then all, keeps pretrained features from being bent towards a random head
    (Kumar et al., Fine-Tuning can Distort Pretrained Features, 2022).

    Args:
        step: Optimiser steps done.
        total: Steps of the whole training.
        warmup: Steps of warm-up.
        kind: ``"cosine"`` or ``"constant"``.
        held: First steps at rate zero; warm-up follows.
    """
    if step < held:
        return 0.0
    rise = min(1.0, (step - held + 1) / (warmup + 1))
    if kind == "constant":
        return rise
    progress = min(1.0, max(0, step - warmup) / max(1, total - warmup))
    return rise * 0.5 * (1 + math.cos(math.pi * progress))
