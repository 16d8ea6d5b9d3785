"""How a model of transformers expects its pixels: read from the files next to its configuration."""

import json
from pathlib import Path
from typing import Any

from muybridge.errors import UserError
from muybridge.models.encoders.scaling import (
    GREY_STATISTICS,
    IMAGENET_STATISTICS,
    PLUS_MINUS_ONE,
    UNIT,
    Scaling,
)

PREPROCESSING_FILES = ("video_preprocessor_config.json", "preprocessor_config.json", "processor_config.json")
"""In the order in which they are looked at. Models that read text, too, have the last one; it nests the others."""

NESTED = ("video_processor", "image_processor")

CLIP_STATISTICS = Scaling(mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))

PUBLISHED = {
    "timesformer": GREY_STATISTICS,  # github.com/facebookresearch/TimeSformer, DATA.MEAN and DATA.STD
    "vivit": PLUS_MINUS_ONE,  # github.com/google-research/scenic, projects/vivit: zero_centering
    "videoprism": UNIT,  # github.com/google-deepmind/videoprism, README
    "videoprism_vision_model": UNIT,
    "vjepa2": IMAGENET_STATISTICS,  # github.com/facebookresearch/vjepa2
    "xclip": IMAGENET_STATISTICS,  # github.com/microsoft/VideoX, X-CLIP: img_norm_cfg
    "metaclip_2": CLIP_STATISTICS,  # github.com/facebookresearch/MetaCLIP
    "siglip2": PLUS_MINUS_ONE,  # github.com/google-research/big_vision: value_range(-1, 1)
}
"""Of model types whose published networks all share one, for a folder without a file that says it."""


def read_scaling(name: str, model_type: str) -> Scaling:
    """Read how pixels were scaled when the model was trained.

    Args:
        name: Its name at the hub, or a local folder.
        model_type: What its configuration calls it, for models published with one scaling only.

    Raises:
        UserError: Nothing says it, or a file that should is damaged.
    """
    from transformers.utils import cached_file

    for file_name in PREPROCESSING_FILES:
        path = cached_file(
            name,
            file_name,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
            _raise_exceptions_for_gated_repo=False,
        )
        settings = {} if path is None else _settings(Path(path))
        if "image_mean" in settings or not settings.get("do_normalize", True):
            try:
                return _scaling(settings)
            except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
                raise UserError(
                    f"{path} does not say how pixels are scaled: image_mean and image_std must be three numbers each, "
                    "rescale_factor one"
                ) from error
    if model_type in PUBLISHED:
        return PUBLISHED[model_type]
    raise UserError(
        f"transformers:{name} has no preprocessor_config.json with image_mean and image_std, "
        f"so its pixel scaling is unknown; put its preprocessor_config.json next to its config.json"
    )


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); download the model again") from error
    if not isinstance(settings, dict):
        raise UserError(f"{path} is damaged (no settings in it); download the model again")
    return next((settings[key] for key in NESTED if isinstance(settings.get(key), dict)), settings)


def _scaling(settings: dict[str, Any]) -> Scaling:
    """What ``(pixel * rescale_factor - offset - mean) / std`` is for pixels that were divided by 255 before."""
    per_unit = 255 * float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 255.0
    offset = 1.0 if settings.get("offset", False) else 0.0
    mean, std = [0.0] * 3, [1.0] * 3
    if settings.get("do_normalize", True):
        mean, std = _three(settings["image_mean"]), _three(settings["image_std"])
    if 0 in std:
        raise ZeroDivisionError
    red, green, blue = ((offset + channel) / per_unit for channel in mean)
    red_std, green_std, blue_std = (channel / per_unit for channel in std)
    return Scaling(mean=(red, green, blue), std=(red_std, green_std, blue_std))


def _three(values: float | list[float]) -> list[float]:
    numbers = [float(value) for value in values] if isinstance(values, list) else [float(values)] * 3
    if len(numbers) != 3:
        raise ValueError(f"{len(numbers)} channels")
    return numbers
