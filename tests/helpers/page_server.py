"""The real server as a process, and the real browser that looks at its page, for tests of the page.

Playwright drives Debian's Chromium: tests of a page that people click, drag and type in need what it knows of that.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.helpers.browser import find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_START_SECONDS = 120.0
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required")


@dataclass
class Server:
    """A server that runs.

    Attributes:
        url: Its address, with the token if it printed one.
        process: It.
        lines: What it printed.
    """

    url: str
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    def kill(self) -> None:
        """End it without a word to its clients."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def serving(*arguments: object, port: int = 0) -> Iterator[Server]:
    """Run ``muybridge serve`` until the block ends.

    Args:
        arguments: Of the command, without the port.
        port: To listen on; 0: any that is free.
    """
    command = [sys.executable, "-m", "muybridge", "serve", *map(str, arguments), "--port", str(port)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    timer = threading.Timer(_START_SECONDS, process.kill)
    timer.start()
    try:
        lines: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line.strip())
            found = re.search(r"serving at (\S+)", line)
            if found:
                break
        else:
            pytest.fail(f"the server did not start: {lines}")
        timer.cancel()
        # Read on, so that a server that says much never waits for a reader.
        reader = threading.Thread(target=lambda pipe: lines.extend(pipe), args=(process.stderr,), daemon=True)
        reader.start()
        _wait_until_it_listens(found[1])
        yield Server(found[1], process, lines)
    finally:
        timer.cancel()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)  # the second one does not wait for what runs
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_it_listens(url: str) -> None:
    """The address is said a moment before connections are taken."""
    address = urlsplit(url)
    assert address.hostname and address.port
    for _ in range(100):
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection((address.hostname, address.port)):
            return
        time.sleep(0.05)
    pytest.fail(f"nobody listens at {url}")


class Wire:
    """A way to a server that can be cut: it passes on what comes, both ways."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._server = (address.hostname, address.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._whole = True
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and let no new one through."""
        self._whole = False
        for end in self._ends:
            with contextlib.suppress(OSError):  # ended by itself
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def mend(self) -> None:
        """Let connections through again."""
        self._whole = True

    def close(self) -> None:
        """Cut it for good."""
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # closed
                return
            if not self._whole:
                client.close()
                continue
            server = socket.create_connection(self._server)
            self._ends += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):  # cut
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def wire(url: str) -> Iterator[Wire]:
    """A way to a server that can be cut."""
    found = Wire(url)
    try:
        yield found
    finally:
        found.close()


@contextlib.contextmanager
def chromium(*flags: str) -> Iterator["Browser"]:
    """A headless browser; the test is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra test)")
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Tab:
    """A page in the browser, and what went wrong in it.

    Attributes:
        page: Playwright's page.
        requests: Addresses that it asked for.
        complaints: Errors of scripts, and what the browser logged about them.
    """

    page: "Page"
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def ready(self) -> "Page":
        """The page, once it knows the server's models."""
        self.page.locator("#models").wait_for()
        return self.page

    def choose(self, *files: Path) -> None:
        """Choose files, as a person does."""
        self.page.set_input_files("#chosen", list(files))


@contextlib.contextmanager
def tab(
    browser: "Browser",
    url: str,
    *,
    width: int = 1280,
    scheme: str = "light",
    permissions: Sequence[str] = (),
) -> Iterator[Tab]:
    """Open the page in a context of its own; at the end it had no error in a script, and asked no other host."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        permissions=list(permissions),
        has_touch=width < 600,
        accept_downloads=True,
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    found = Tab(page)
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            found.complaints.append(message.text)
            if message.type == "error" and "Failed to load resource" not in message.text
            else None
        ),
    )
    try:
        page.goto(url)
        yield found
        assert found.complaints == []
        origin = re.match(r"\w+://[^/]+", url)
        assert origin is not None
        strangers = [each for each in found.requests if not each.startswith((origin[0], "blob:", "data:"))]
        assert strangers == []
    finally:
        context.close()
