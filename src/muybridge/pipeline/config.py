"""The pipeline's options, as plain values that the command line can show without importing OpenCV."""

from dataclasses import dataclass
from typing import Literal

from muybridge.errors import UserError

AugmentDevice = Literal["auto", "cpu", "gpu"]


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes to training clips: one draw per clip and epoch, the same for all its frames.

    Each is off at 0 (flip: false). The report: zoom 0.1, flip, rotation 20, shift 0.2, no brightness.
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
    """Scale brightness by a factor in [1 - b, 1 + b] (not in the report)."""

    device: AugmentDevice = "auto"
    """Where it is done: in the loader's processes (cpu) or, batch by batch, on the GPU; auto: on a GPU if there is one.
    The draws are the same, pixels differ by rounding."""

    no_flip_classes: tuple[str, ...] = ()
    """Classes never mirrored, because left and right matter. Names with the word left or right are added."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            UserError: For a value outside its range.
        """
        for name, limit in {"zoom": 1, "rotation_degrees": 180, "shift": 1, "brightness": 1}.items():
            if not 0 <= getattr(self, name) <= limit:
                raise UserError(f"augment.{name} is {getattr(self, name)}; give a number from 0 to {limit}")


@dataclass(frozen=True)
class CacheConfig:
    """Where decoded frames are kept."""

    folder: str = ""
    """Folder of the frame cache. Empty: $MUYBRIDGE_CACHE, else ~/.cache/muybridge/frames."""

    format: Literal["raw", "jpeg"] = "raw"
    """raw: exact uint8 pixels, memory-mapped. jpeg: quality 90, about a twelfth of the space, slower, not exact."""

    budget_gb: float = 20.0
    """Most disk space (GB) the cache may take; the least recently used entries go first."""
