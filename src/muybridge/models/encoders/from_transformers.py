"""Any image or video encoder of transformers, by name or local folder: ``transformers:facebook/dinov2-small``, ...

Image models (DINOv2, CLIP's vision half, ViT, Swin, ConvNeXt, ...) return maps per frame. Video models whose tokens are
tubes of a few frames (VideoMAE, V-JEPA 2) return as many steps as tubes fit into the clip. VideoMAE has positions for a
fixed number of frames, so a longer clip is seen in pieces of that many. A last tube or piece that is not
full repeats the clip's last frame.

Axes: B images or clips, T frames, S steps in time, C channels, D features, H height, W width, N tokens.
"""

import inspect
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.models.encoders.adapted import Adapted, import_extra, tokens_to_maps
from muybridge.models.encoders.encoder import FrameEncoder, VideoEncoder
from muybridge.models.encoders.scaling import UNIT, Scaling

PREPROCESSING_FILES = ("video_preprocessor_config.json", "preprocessor_config.json")


def create_transformers_encoder(name: str) -> "TransformersFrameEncoder | TransformersVideoEncoder":
    """Create an encoder of transformers with random weights.

    Args:
        name: Its name at the hub, or a folder that holds ``config.json`` and ``preprocessor_config.json``.

    Raises:
        UserError: transformers is not installed, does not find the name, or it is no image or video encoder.
    """
    transformers = import_extra("transformers")
    try:
        config = transformers.AutoConfig.from_pretrained(name)
        config = getattr(config, "vision_config", config)  # CLIP and its kin: the vision half
        model: nn.Module = transformers.AutoModel.from_config(config)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"transformers cannot create {name}: {_first_line(error)}") from error
    scaling = _scaling(name)
    if isinstance(getattr(config, "tubelet_size", None), int):
        return TransformersVideoEncoder(name, model, scaling)
    if hasattr(config, "num_frames") or getattr(model, "main_input_name", "") != "pixel_values":
        raise UserError(
            f"transformers:{name} ({config.model_type}) is no image encoder, and no video encoder of tubes; "
            "choose another model.encoder"
        )
    return TransformersFrameEncoder(name, model, scaling)


class _Transformers(Adapted):
    name: str

    def load_published(self) -> None:
        """Load the weights published under the model's name, from safetensors only.

        Raises:
            UserError: They are not available, or leave layers of the model without values.
        """
        try:
            model, loading_info = type(self.model).from_pretrained(  # type: ignore[attr-defined]
                self.name, config=self.model.config, use_safetensors=True, output_loading_info=True
            )
        except (OSError, ValueError) as error:
            raise UserError(f"transformers cannot get the weights of {self.name}: {_first_line(error)}") from error
        missing = sorted(key for key in loading_info["missing_keys"] if "pooler" not in key)
        if missing:
            raise UserError(
                f"the weights of transformers:{self.name} lack {missing[0]} and {len(missing) - 1} more; choose "
                "another model.encoder, or model.weights none"
            )
        self.model.load_state_dict(model.state_dict())


