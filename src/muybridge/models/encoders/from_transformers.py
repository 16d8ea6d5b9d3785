"""Any image or video encoder of transformers, by name or local folder: ``transformers:facebook/dinov2-small``, ...

Of a model that reads text as well (CLIP, MetaCLIP 2, X-CLIP, SigLIP 2, VideoPrism's video-text models) only the vision
half is made. Weights are read from safetensors, and no code that comes with a model is ever run.
"""

import inspect
from types import ModuleType
from typing import Any

import torch
from torch import nn

from muybridge.errors import UserError
from muybridge.models.encoders.adapted import import_extra
from muybridge.models.encoders.transformers_frames import NaflexEncoder, TransformersFrameEncoder
from muybridge.models.encoders.transformers_scaling import read_scaling
from muybridge.models.encoders.transformers_videos import (
    TimesformerEncoder,
    TransformersVideoEncoder,
    VideoPrismEncoder,
    XClipEncoder,
)
from muybridge.text import one_line

Adapter = type[TransformersFrameEncoder] | type[TransformersVideoEncoder]

SPECIAL: dict[str, Adapter] = {
    "siglip2_vision_model": NaflexEncoder,
    "timesformer": TimesformerEncoder,
    "xclip_vision_model": XClipEncoder,
    "videoprism_vision_model": VideoPrismEncoder,
}
"""Model types (of the vision half) that do not take images or tubes in the usual way."""

READ_WHOLE = ("xclip", "videoprism")
"""Model types whose vision half transformers does not find in the file of the whole model."""


def create_transformers_encoder(name: str) -> TransformersFrameEncoder | TransformersVideoEncoder:
    """Create an encoder of transformers with random weights.

    Args:
        name: Its name at the hub, or a folder that holds ``config.json`` and ``preprocessor_config.json``.

    Raises:
        UserError: transformers is not installed, does not find the name, or it is no image or video encoder.
    """
    transformers = import_extra("transformers")
    try:
        config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
        model = _create(transformers, getattr(config, "vision_config", config))
    except Exception as error:  # a stranger's configuration can end in any exception of the library
        raise UserError(f"transformers cannot create {name}: {one_line(error)}") from error
    adapter = _adapter(model)
    if adapter is None:
        raise UserError(
            f"transformers:{name} ({config.model_type}) is no image encoder, and no video encoder of tubes; "
            "choose another model.encoder"
        )
    scaling = read_scaling(name, config.model_type)
    try:
        encoder = adapter(name, model, scaling)
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"transformers:{name} ({config.model_type}) is of a kind that muybridge does not know: {one_line(error)}; "
            "choose another model.encoder"
        ) from error
    encoder.in_whole_model = config.model_type in READ_WHOLE
    return encoder


def _create(transformers: ModuleType, config: Any) -> nn.Module:
    if type(config) in transformers.MODEL_MAPPING:
        model: nn.Module = transformers.AutoModel.from_config(config, trust_remote_code=False, dtype=torch.float32)
        return model
    # Vision halves that transformers creates by their class alone, which is named after the configuration's.
    model_class = getattr(transformers, type(config).__name__.replace("Config", "Model"), None)
    if model_class is None:
        raise ValueError(f"it has no model of {config.model_type} alone")
    half: nn.Module = model_class(config)
    return half


def _adapter(model: nn.Module) -> Adapter | None:
    config: Any = model.config
    if config.model_type in SPECIAL:
        return SPECIAL[config.model_type]
    if getattr(config, "tubelet_size", None) is not None:
        return TransformersVideoEncoder
    if hasattr(config, "num_frames") or getattr(model, "main_input_name", "") != "pixel_values":
        return None
    inputs = inspect.signature(model.forward).parameters.values()
    needed = {each.name for each in inputs if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD}
    if needed - {"pixel_values"}:
        return None
    return TransformersFrameEncoder
