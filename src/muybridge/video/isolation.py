"""Decoding in a process of its own, with limits: for files of strangers.

FFmpeg is C code. A file that is made to, may crash it, let it loop for ever or take all memory; and where it has a
hole, the file's code runs with the rights of this process. In isolation another process decodes, which may take so much
memory and processor time and no more, writes no file (but for one that copies a video for browsers, up to a size), has
no network where the system permits that, and sends back nothing but pictures and numbers, whose sizes are checked here.
If it dies, that is an error of the file. What is not enforced: it can read what its user can read.

The processes are started as ``python -m``, so that scripts without a main guard and notebooks can use them, and serve
one file after the other, so that the start is paid once.
"""

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from muybridge.errors import UserError, VideoError
from muybridge.video.limits import CHILD_BYTES, CHILD_SECONDS, Limits

Array = npt.NDArray[Any]
_HINT = "leave the file alone, or decode it without isolation if you trust it"
_HEADER_BYTES = 2**20
_TYPES = {"uint8", "int64", "float64"}


class Isolation:
    """A pool of processes that decode; one at a time for each thread that asks."""

    def __init__(self) -> None:
        self._idle: list[_Child] = []
        self._writing: list[tuple[Path, _Child]] = []
        self._lock = threading.Lock()
        self._closed = False
        # Linux ends a child with the thread that started it, and whoever asks may be a thread that ends long before.
        self._starter = ThreadPoolExecutor(1)

    def call(self, path: Path, what: str, **arguments: Any) -> tuple[dict[str, Any], list[Array]]:
        """Let a process do something with a file.

        Args:
            path: The file.
            what: A function of `isolated_child`.
            arguments: Its arguments, which may be any Python values.

        Returns:
            What it returns: plain values and arrays.

        Raises:
            VideoError: As the function raises it, or because the process died.
        """
        with self.hold() as held:
            return held.call(path, what, **arguments)

    def hold(self) -> "Held":
        """A process for several calls, to which it remembers what was opened."""
        return Held(self)

    def write(self, path: Path, what: str, *, most_bytes: int, most_seconds: float, **arguments: Any) -> dict[str, Any]:
        """Let a process of its own do something with a file that ends in another file; see ``call``.

        Args:
            path: The file.
            what: A function of `isolated_child`.
            most_bytes: How large a file may become that it writes.
            most_seconds: Processor seconds that it may take, where that is more than the limit of others.
            arguments: Its arguments.
        """
        child = self._starter.submit(_Child, most_bytes).result()
        with self._lock:
            self._writing.append((path, child))
        try:
            return child.call(path, what, arguments, least_limit_seconds=most_seconds)[0]
        finally:
            with self._lock:
                self._writing.remove((path, child))
            child.end()

    def stop_writing(self, path: Path) -> None:
        """End the processes that write something of a file; who waits for them hears that they died."""
        with self._lock:
            children = [child for written, child in self._writing if written == path]
        for child in children:
            child.kill()

    def take(self) -> "_Child":
        """A process that waits, or a new one; for `Held`."""
        with self._lock:
            child = self._idle.pop() if self._idle else None
        return child or self._starter.submit(_Child).result()

    def give_back(self, child: "_Child") -> None:
        """Keep a process for the next who asks, where it can be kept."""
        with self._lock:
            is_kept = child.is_ready and not self._closed
            if is_kept:
                self._idle.append(child)
        if not is_kept:
            child.end()

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            writing = list(self._writing)
        for child in idle:
            child.end()
        for _, child in writing:  # whoever waits for it hears that it died
            child.kill()
        self._starter.shutdown()


class Held:
    """A process of an isolation that serves one asker; used in a ``with`` statement."""

    def __init__(self, isolation: Isolation) -> None:
        self._isolation = isolation
        self._child: _Child | None = None

    def __enter__(self) -> "Held":
        self._child = self._isolation.take()
        return self

    def __exit__(self, *_: object) -> None:
        child, self._child = self._child, None
        if child is not None:
            self._isolation.give_back(child)

    @property
    def is_ready(self) -> bool:
        """Whether the process waits for a call."""
        return self._child is not None and self._child.is_ready

    def call(self, path: Path, what: str, **arguments: Any) -> tuple[dict[str, Any], list[Array]]:
        """See ``Isolation.call``."""
        assert self._child is not None, "used outside its with statement"
        return self._child.call(path, what, arguments)