class TransformersFrameEncoder(_Transformers, FrameEncoder):
    """An image network of transformers."""

    def __init__(self, name: str, model: nn.Module, scaling: Scaling) -> None:
        """Wrap a model; see ``create_transformers_encoder``."""
        config: Any = model.config
        # Hierarchical ones (Swin, ConvNeXt, ResNet) double the channels, and the size of a patch, from stage to stage.
        channels = config.hidden_sizes[-1] if hasattr(config, "hidden_sizes") else config.hidden_size
        super().__init__(output="maps", map_count=channels)
        self.name, self.model, self.scaling = name, model, scaling
        patch = getattr(config, "patch_size", None)
        doublings = len(config.depths) - 1 if hasattr(config, "depths") else 0
        self.patch_px = 32 if patch is None else _side(patch) * 2**doublings
        self.minimum_size_px = self.patch_px
        self.default_size_px = _side(getattr(config, "image_size", 224))
        takes_any_size = "interpolate_pos_encoding" in inspect.signature(model.forward).parameters
        self.options = {"interpolate_pos_encoding": True} if takes_any_size else {}

    def maps(self, frames_BCHW: Tensor) -> Tensor:
        """Return the last hidden states on their grid, without class and register tokens."""
        hidden: Tensor = self.model(pixel_values=frames_BCHW, **self.options).last_hidden_state
        if hidden.ndim == 4:
            return hidden
        height, width = (size // self.patch_px for size in frames_BCHW.shape[-2:])
        return tokens_to_maps(hidden, height, width, f"transformers:{self.name}")

    def logits(self, maps_BDHW: Tensor) -> Tensor:
        """There are none: the configuration does not allow ``output="logits"`` here."""
        raise NotImplementedError("adapters have no class scores")


class TransformersVideoEncoder(_Transformers, VideoEncoder):
    """A video network of transformers whose tokens are tubes: patches that are a few frames deep."""

    def __init__(self, name: str, model: nn.Module, scaling: Scaling) -> None:
        """Wrap a model; see ``create_transformers_encoder``."""
        config: Any = model.config
        super().__init__(output="maps", map_count=config.hidden_size, class_count=0)
        self.name, self.model, self.scaling = name, model, scaling
        self.patch_px = _side(config.patch_size)
        # Both know the positions of one size only.
        self.default_size_px = self.minimum_size_px = _side(getattr(config, "crop_size", None) or config.image_size)
        self.tube_frames: int = config.tubelet_size
        # V-JEPA 2 turns its queries by their positions, however many there are; VideoMAE adds a fixed number of them.
        self.piece_frames: int | None = getattr(config, "num_frames", None)
        parameters = inspect.signature(model.forward).parameters
        self.input_name = "pixel_values_videos" if "pixel_values_videos" in parameters else "pixel_values"
        self.options = {"skip_predictor": True} if "skip_predictor" in parameters else {}

    def step_count(self, frame_count: int) -> int:
        """As many steps as tubes, of whole pieces where the number of frames is fixed."""
        return self._filled(frame_count) // self.tube_frames

    def classifier_stage(self) -> nn.Module:
        """There is none: the configuration does not allow ``output="logits"`` here."""
        raise NotImplementedError("adapters have no class scores")

    def maps(self, clip_BCTHW: Tensor) -> Tensor:
        """Return the last hidden states on their grid, (B, D, S, H, W).

        Raises:
            UserError: The frames are not of the size that the model knows.
        """
        batch, _, frame_count, height, width = clip_BCTHW.shape
        if (height, width) != (self.default_size_px, self.default_size_px):
            size_px = self.default_size_px
            raise UserError(
                f"transformers:{self.name} knows frames of {size_px}x{size_px} px only, these are "
                f"{width}x{height}; say size_px {size_px}"
            )
        missing = self._filled(frame_count) - frame_count
        clip_BTCHW = clip_BCTHW.transpose(1, 2)
        clip_BTCHW = torch.cat([clip_BTCHW, clip_BTCHW[:, -1:].expand(-1, missing, -1, -1, -1)], dim=1)
        pieces = clip_BTCHW.flatten(0, 1).reshape(-1, self._piece(frame_count), *clip_BTCHW.shape[2:])
        tokens_BND: Tensor = self.model(**{self.input_name: pieces}, **self.options).last_hidden_state
        rows, columns = height // self.patch_px, width // self.patch_px
        steps = pieces.shape[1] // self.tube_frames
        maps = tokens_to_maps(tokens_BND, steps * rows, columns, f"transformers:{self.name}")
        maps_PDSHW = maps.reshape(len(pieces), self.feature_count, steps, rows, columns)
        joined = maps_PDSHW.reshape(batch, -1, self.feature_count, steps, rows, columns).transpose(1, 2)
        return joined.reshape(batch, self.feature_count, -1, rows, columns)

    def _piece(self, frame_count: int) -> int:
        """Frames that the model sees at once."""
        return self.piece_frames or self._filled(frame_count)

    def _filled(self, frame_count: int) -> int:
        """The frames of a clip and those repeated to fill its last piece."""
        unit = self.piece_frames or self.tube_frames
        return -(-frame_count // unit) * unit


def _side(size: Any) -> int:
    """A size in pixels that configurations state as a number or as a pair."""
    return int(size if isinstance(size, int) else size[-1])


def _scaling(name: str) -> Scaling:
    """Read how pixels were scaled from the file next to the model's configuration."""
    from transformers.utils import cached_file

    for file_name in PREPROCESSING_FILES:
        path = cached_file(
            name,
            file_name,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
            _raise_exceptions_for_gated_repo=False,
        )
        if path is None:
            continue
        settings = json.loads(Path(path).read_text(encoding="utf-8"))
        if not settings.get("do_normalize", True):
            return UNIT
        if "image_mean" in settings and "image_std" in settings:
            return Scaling(mean=tuple(settings["image_mean"]), std=tuple(settings["image_std"]))
    raise UserError(
        f"transformers:{name} has no {PREPROCESSING_FILES[-1]} with image_mean and image_std, "
        f"so its pixel scaling is unknown; put its preprocessor_config.json next to its config.json"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
