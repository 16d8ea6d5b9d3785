"""Image networks of transformers: DINOv2, CLIP's vision half, ViT, Swin, ConvNeXt, SigLIP 2 NaFlex, ...

Axes: B images, C channels, D features, H height, W width, N tokens.
"""

import inspect
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.models.encoders.adapted import require_patches, tokens_to_maps
from muybridge.models.encoders.encoder import FrameEncoder
from muybridge.models.encoders.scaling import Scaling
from muybridge.models.encoders.transformers_model import Transformers, side_px


class TransformersFrameEncoder(Transformers, FrameEncoder):
    """An image network of transformers."""

    def __init__(self, name: str, model: nn.Module, scaling: Scaling) -> None:
        """Wrap a model; see ``create_transformers_encoder``."""
        config: Any = model.config
        # Hierarchical ones (Swin, ConvNeXt, ResNet) double the channels, and the size of a patch, from stage to stage.
        convolves = hasattr(config, "hidden_sizes")
        channels = config.hidden_sizes[-1] if convolves else config.hidden_size
        super().__init__(output="maps", map_count=channels)
        self.name, self.model, self.scaling = name, model, scaling
        patch = getattr(config, "patch_size", None)
        doublings = len(config.depths) - 1 if hasattr(config, "depths") else 0
        self.patch_px = 32 if patch is None else side_px(patch) * 2**doublings
        # Convolutions take what is left over; patches are whole or not at all.
        self.whole_patches = patch is not None and not convolves
        self.minimum_size_px = self.patch_px
        self.default_size_px = side_px(getattr(config, "image_size", 224))
        takes_any_size = "interpolate_pos_encoding" in inspect.signature(model.forward).parameters
        self.options = {"interpolate_pos_encoding": True} if takes_any_size else {}

    def check_input(self, *, size_px: int, frame_count: int | None) -> None:
        """Refuse sizes that are no whole number of patches."""
        super().check_input(size_px=size_px, frame_count=frame_count)
        if self.whole_patches:
            require_patches(self.label, self.patch_px, size_px, size_px)

    def maps(self, frames_BCHW: Tensor) -> Tensor:
        """Return the last hidden states on their grid, without class and register tokens.

        Raises:
            UserError: The frames are no whole number of patches wide or high, or the model does not take them.
        """
        height, width = frames_BCHW.shape[-2:]
        if self.whole_patches:
            require_patches(self.label, self.patch_px, height, width)
        hidden = self.tokens(frames_BCHW)
        if hidden.ndim == 4 and hidden.shape[1] == self.feature_count:
            return hidden
        if hidden.ndim != 3:
            raise UserError(
                f"{self.label} returns hidden states of a shape that muybridge does not know, {tuple(hidden.shape)}; "
                "choose another model.encoder"
            )
        return tokens_to_maps(hidden, height // self.patch_px, width // self.patch_px, self.label)

    def tokens(self, frames_BCHW: Tensor) -> Tensor:
        """Return the last hidden states as the model orders them."""
        return self.last_hidden(pixel_values=frames_BCHW, **self.options)

    def logits(self, maps_BDHW: Tensor) -> Tensor:
        """There are none: the configuration does not allow ``output="logits"`` here."""
        raise NotImplementedError("adapters have no class scores")


class NaflexEncoder(TransformersFrameEncoder):
    """SigLIP 2 NaFlex, which is given an image as a list of patches, in any number and of any aspect."""

    def __init__(self, name: str, model: nn.Module, scaling: Scaling) -> None:
        """Wrap a model; see ``create_transformers_encoder``."""
        super().__init__(name, model, scaling)
        config: Any = model.config
        self.default_size_px = isqrt(config.num_patches) * self.patch_px

    def tokens(self, frames_BCHW: Tensor) -> Tensor:
        """Return one token per patch, row by row."""
        patch = self.patch_px
        batch, _, height, width = frames_BCHW.shape
        rows, columns = height // patch, width // patch
        grid = frames_BCHW.unflatten(3, (columns, patch)).unflatten(2, (rows, patch))  # type: ignore[no-untyped-call]
        patches_BNP = grid.permute(0, 2, 4, 3, 5, 1).reshape(
            batch, rows * columns, -1
        )  # in a patch: rows, columns, RGB
        shapes_B2 = torch.tensor([[rows, columns]], device=frames_BCHW.device).expand(batch, 2)
        mask_BN = torch.ones(patches_BNP.shape[:2], dtype=torch.long, device=frames_BCHW.device)
        return self.last_hidden(pixel_values=patches_BNP, pixel_attention_mask=mask_BN, spatial_shapes=shapes_B2)
