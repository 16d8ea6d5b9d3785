"""A real server in a process of its own, as a user starts it."""

import os
import re
import select
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 120


@dataclass
class RunningServer:
    """A server that runs.

    Attributes:
        url: Where.
        process: It.
        folder: Where its temporary folder is made.
        said: What it has printed so far.
        token: What it asks for.
    """

    url: str
    process: "subprocess.Popen[str]"
    folder: Path
    said: str
    token: str = ""

    def client(self, **options: Any) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        verify: Any = ssl._create_unverified_context() if self.url.startswith("https") else False
        options = {"base_url": self.url, "timeout": 60, "headers": headers, "verify": verify} | options
        return httpx.Client(**options)

    @property
    def temporary_files(self) -> list[Path]:
        """All files that it keeps now."""
        return [path for path in self.folder.rglob("*") if path.is_file()]

    @property
    def memory_mb(self) -> float:
        """What the process holds now, without the processes that decode for it."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def stop(self, *, seconds: float = 60) -> int:
        """End it with SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        assert self.process.stderr is not None
        self.said += self.process.stderr.read()
        return code


@contextmanager
def running_server(
    folder: Path, *arguments: object, token: str = "", environment: dict[str, str] | None = None
) -> Iterator[RunningServer]:
    """``muybridge serve`` with these arguments, on a free port."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "muybridge", "serve", *map(str, arguments), "--port", "0", "--folder", str(folder)]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
    )
    said = ""
    try:
        assert process.stderr is not None
        until = time.monotonic() + START_SECONDS
        while not (found := re.search(r"serving at (https?://\S+?)/(?:#token=(\S+))? ", said)):
            ready, _, _ = select.select([process.stderr], [], [], 1)
            line = process.stderr.readline() if ready else ""
            said += line
            if ready and not line:
                raise AssertionError(f"the server ended with {process.wait()}: {said}")
            assert time.monotonic() < until, said
        server = RunningServer(found[1], process, folder, said, token=token or found[2] or "")
        with server.client() as client:
            while True:  # it says where it will be before it is there
                try:
                    client.get("/health").raise_for_status()
                    break
                except httpx.TransportError:
                    assert time.monotonic() < until
                    time.sleep(0.05)
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()
