"""Keeping freed memory for the next step, instead of giving it back to the system and asking for it again.

The activations of a step are blocks of many megabytes. glibc maps such blocks afresh each time, and the kernel fills
them with zeros page by page: a training step of MobileNet on 64 frames of 192 px spends half of its time there.
"""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc


def keep_freed_memory() -> None:
    """Tell glibc's allocator to reuse large blocks; elsewhere (macOS, Windows, musl) nothing is to be done."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        # What the forward pass takes, autograd's thread gives back: with one arena each, both would keep growing.
        mallopt(_M_ARENA_MAX, 1)
