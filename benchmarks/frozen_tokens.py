"""The tokens of a frozen encoder in one small file, to compare heads on: written with the package, read without.

Axes: N clips, L tokens of a clip, S steps of P places each, D features, H units of the hidden layer, K classes.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from muybridge.dataset.folds import group_folds

FRAMES, GRID = 16, 2
DEMO, DEMO_CLIPS_PER_CLASS = "demo", 30
ACTIVATIONS = {"ReLU6": nn.ReLU6(), "SiLU": nn.SiLU(), "Hardswish": nn.Hardswish()}


def encode(clips: str, out: Path, encoder: str, *, size_px: int, grid: int) -> None:
    """Encode clips once, and keep their tokens with labels and source groups.

    Args:
        clips: A folder of clips, or ``"demo"``.
        out: The file to write.
        encoder: The frozen encoder.
        size_px: Height and width of its frames.
        grid: Places along each side of the picture.
    """
    # Here, because the second stage has to do without.
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from muybridge.dataset.layouts import read_catalog
    from muybridge.models.network import build
    from muybridge.pipeline.frame_cache import FrameCache
    from muybridge.pipeline.loader import ClipDataset
    from muybridge.recipes.cache import CacheConfig
    from muybridge.recipes.frames import SamplerConfig
    from muybridge.recipes.model import ModelConfig
    from muybridge.recipes.training import TrainingConfig
    from muybridge.system import available_cores, resolve_device
    from muybridge.training.encoding import FrozenPart
    from muybridge.training.precision import encodes_in_bf16
    from muybridge.verbs.demo.clips import render_demo

    config = ModelConfig(encoder=encoder, trainable="none", head="attentive", token_grid=grid)
    sampler = SamplerConfig(frames=FRAMES)
    started = time.process_time()
    with TemporaryDirectory() as name:
        folder = Path(name)
        if clips == DEMO:
            render_demo(folder / DEMO, clips_per_class=DEMO_CLIPS_PER_CLASS, seed=0)
        catalog = read_catalog(folder / DEMO if clips == DEMO else Path(clips))
        cache = FrameCache(
            CacheConfig(folder=str(folder / "cache")),
            sampler=sampler.build(),
            views=sampler.training_views,
            size_px=size_px,
        )
        failed = cache.build(catalog.clips, workers=available_cores()).failed
        kept = [clip for clip in catalog.clips if clip.id not in failed]
        net = build(config, len(catalog.classes)).eval()
        device = resolve_device()
        frozen = FrozenPart(net, bf16=encodes_in_bf16(TrainingConfig(), device), device=device)
        data = ClipDataset(cache, kept, classes=catalog.classes, augment=None, seed=0)
        clips_LD = [frozen(data[0, index].frames_THWC[None])[0] for index in range(len(data))]
    tokens_NLD = np.zeros((len(kept), max(map(len, clips_LD)), clips_LD[0].shape[1]), np.float16)
    for row_LD, clip_LD in zip(tokens_NLD, clips_LD, strict=True):
        row_LD[: len(clip_LD)] = eight_bits(clip_LD)
    hidden = hidden_layer(replace(config, encoder=net.config.encoder), net)
    np.savez_compressed(
        out,
        tokens_NLD=tokens_NLD,
        lengths_N=np.array([len(clip_LD) for clip_LD in clips_LD]),
        places=net.pool.places,
        labels_N=np.array(data.labels),
        groups_N=np.array([clip.group for clip in kept]),
        classes=np.array(catalog.classes),
        encoder=f"{net.config.encoder}, {FRAMES} frames of {size_px} px",
        mirrors_K=mirrors(catalog.classes) if clips == DEMO else np.full(len(catalog.classes), -1),
        **hidden,
    )
    each = tokens_NLD[0].nbytes / 1e3
    print(
        f"{out}: {len(kept)} clips, {len(failed)} do not decode; {tokens_NLD.shape[1]} tokens of {tokens_NLD.shape[2]} "
        f"numbers, {each:.0f} kB a clip; {out.stat().st_size / 1e6:.1f} MB packed; "
        f"{time.process_time() - started:.0f} CPU-s",
        flush=True,
    )


def eight_bits(numbers: np.ndarray) -> np.ndarray:
    """float16 with 8 significant bits, as the bfloat16 that it was computed in has; it packs better."""
    bits = numbers.astype(np.float16).view(np.uint16).astype(np.uint32)
    return ((bits + 0b11 + ((bits >> 3) & 1)) & 0xFFF8).astype(np.uint16).view(np.float16)


def hidden_layer(config: Any, net: Any) -> dict[str, Any]:
    """The dense layer between MoViNet's pooled maps and its scores; nothing for other encoders."""
    from dataclasses import replace

    from muybridge.models.network import build

    if not config.encoder.startswith("movinet"):
        return {}
    dense, activation = build(
        replace(config, encoder_output="hidden", token_grid=0), net.class_count
    ).encoder.classifier[:2]
    state = dict(dense.named_parameters())
    weight = next(value for name, value in state.items() if name.endswith("weight"))
    bias = next(value for name, value in state.items() if name.endswith("bias"))
    pooled_ND = torch.rand(3, weight.shape[1])
    with torch.no_grad():
        expected_NH = activation(dense(pooled_ND[..., None, None, None])).flatten(1)
    name = type(activation).__name__
    layer = {
        "hidden_HD": weight.detach().flatten(1).numpy().astype(np.float16),
        "hidden_H": bias.detach().numpy(),
        "hidden_activation": name,
    }
    torch.testing.assert_close(hidden_of(pooled_ND, layer), expected_NH, atol=1e-2, rtol=1e-2)
    return layer


