"""What this machine is and allows: cores, memory, its processor's name, and how memory is given back."""

import ctypes
import os
import platform
import sys
from pathlib import Path

from muybridge.errors import UserError

_CGROUP = Path("/sys/fs/cgroup")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc


def available_cores() -> int:
    """Cores that this process may run on; a container may allow fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory() -> int:
    """Bytes that can be taken without swapping; a container may allow fewer than the machine has.

    Raises:
        UserError: If this system does not tell.
    """
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        available = 1024 * int(lines["MemAvailable"].split()[0])
        limit, used = _CGROUP / "memory.max", _CGROUP / "memory.current"
        if limit.exists() and used.exists() and (text := limit.read_text().strip()) != "max":
            # File pages in the count are given back when asked for.
            stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
            free = int(text) - int(used.read_text()) + int(stat.get("inactive_file", 0))
            available = min(available, free)
        return max(0, available)
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        # macOS tells its size, not what is free: half of it is taken to be.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    raise UserError("this system does not say how much memory is free; give training.batch_size a number")


def peak_memory() -> int | None:
    """Most bytes of memory that this process has held; None where the system does not say (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # Linux counts in kibibytes


def total_memory() -> int | None:
    """Bytes of memory that this machine has, or its container may use; None where the system does not say."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _CGROUP / "memory.max"
    if limit.exists() and (text := limit.read_text().strip()) != "max":
        total = min(total, int(text))
    return total


def processor_name() -> str:
    """The processor's model, or what the system says in its place."""
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def keep_freed_memory() -> None:
    """Tell glibc's allocator to keep freed memory for the next step; elsewhere nothing is to be done.

    The activations of a step are blocks of many megabytes. glibc maps such blocks afresh each time, and the kernel
    fills them with zeros page by page: a training step of MobileNet on 64 frames of 192 px spends half its time there.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        # What the forward pass takes, autograd's thread gives back: with one arena each, both would keep growing.
        mallopt(_M_ARENA_MAX, 1)
