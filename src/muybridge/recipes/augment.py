"""How training clips are changed at random, as plain values."""

from dataclasses import dataclass
from typing import Literal

from muybridge.errors import UserError

AugmentDevice = Literal["auto", "cpu", "gpu"]


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to training clips: one draw per clip and epoch, the same for all its frames.

    Each is off at 0 (flip: false, crop_scale: 1). The paper: zoom 0.1, flip, rotation 20, shift 0.2, no brightness.
    """

    zoom: float = 0.1
    """Zoom each axis by a factor in [1 - zoom, 1 + zoom]."""

    flip: bool = True
    """Mirror left and right in half of the draws."""

    rotation_degrees: float = 10.0
    """Rotate by up to this angle either way."""

    shift: float = 0.1
    """Shift by up to this share of the width and of the height."""

    brightness: float = 0.2
    """Scale brightness by a factor in [1 - b, 1 + b] (not in the paper)."""

    crop_scale: float = 1.0
    """Take a random part of the frame, at least this share of its area, with its aspect changed by up to a third.
    For example 0.5; 1 is off (not in the paper)."""

    device: AugmentDevice = "auto"
    """Where it is done: in the loader's processes (cpu) or, batch by batch, on the GPU; auto: on a GPU if there is one.
    The draws are the same, pixels differ by rounding."""

    no_flip_classes: tuple[str, ...] = ()
    """Classes never mirrored, because left and right matter. Names with the word left or right are added."""

    @property
    def is_off(self) -> bool:
        """Whether clips stay as they are."""
        changes = self.zoom, self.flip, self.rotation_degrees, self.shift, self.brightness
        return not any(changes) and self.crop_scale == 1

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            UserError: For a value outside its range.
        """
        limits = {"zoom": 1, "rotation_degrees": 180, "shift": 1, "brightness": 1}
        for name, limit in limits.items():
            if not 0 <= getattr(self, name) <= limit:
                raise UserError(f"augment.{name} is {getattr(self, name)}; give a number from 0 to {limit}")
        if not 0 < self.crop_scale <= 1:
            raise UserError(
                f"augment.crop_scale is {self.crop_scale}; give a share above 0 and at most 1, which is off"
            )
