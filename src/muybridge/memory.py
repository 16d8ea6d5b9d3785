"""How much memory this process may still take."""

import os
from pathlib import Path

from muybridge.errors import UserError

_CGROUP = Path("/sys/fs/cgroup")


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
    raise UserError("this system does not tell how much memory is free; give --batch-size a number")