def mirrors(classes: Sequence[str]) -> np.ndarray:
    """For each class of the demo the class that is it backwards in time, or -1."""
    from muybridge.verbs.demo.figures import ACTIONS

    return np.array(
        [
            next(
                (
                    classes.index(other)
                    for other, action in ACTIONS.items()
                    if action.motion is ACTIONS[name].motion and action.backwards != ACTIONS[name].backwards
                ),
                -1,
            )
            for name in classes
        ]
    )


@dataclass(frozen=True)
class Clips:
    """A set of encoded clips; N clips, L tokens of P places, K classes."""

    tokens_NLD: Tensor
    lengths_N: Tensor
    places: int
    labels_N: Tensor
    groups: tuple[str, ...]
    mirrors_K: np.ndarray
    layer: dict[str, Any]

    @property
    def class_count(self) -> int:
        """K."""
        return len(self.mirrors_K)

    def inputs(self, head: str) -> tuple[Tensor, Tensor, int]:
        """What a head reads, the length of each clip in it, and the places of a step."""
        if head == "attentive-tokens":
            return self.tokens_NLD, self.lengths_N, self.places
        steps_NSD = self.tokens_NLD.unflatten(1, (-1, self.places)).mean(dim=2)
        if self.layer:
            steps_NSD = torch.cat([steps_NSD, hidden_of(steps_NSD, self.layer)], dim=2)
        return steps_NSD, self.lengths_N // self.places, 1

    def folds(self, indices: Sequence[int], count: int, seed: int) -> np.ndarray:
        """A fold for each of some clips."""
        labels = [str(int(self.labels_N[index])) for index in indices]
        return np.array(group_folds(labels, [self.groups[index] for index in indices], count=count, seed=seed))


def hidden_of(pooled: Tensor, layer: dict[str, Any]) -> Tensor:
    """The hidden layer of pooled maps, (..., D) to (..., H)."""
    weight_HD, bias_H = (torch.as_tensor(layer[key]).float() for key in ("hidden_HD", "hidden_H"))
    return ACTIVATIONS[str(layer["hidden_activation"])](functional.linear(pooled, weight_HD, bias_H))


@cache
def read_clips(path: Path) -> Clips:
    """Read a file of features."""
    with np.load(path) as file:
        return Clips(
            tokens_NLD=torch.from_numpy(file["tokens_NLD"]).float(),
            lengths_N=torch.from_numpy(file["lengths_N"]),
            places=int(file["places"]),
            labels_N=torch.from_numpy(file["labels_N"]),
            groups=tuple(file["groups_N"].tolist()),
            mirrors_K=file["mirrors_K"],
            layer={key: file[key] for key in file.files if key.startswith("hidden_")},
        )
