"""Tiny models of transformers with random weights, in folders as ``save_pretrained`` leaves them."""

import importlib
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
PRISM = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "num_frames": 4, "image_size": 36}
PRISM |= {"num_spatial_layers": 2, "num_temporal_layers": 1}
VISION = SMALL | {"image_size": 32, "patch_size": 8}
TEXT = SMALL | {"vocab_size": 30}

IMAGE_FAMILIES = ("dinov2", "clip", "vit", "swin", "convnext", "metaclip_2", "siglip2")
VIDEO_FAMILIES = (
    "videomae",
    "vjepa2",
    "timesformer",
    "vivit",
    "xclip",
    "videoprism_vision_model",
    "videoprism",
)
SCALING = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.1], "do_normalize": True}


def library(name: str) -> ModuleType:
    """The package of an extra. Without it the test is skipped, but not where ``make test-extras`` put it."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # it is read when the package is imported
    if os.environ.get("MUYBRIDGE_TEST_EXTRAS"):
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"needs the extra {name}", exc_type=ImportError)


def config_of(family: str, **changes: Any) -> Any:
    """The configuration of a tiny model."""
    t = library("transformers")
    if family in ("clip", "metaclip_2", "siglip2", "xclip"):
        text, vision = TEXT, VISION
        if family == "siglip2":
            vision = SMALL | {"patch_size": 8, "num_patches": 16}
        if family == "xclip":
            vision = VISION | {"num_frames": 4, "mit_hidden_size": 16, "mit_num_attention_heads": 2}
        classes = {"clip": t.CLIPConfig, "metaclip_2": t.MetaClip2Config, "siglip2": t.Siglip2Config}
        if family == "xclip":
            return t.XCLIPConfig(
                vision_config=vision | changes, text_config=text, projection_dim=16, prompt_num_attention_heads=2
            )
        return classes[family](vision_config=vision | changes, text_config=text)
    if family == "videoprism":
        return t.VideoPrismConfig(vision_config=PRISM | changes, text_config=TEXT)
    predictor = {"pred_hidden_size": 16, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1}
    vjepa2 = {name: SMALL[name] for name in ("hidden_size", "num_hidden_layers", "num_attention_heads")} | predictor
    classes_and_values: dict[str, tuple[Any, dict[str, Any]]] = {
        "dinov2": (t.Dinov2Config, SMALL | {"image_size": 28, "patch_size": 14}),
        "vit": (t.ViTConfig, VISION),
        "swin": (
            t.SwinConfig,
            {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2]},
        ),
        "convnext": (t.ConvNextConfig, {"hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]}),
        "videomae": (t.VideoMAEConfig, SMALL | {"image_size": 32, "patch_size": 16, "num_frames": 8}),
        "vjepa2": (t.VJEPA2Config, vjepa2 | {"crop_size": 32, "patch_size": 16, "frames_per_clip": 8}),
        "timesformer": (t.TimesformerConfig, VISION | {"num_frames": 4}),
        "vivit": (t.VivitConfig, SMALL | {"image_size": 32, "tubelet_size": [2, 8, 8], "num_frames": 8}),
        "videoprism_vision_model": (t.VideoPrismVisionConfig, PRISM),
    }
    config_class, values = classes_and_values[family]
    return config_class(**values | changes)


def save(family: str, folder: Path, *, scaling: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Write a tiny model: configuration, weights, and how pixels are scaled.

    Args:
        family: Its model type.
        folder: Where; it is returned.
        scaling: The preprocessing file; an empty one is not written.
        changes: Values of the (vision half's) configuration that are not to be the usual ones.
    """
    model = library("transformers").AutoModel.from_config(config_of(family, **changes))
    for parameter in model.parameters():  # whole layers begin as zeros, which would hide what is in the wrong place
        parameter.data += 0.05 * parameter.data.new_empty(parameter.shape).normal_()
    model.save_pretrained(folder)
    settings = SCALING if scaling is None else scaling
    if settings:
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder
