"""A pipe that the user names in place of a file: what comes through it is kept in a temporary file while it is read.

Reading exactly needs a file to go back in. Only who was told of a pipe by name comes here; a pipe met anywhere else, in
a folder or in a table, is refused (`container`), because opening it would wait for whoever writes to it.
"""

import os
import select
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from muybridge.errors import VideoError
from muybridge.video.limits import PIPE_BYTES, STALL_SECONDS, Limits

_CHUNK_BYTES = 2**20


def is_pipe(path: Path) -> bool:
    """Whether a path is a pipe, as ``/dev/stdin`` is behind ``|``."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        return False


@contextmanager
def regular_file(path: Path) -> Iterator[Path]:
    """``path`` itself or, of a pipe, a temporary file with all that comes through it.

    Raises:
        VideoError: Nothing comes for a while, or more than the limit.
    """
    if not is_pipe(path):
        yield path
        return
    limits = Limits.current()
    with tempfile.NamedTemporaryFile(prefix="muybridge-", suffix=path.suffix) as kept:
        size_bytes = 0
        for chunk in _chunks(path, limits.stall_seconds):
            size_bytes += len(chunk)
            if size_bytes > limits.pipe_bytes:
                reason = f"more comes through the pipe than {PIPE_BYTES} allows ({limits.pipe_bytes})"
                raise VideoError(path, reason, "save the video to a file, or set that higher")
            kept.write(chunk)
        kept.flush()
        if not size_bytes:
            raise VideoError(path, "nothing came through the pipe", "check what writes to it")
        yield Path(kept.name)


def _chunks(path: Path, stall_seconds: float) -> Iterator[bytes]:
    # Without O_NONBLOCK, opening a pipe waits for its writer, however long that takes to come.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        begun = False
        while True:
            ready = select.select([handle], [], [], stall_seconds)[0]
            chunk = os.read(handle, _CHUNK_BYTES) if ready else b""
            if chunk:
                begun = True
                yield chunk
            elif not ready:
                reason = f"nothing came through the pipe for {stall_seconds:g} s ({STALL_SECONDS})"
                raise VideoError(path, reason, "check what writes to it")
            elif begun or not _writer_may_come(handle, stall_seconds):
                return
    finally:
        os.close(handle)


def _writer_may_come(handle: int, seconds: float) -> bool:
    """Wait for the first byte in a pipe that nobody writes to yet; whether it came."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    waited = 0.0
    while waited < seconds:
        if any(event & select.POLLIN for _, event in poll.poll(100)):
            return True
        # Until the first writer comes, the kernel reports a pipe as hung up without waiting.
        select.select([], [], [], 0.05)
        waited += 0.05
    return False
