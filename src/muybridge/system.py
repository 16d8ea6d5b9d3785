"""What this machine is and allows: cores, memory, the device that computes, and how memory is given back."""

import ctypes
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from muybridge.errors import UserError
from muybridge.text import did_you_mean

if TYPE_CHECKING:
    import torch

_CGROUP = Path("/sys/fs/cgroup")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc


def available_cores() -> int:
    """Cores that this process may run on; a container may allow fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cache_home() -> Path:
    """Where programs keep what they can make again: ``XDG_CACHE_HOME``, else ``~/.cache``.

    Raises:
        UserError: If the user has no home folder, as some services and containers have it.
    """
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named)
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        raise UserError(
            "there is no home folder for the cache of frames (HOME is not set); set MUYBRIDGE_CACHE, or cache.folder, "
            "to a folder that can be written"
        ) from None


def available_memory() -> int:
    """Bytes that can be taken without swapping; a container may allow fewer than the machine has.

    Raises:
        UserError: If this system does not say.
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
        # macOS says its size, not what is free: half of it is taken to be.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    raise UserError("this system does not say how much memory is free; give training.batch_size a number")


def peak_memory() -> int | None:
    """Most bytes of memory that this process has held; None where the system does not say (Windows)."""
    if sys.platform == "win32":
        return None
    # Linux's getrusage also counts what the process that started this one held.
    if (held := status_bytes("VmHWM")) is not None:
        return held
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # macOS counts in bytes, others in kibibytes


def status_bytes(field: str) -> int | None:
    """What Linux says of this process's memory, such as ``VmData``; None on other systems."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return 1024 * int(lines[field].split()[0])


def total_memory() -> int | None:
    """Bytes of memory that this machine has, or its container may use; None where the system does not say."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _CGROUP / "memory.max"
    if limit.exists() and (text := limit.read_text().strip()) != "max":
        total = min(total, int(text))
    return total


DEVICES = ("auto", "cpu", "cuda", "mps")
"""What a user can ask for; one of several CUDA GPUs is ``cuda:NUMBER``."""


def resolve_device(name: "str | torch.device" = "auto") -> "torch.device":
    """The device that a user means, checked.

    Args:
        name: ``auto``: a CUDA GPU if there is one, else the CPU; ``cpu``; ``cuda``, the first GPU; ``cuda:1``, the
            second; ``mps``, the GPU of an Apple computer, which ``auto`` leaves alone because it is not tested.

    Raises:
        UserError: If there is no such device here.
    """
    import torch  # takes a second or two; whoever only counts cores does not wait for it

    name = str(name)
    kind, colon, number = name.partition(":")
    if name not in DEVICES and not (kind == "cuda" and colon and number.isascii() and number.isdigit()):
        raise UserError(f"device {name} is unknown{did_you_mean(name, [*DEVICES, 'cuda:1'])}")
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not count:
            raise UserError(f"device {name}: torch finds no CUDA GPU here; use cpu, or auto")
        if int(number or 0) >= count:
            last = f"cuda:0 to cuda:{count - 1}" if count > 1 else "cuda:0 alone"
            raise UserError(f"device {name} is not there: this machine has {last}")
        return torch.device("cuda", int(number or 0))
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError("device mps: torch finds no Apple GPU here; use cpu, or auto")
    return torch.device(kind)


def computes_in_bf16(device: "torch.device") -> bool:
    """Whether the hardware of a device, the processor included, computes in bfloat16."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    abilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_tile"))


def processor_name() -> str:
    """The processor's model, or what the system says in its place."""
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def keep_freed_memory() -> None:
    """Have glibc's allocator keep freed memory for the next step; elsewhere nothing is to be done.

    The activations of a step are blocks of many megabytes. glibc maps such blocks afresh each time, and the kernel
    fills them with zeros page by page: a training step of MobileNet on 64 frames of 192 px spends half its time there.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        # What the forward pass takes, autograd's thread frees: with one arena each, both would keep growing.
        mallopt(_M_ARENA_MAX, 1)
