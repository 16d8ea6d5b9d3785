"""Mixup and cutmix over the clips of a batch: new clips between two, with targets between their classes.

Notable: what is drawn comes from a NumPy generator that the caller seeds, so it does not depend on the device. Clips
may differ in length: a clip keeps its own, and the other is held at its last frame where it is shorter. What is
mixed may be frames or cached features; cutmix takes a box in space, or a stretch in time where there is no space.

Sources: Zhang et al., mixup: Beyond Empirical Risk Minimization, 2018; Yun et al., CutMix, 2019.

Axes: B clips, T frames or steps, H height, W width, C channels, D features, K classes.
"""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

Shares = npt.NDArray[np.float64]


def mix_clips(
    clip_BT: Tensor,
    lengths_B: Tensor,
    targets_BK: Tensor,
    *,
    mixup: float,
    cutmix: float,
    generator: np.random.Generator,
    space: tuple[int, int] | None,
) -> tuple[Tensor, Tensor]:
    """Mix every clip of a batch with one that is drawn from the same batch.

    Args:
        clip_BT: Frames or features, (B, T, ...), uint8 or float; padded at the end of T.
        lengths_B: Real frames of each clip.
        targets_BK: Their targets, adding up to 1.
        mixup: Alpha of mixup's Beta distribution; 0: only cutmix.
        cutmix: Alpha of cutmix's; 0: only mixup. With both, one of them is drawn for the batch.
        generator: Source of randomness.
        space: The dimensions of height and width, ``(2, 3)`` for frames_BTHWC; None for features_BTD, where cutmix
            replaces a stretch of steps.

    Returns:
        The mixed clips, float32, with the same lengths and padding, and their targets_BK.
    """
    partners_B = torch.from_numpy(generator.permutation(len(clip_BT))).to(clip_BT.device)
    cuts = generator.random() < 0.5 if mixup and cutmix else cutmix > 0
    alpha = cutmix if cuts else mixup
    kept_B = generator.beta(alpha, alpha, size=len(clip_BT))
    others_BT = _held_at_the_end(clip_BT, lengths_B)[partners_B]
    if not cuts:
        weight_B = _like(kept_B, clip_BT)
        mixed_BT = torch.lerp(others_BT.float(), clip_BT.float(), weight_B.reshape(-1, *[1] * (clip_BT.ndim - 1)))
    else:
        if space is None:
            inside_BT = _stretches(kept_B, lengths_B.cpu().numpy(), clip_BT.shape[1], generator)
            kept_B = 1 - inside_BT.sum(axis=1) / lengths_B.cpu().numpy()
            mask = inside_BT.reshape(*inside_BT.shape, *[1] * (clip_BT.ndim - 2))
        else:
            height, width = (clip_BT.shape[dim] for dim in space)
            inside_BHW = _boxes(kept_B, height, width, generator)
            kept_B = 1 - inside_BHW.mean(axis=(1, 2))
            shape = [len(clip_BT), *[1] * (clip_BT.ndim - 1)]
            shape[space[0]], shape[space[1]] = height, width
            mask = inside_BHW.reshape(shape)
        weight_B = _like(kept_B, clip_BT)
        mixed_BT = torch.where(torch.from_numpy(mask).to(clip_BT.device), others_BT, clip_BT).float()
    # What lies behind a clip's end is padding before and after.
    steps_T = torch.arange(clip_BT.shape[1], device=clip_BT.device)
    real_BT = steps_T[None] < lengths_B.to(clip_BT.device)[:, None]
    mixed_BT = mixed_BT * real_BT.reshape(*real_BT.shape, *[1] * (clip_BT.ndim - 2))
    return mixed_BT, torch.lerp(targets_BK[partners_B], targets_BK, weight_B[:, None])


def soft_cross_entropy(
    logits_BK: Tensor, targets_BK: Tensor, *, weights_K: Tensor | None, label_smoothing: float
) -> Tensor:
    """Cross entropy with targets between classes; where they are whole classes it is torch's with class numbers.

    torch alone would divide by the number of clips instead of by their weight.

    Args:
        logits_BK: Scores before the softmax.
        targets_BK: Targets, adding up to 1.
        weights_K: Weight of each class.
        label_smoothing: Share of the target that is spread over all classes.

    Returns:
        The weighted mean over the clips.
    """
    total = functional.cross_entropy(
        logits_BK, targets_BK, weight=weights_K, label_smoothing=label_smoothing, reduction="sum"
    )
    return total / (len(targets_BK) if weights_K is None else (targets_BK @ weights_K).sum())


def _like(shares_B: Shares, clip_BT: Tensor) -> Tensor:
    return torch.from_numpy(shares_B).to(clip_BT.device, torch.float32)


def _held_at_the_end(clip_BT: Tensor, lengths_B: Tensor) -> Tensor:
    """The clips with their last real frame in place of the padding."""
    steps_T = torch.arange(clip_BT.shape[1], device=clip_BT.device)
    index_BT = torch.minimum(steps_T[None], lengths_B.to(clip_BT.device)[:, None] - 1)
    return clip_BT[torch.arange(len(clip_BT), device=clip_BT.device)[:, None], index_BT]


def _boxes(kept_B: Shares, height: int, width: int, generator: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Boxes with the picture's aspect, inside_BHW; their centre is anywhere, so that borders may cut them."""
    inside_BHW = np.zeros((len(kept_B), height, width), dtype=bool)
    for inside_HW, kept in zip(inside_BHW, kept_B, strict=True):
        side = math.sqrt(1 - kept)
        top, left = (round(generator.uniform(0, length) - side * length / 2) for length in (height, width))
        bottom, right = top + round(side * height), left + round(side * width)
        inside_HW[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    return inside_BHW


def _stretches(
    kept_B: Shares, lengths_B: npt.NDArray[np.int64], steps: int, generator: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Stretches of the real steps of each clip, inside_BT."""
    inside_BT = np.zeros((len(kept_B), steps), dtype=bool)
    for inside_T, kept, length in zip(inside_BT, kept_B, lengths_B, strict=True):
        taken = round((1 - kept) * length)
        start = generator.integers(length - taken + 1)
        inside_T[start : start + taken] = True
    return inside_BT
