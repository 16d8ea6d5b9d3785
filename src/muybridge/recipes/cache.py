"""Where decoded frames and features are kept, as plain values."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from muybridge.errors import UserError

MOST_VARIANTS = 1000
MOST_SHARDS_GB = 1e6


@dataclass(frozen=True)
class CacheConfig:
    """Where decoded frames, and features of frozen encoders, are kept."""

    folder: str = ""
    """Folder of the cache. Empty: $MUYBRIDGE_CACHE, else ~/.cache/muybridge/frames."""

    format: Literal["raw", "jpeg"] = "raw"
    """raw: exact uint8 pixels, memory-mapped. jpeg: quality 90, about a twelfth of the space, slower, not exact."""

    features: Literal["auto", "on", "off"] = "auto"
    """Encode clips once and keep the output of the encoder's frozen part (16-bit floats). auto: if nothing of the
    encoder learns. on: also if only its last layers do, from the first of these on."""

    features_from: Annotated[str, Parameter(alias="--features")] = ""
    """A folder or URL of features that muybridge encode made with this recipe; they are taken in place of decoding and
    encoding. Clips that it does not hold are encoded as ever."""

    variants: int = 4
    """With features: how many augmented variants of each training clip are kept; epochs take them in turns."""

    budget_gb: float = 20.0
    """Most disk space (GB) the cache may take; the least recently used entries go first."""

    shards_gb: float = 4.0
    """Most disk space (GB) that pieces of shards from a bucket take while these are read; what was read longest ago
    goes first. Besides budget_gb."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            UserError: For a value outside its range.
        """
        if not 0.1 <= self.shards_gb <= MOST_SHARDS_GB:
            raise UserError(f"cache.shards_gb is {self.shards_gb:g}; give 0.1 to {MOST_SHARDS_GB:g}")
        if not 1 <= self.variants <= MOST_VARIANTS:
            raise UserError(f"cache.variants is {self.variants}; give a number from 1 to {MOST_VARIANTS}")
