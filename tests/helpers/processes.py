"""Python programs in several processes that train together, as torchrun starts them."""

import os
import subprocess
import sys
from pathlib import Path


def start_together(count: int, *words: object, folder: Path, **variables: str) -> subprocess.Popen:
    """Start ``python WORDS`` in ``count`` processes of one group; its output is one text.

    Args:
        count: How many.
        words: A file and its arguments, or ``-m``, a module and its arguments.
        folder: Where they run.
        variables: Of their environment.
    """
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(count)]
    # What follows is the program's: torchrun would take --run for an option of its own.
    rest = ["-m", "--", *words[1:]] if words[0] == "-m" else ["--", *words]
    command = [sys.executable, *launcher, *map(str, rest)] if count > 1 else [sys.executable, *map(str, words)]
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_together(count: int, *words: object, folder: Path, seconds: float = 200, **variables: str) -> str:
    """The same, until it ends well; returns what it printed."""
    process = start_together(count, *words, folder=folder, **variables)
    try:
        said, _ = process.communicate(timeout=seconds)
    finally:
        process.kill()
    assert process.returncode == 0, said
    return said
