"""What the adapters share: a model of another library as one stage, its layers found by its structure.

Such models know nothing of freezing. So layers that do not learn are kept in evaluation mode from outside, and
the layers are read off the model's containers: each member of a list of blocks is one, and each module next to it.

Axes: B images or clips, D features, H height, W width.
"""

import importlib
from types import ModuleType
from typing import Self

from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.models.encoders.encoder import EncoderLayer, OwnParameters, Stage

UNUSED = ("pooler", "predictor")
"""Parts of models whose result is not looked at; as the last layers they would be the first to learn, for nothing."""


def import_extra(library: str) -> ModuleType:
    """Import the library of an extra.

    Raises:
        UserError: It is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(library)
    except (ImportError, RuntimeError) as error:  # a torchvision made for another torch raises the latter
        absent = isinstance(error, ImportError) and error.name == library
        reason = "" if absent else f", which cannot be imported here ({error})"
        raise UserError(
            f"encoders of {library} need the package {library}{reason}; install it: pip install 'muybridge[{library}]'"
        ) from error


def require_patches(label: str, patch_px: int, height: int, width: int) -> None:
    """Refuse frames that patches do not fill.

    Raises:
        UserError: Height or width is no multiple of ``patch_px``.
    """
    if height % patch_px or width % patch_px:
        below = max(1, min(height, width) // patch_px) * patch_px
        raise UserError(
            f"{label} sees patches of {patch_px} px, and frames of {width}x{height} px are not made of whole ones; "
            f"say size_px {below} or {below + patch_px}"
        )


class Adapted(nn.Module):
    """A mixin for encoders: the layers and the only stage of ``model``, a network of another library."""

    model: nn.Module

    def layers(self) -> list[EncoderLayer]:
        """List the blocks, and what is next to them, from input to output; first of all what maps do not need."""
        layers = _split("", self.model, inside=False)
        return sorted(layers, key=lambda layer: layer.name.partition(".")[0] not in UNUSED)

    def map_stages(self) -> list[nn.Module]:
        """The whole model."""
        return [Stage(self.maps, self.model)]

    def maps(self, batch: Tensor) -> Tensor:
        """Return the last feature maps."""
        raise NotImplementedError

    def load_published(self) -> None:
        """Load the weights that are published under the model's name."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Self:
        """Enter training mode, but for layers that do not learn: their dropout and batch norm stay still."""
        super().train(mode)
        for layer in self.layers():
            if layer.module is not None and not any(p.requires_grad for p in layer.module.parameters()):
                layer.module.eval()
        return self


def tokens_to_maps(tokens_BND: Tensor, height: int, width: int, name: str) -> Tensor:
    """Lay patch tokens out on their grid: maps_BDHW. What precedes them (class and register tokens) is dropped.

    Raises:
        UserError: There are fewer tokens than positions.
    """
    if tokens_BND.shape[1] < height * width:
        raise UserError(
            f"{name} returns {tokens_BND.shape[1]} tokens where {height} x {width} patches were expected; "
            "it does not keep positions, so choose another model.encoder"
        )
    return tokens_BND[:, -height * width :].transpose(1, 2).unflatten(2, (height, width))  # type: ignore[no-any-return,no-untyped-call]


def _split(name: str, module: nn.Module, *, inside: bool) -> list[EncoderLayer]:
    is_container = isinstance(module, nn.ModuleList | nn.Sequential)
    holds_container = any(isinstance(part, nn.ModuleList | nn.Sequential) for part in module.modules())
    if not is_container and (inside or not holds_container):
        return [EncoderLayer(name or "model", module if any(True for _ in module.parameters()) else None)]
    layers = []
    if next(module.parameters(recurse=False), None) is not None:
        layers.append(EncoderLayer(f"{name}.own".lstrip("."), OwnParameters(module)))
    for child_name, child in module.named_children():
        layers += _split(f"{name}.{child_name}".lstrip("."), child, inside=inside or is_container)
    return layers
