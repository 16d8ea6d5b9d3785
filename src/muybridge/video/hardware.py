"""Decoding on an NVIDIA GPU (NVDEC), by PyAV's hwaccel, where a user asks for it; else on the processor.

Notable: it is FFmpeg's own decoder that reads the stream, and the GPU that computes its pictures, which are copied back
at once. So frame i is the same frame. A codec that the GPU does not know is an error of that file; nothing falls back
to the processor unasked, since the pixels could differ in their last bits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import av
from av.codec.hwaccel import HWAccel, hwdevices_available

from muybridge.errors import UserError
from muybridge.text import one_line

Decoder = Literal["cpu", "nvdec"]

_decoder: ContextVar[Decoder] = ContextVar("decoder", default="cpu")
_CPU = "say data.decoder cpu"


@contextmanager
def decoding_on(decoder: Decoder) -> Iterator[None]:
    """Files that are opened meanwhile, in this thread, are decoded there."""
    token = _decoder.set(decoder)
    try:
        yield
    finally:
        _decoder.reset(token)


def acceleration() -> HWAccel | None:
    """What PyAV opens a file with; None: the processor decodes."""
    return None if _decoder.get() == "cpu" else HWAccel("cuda", allow_software_fallback=False)


def require_decoder(decoder: Decoder) -> None:
    """Make sure that there is something that decodes.

    Raises:
        UserError: There is none.
    """
    if decoder == "cpu":
        return
    if "cuda" not in hwdevices_available():
        raise UserError(f"data.decoder is nvdec, and the FFmpeg in this PyAV {av.__version__} knows no CUDA; {_CPU}")
    try:
        HWAccel("cuda", allow_software_fallback=False).create(av.Codec("h264", "r"))
    except (OSError, RuntimeError, NotImplementedError) as error:
        raise UserError(
            f"data.decoder is nvdec, and no NVIDIA GPU can be opened here ({one_line(error)}); {_CPU}"
        ) from error
