"""Faults on purpose: a disk that is full, a process that is killed, a bit that flips."""

import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(path: Path, *, kilobytes: int) -> Iterator[Path]:
    """A disk of so many kilobytes, mounted at ``path``; skips where that is not allowed."""
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk needs the right to mount one")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def fill(disk: Path, *, free_kilobytes: int) -> None:
    """Leave so many kilobytes of a small disk free."""
    free = os.statvfs(disk)
    taken = free.f_bavail * free.f_frsize - 1024 * free_kilobytes
    (disk / "filler").write_bytes(bytes(max(0, taken)))


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative: the signal that killed it) and what it printed."""

    code: int
    out: str
    err: str

    @property
    def is_one_clear_line(self) -> bool:
        """Whether it refused with one line that says so."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        return self.code == 2 and len(lines) == 1 and "Traceback" not in self.err


class Commands:
    """Runs commands of muybridge in processes that begin with everything imported, so that each costs little.

    Args:
        folder: The current folder of all of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.helpers.preloaded"])

    def run(self, *words: object, send: int = signal.SIGKILL, after: float | None = None) -> Ended:
        """Run a command to its end, or until a signal is sent to it.

        Args:
            words: The command, without ``muybridge``.
            send: The signal.
            after: Seconds from its start after which it is sent; None: never.
        """
        out, err = self._folder / "stdout.txt", self._folder / "stderr.txt"
        arguments = (self._folder, [str(word) for word in words], out, err)
        process = self._context.Process(target=_command, args=arguments)
        begun = self._folder / "begun"
        begun.unlink(missing_ok=True)
        process.start()
        if after is not None:
            while process.is_alive() and not begun.exists():
                time.sleep(0.005)
            process.join(after)
            if process.is_alive():
                with suppress(ProcessLookupError):  # it ended in this very moment
                    os.kill(process.pid, send)
        process.join(120)
        if process.is_alive():
            process.kill()
            raise AssertionError(f"{' '.join(map(str, words))} hangs: {err.read_text()}")
        return Ended(process.exitcode, _read(out), _read(err))

    def seconds(self, *words: object) -> float:
        """How long a command takes that succeeds."""
        begun = time.monotonic()
        ended = self.run(*words)
        assert ended.code == 0, ended.err
        return time.monotonic() - begun


def _command(folder: Path, words: Sequence[str], out: Path, err: Path) -> None:
    """What a process does."""
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.chdir(folder)
    from muybridge.__main__ import main
    from muybridge.console import STDERR

    STDERR.file = sys.stderr
    sys.argv = ["muybridge", *words]
    (folder / "begun").touch()
    main()


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def flip_bit(path: Path, generator: random.Random) -> int:
    """Flip one bit of a file; returns its number."""
    data = bytearray(path.read_bytes())
    bit = generator.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    return bit


def left_over(folder: Path) -> list[str]:
    """Files in a folder, and those in it, that somebody began to write."""
    return [str(path) for path in folder.rglob(".*") if path.name.count("-") >= 2]
