"""What the machine is called."""

import platform
from pathlib import Path


def processor_name() -> str:
    """The processor's model, or what the system says in its place."""
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
