"""How much one video file may ask for before it is refused, and how a user changes that.

A few bytes can ask for gigabytes: a header names any picture size, and a picture that repeats the one before takes
seven bytes. The limits lie far above what cameras write. They are environment variables, because they must also hold
in the processes that decode for this one.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from muybridge.errors import UserError, VideoError

PIXELS = "MUYBRIDGE_MAX_PIXELS"
PICTURES = "MUYBRIDGE_MAX_PICTURES"
STALL_SECONDS = "MUYBRIDGE_STALL_SECONDS"
PIPE_BYTES = "MUYBRIDGE_MAX_PIPE_BYTES"
CHILD_BYTES = "MUYBRIDGE_CHILD_BYTES"
CHILD_SECONDS = "MUYBRIDGE_CHILD_SECONDS"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one file may ask for.

    Attributes:
        pixels: Width times height of a picture. The largest cameras write 8192 x 4320, half of the default.
        pictures: How many pictures a file may hold. The default is 46 hours at 60 a second.
        stall_seconds: How long reading may go on without a picture or, where only packets are read, a packet.
        pipe_bytes: How much is read from a pipe that is named in place of a file.
        child_bytes: Memory of a process that decodes in isolation, beside the libraries that it loads.
        child_seconds: Processor seconds that it may take for one file.
    """

    pixels: int = 2**26
    pictures: int = 10_000_000
    stall_seconds: float = 60.0
    pipe_bytes: int = 8 * 2**30
    child_bytes: int = 2 * 2**30
    child_seconds: float = 300.0

    @classmethod
    def current(cls) -> "Limits":
        """The limits of this process: the defaults, but for those that the environment names."""
        return cls(
            pixels=int(_number(PIXELS, cls.pixels)),
            pictures=int(_number(PICTURES, cls.pictures)),
            stall_seconds=_number(STALL_SECONDS, cls.stall_seconds),
            pipe_bytes=int(_number(PIPE_BYTES, cls.pipe_bytes)),
            child_bytes=int(_number(CHILD_BYTES, cls.child_bytes)),
            child_seconds=_number(CHILD_SECONDS, cls.child_seconds),
        )

    def check_size(self, path: Path, width_px: int, height_px: int) -> None:
        """Refuse a file whose pictures are too large.

        Raises:
            VideoError: They are.
        """
        if width_px * height_px > self.pixels:
            reason = f"pictures of {width_px} x {height_px} pixels, more than {PIXELS} allows ({self.pixels})"
            raise VideoError(path, reason, f"if you trust the file, set {PIXELS}={width_px * height_px}")

    def check_count(self, path: Path, pictures: int) -> None:
        """Refuse a file that holds too many pictures.

        Raises:
            VideoError: It does.
        """
        if pictures > self.pictures:
            reason = f"more pictures than {PICTURES} allows ({self.pictures})"
            raise VideoError(path, reason, "cut it into parts or, if you trust it, set that higher")

    def stalled(self, path: Path) -> VideoError:
        """The error for a file on which reading does not get on."""
        reason = f"no picture in {self.stall_seconds:g} s of reading ({STALL_SECONDS})"
        return VideoError(path, reason, "copy it to a faster disk, or set that higher")


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 1 <= value < math.inf:
        raise UserError(f"{name} is {text!r}; set a number from 1 on, for example {default:g}")
    return value
