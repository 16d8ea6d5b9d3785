"""Any image encoder of timm by name: ``timm:vit_small_patch14_dinov2``, ``timm:convnext_tiny``, ...

Axes: B images, C channels, D features, H height, W width, N tokens.
"""

from typing import Any

from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.models.encoders.adapted import Adapted, import_extra, require_patches, tokens_to_maps
from muybridge.models.encoders.encoder import FrameEncoder
from muybridge.models.encoders.scaling import Scaling
from muybridge.text import one_line


class TimmEncoder(Adapted, FrameEncoder):
    """An image network of timm; its pixel scaling and size are those of its pretrained weights."""

    def __init__(self, name: str) -> None:
        """Create the network with random weights.

        Args:
            name: Its name in timm, with or without a tag of weights.

        Raises:
            UserError: timm is not installed, or knows no such model.
        """
        model = _create(name, pretrained=False)
        settings = model.pretrained_cfg
        super().__init__(output="maps", map_count=model.num_features)
        self.name = name
        self.model = model
        self.scaling = Scaling(mean=tuple(settings["mean"]), std=tuple(settings["std"]))
        self.default_size_px = settings["input_size"][-1]
        patches = getattr(model, "patch_embed", None) or getattr(model, "embeds", None)
        patch = getattr(patches, "patch_size", None)
        self.patch_px: int | None = None if patch is None else patch[0]
        self.minimum_size_px = self.patch_px or 32

    def check_input(self, *, size_px: int, frame_count: int | None) -> None:
        """Refuse sizes that are no whole number of patches."""
        super().check_input(size_px=size_px, frame_count=frame_count)
        if self.patch_px is not None:
            require_patches(f"timm:{self.name}", self.patch_px, size_px, size_px)

    def maps(self, frames_BCHW: Tensor) -> Tensor:
        """Return the maps before timm's pooling, as (B, D, H, W) whatever order the model keeps.

        Raises:
            UserError: The model does not take this size, or does not keep positions.
        """
        if self.patch_px is not None:
            require_patches(f"timm:{self.name}", self.patch_px, *frames_BCHW.shape[-2:])
        try:
            maps: Tensor = self.model.forward_features(frames_BCHW)  # type: ignore[operator]
        except AssertionError as error:  # how timm refuses a size
            raise UserError(f"timm:{self.name}: {error}; try size_px {self.default_size_px}") from error
        if maps.ndim == 3:
            if self.patch_px is None:
                raise UserError(f"timm:{self.name} does not keep positions; choose another model.encoder")
            height, width = (size // self.patch_px for size in frames_BCHW.shape[-2:])
            return tokens_to_maps(maps, height, width, f"timm:{self.name}")
        return maps if maps.shape[1] == self.feature_count else maps.movedim(-1, 1)

    def logits(self, maps_BDHW: Tensor) -> Tensor:
        """There are none: the configuration does not allow ``output="logits"`` here."""
        raise NotImplementedError("adapters have no class scores")

    def load_published(self) -> None:
        """Load the weights that timm publishes under the model's name.

        Raises:
            UserError: There are none, or they cannot be downloaded.
        """
        self.model.load_state_dict(_create(self.name, pretrained=True).state_dict())


def _create(name: str, *, pretrained: bool) -> Any:
    timm = import_extra("timm")
    options: dict[str, Any] = {"pretrained": pretrained, "num_classes": 0}
    try:
        try:
            model: nn.Module = timm.create_model(name, dynamic_img_size=True, **options)
        except TypeError:  # an option of transformers alone; other networks take any size, or say which
            model = timm.create_model(name, **options)
    except Exception as error:  # a name, a tag or a file at the hub can end in any exception of the library
        what = "cannot get the weights of" if pretrained else "cannot create"
        raise UserError(f"timm {what} {name}: {one_line(error)}") from error
    return model