_active: list[Isolation] = []


@contextmanager
def isolated(wanted: bool = True) -> Iterator[None]:
    """While this lasts, video files are decoded in isolation, in all threads of this process."""
    if not wanted:
        yield
        return
    if os.name != "posix":
        raise UserError("isolate: processes with limits need Linux or macOS; leave isolate off")
    pool = Isolation()
    _active.append(pool)
    try:
        yield
    finally:
        _active.remove(pool)
        pool.close()


def current() -> Isolation | None:
    """The isolation that holds now, if any."""
    return _active[-1] if _active else None


class _Child:
    """One process that decodes.

    Attributes:
        is_ready: Whether it waits for the next file.
    """

    def __init__(self, most_bytes: int = 0) -> None:
        self.is_ready = True
        search = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "muybridge.video.isolated_child", str(most_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": search, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def call(
        self, path: Path, what: str, arguments: dict[str, Any], *, least_limit_seconds: float = 0.0
    ) -> tuple[dict[str, Any], list[Array]]:
        limits = Limits.current()
        limits = replace(limits, child_seconds=max(limits.child_seconds, least_limit_seconds))
        self.is_ready = False
        request = pickle.dumps((str(Path(path).absolute()), what, arguments, limits))
        # The processor time is limited in the process itself; this is for one that waits for something.
        until = time.monotonic() + limits.child_seconds + limits.stall_seconds
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(len(request).to_bytes(8) + request)
            self._process.stdin.flush()
            header = self._header(until)
            arrays = self._arrays(header, limits, until)
        except (EOFError, BrokenPipeError):
            raise VideoError(path, self._why_it_died(limits), _HINT) from None
        except TimeoutError:
            reason = f"decoding does not get on; its process was ended after {limits.child_seconds:g} s and more"
            raise VideoError(path, reason, _HINT) from None
        except (ValueError, KeyError, TypeError) as error:
            raise VideoError(path, f"the process that decodes it answers nonsense: {error}", _HINT) from None
        self.is_ready = not header.pop("is_spoilt", False)
        if "reason" in header:
            raise VideoError(path, str(header["reason"]), str(header.get("hint", "")))
        return header, arrays

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # what it was not sent, it does not need any more
                if pipe is not None:
                    pipe.close()
        self._process.wait()

    def _header(self, until: float) -> dict[str, Any]:
        length = int.from_bytes(self._read(8, until))
        if length > _HEADER_BYTES:
            raise ValueError(f"a header of {length} bytes")
        header = json.loads(bytes(self._read(length, until)))
        if not isinstance(header, dict):
            raise TypeError("no header")
        return header

    def _arrays(self, header: dict[str, Any], limits: Limits, until: float) -> list[Array]:
        arrays, room = [], limits.child_bytes
        for described in header.pop("arrays", []):
            dtype, shape = described["dtype"], tuple(int(axis) for axis in described["shape"])
            if dtype not in _TYPES or any(axis < 0 for axis in shape):
                raise ValueError(f"an array of {dtype}, {shape}")
            size = np.dtype(dtype).itemsize
            for axis in shape:
                size *= axis
            room -= size
            if room < 0:
                raise ValueError(f"arrays of more than {limits.child_bytes} bytes ({CHILD_BYTES})")
            arrays.append(np.frombuffer(self._read(size, until), dtype).reshape(shape))
        return arrays

    def _read(self, size: int, until: float) -> bytearray:
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        data = bytearray(size)
        view, done = memoryview(data), 0
        while done < size:
            if not select.select([handle], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError
            got = os.readv(handle, [view[done : done + 2**20]])
            if got == 0:
                raise EOFError
            done += got
        return data

    def _why_it_died(self, limits: Limits) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "the process that decodes it does not answer any more"
        if code == -signal.SIGXCPU:
            return f"decoding takes more than {limits.child_seconds:g} processor seconds ({CHILD_SECONDS})"
        if code < 0:
            return f"the process that decodes it was killed ({signal.Signals(-code).name})"
        return f"the process that decodes it ended ({code})"


def described(arrays: Sequence[Array]) -> list[dict[str, Any]]:
    """How `_Child` is told what arrays follow."""
    return [{"dtype": array.dtype.name, "shape": list(array.shape)} for array in arrays]
