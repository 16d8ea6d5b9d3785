"""The real browser that looks at the page of a server, and a way to that server that can be cut.

Playwright drives Debian's Chromium: tests of a page that people click, drag and type in need what it knows of that.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.helpers.browser import find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# What the browser logs of its own: refusals, which the page tells in words, and a header that HTTP makes void.
_NOTES = ("Failed to load resource", "Cross-Origin-Opener-Policy header has been ignored")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required")


class Wire:
    """A way to a server that can be cut: it passes on what comes, both ways."""

    def __init__(self, url: str) -> None:
        self._to = url
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._whole = True
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and let no new one through."""
        self._whole = False
        for end in self._ends:
            with contextlib.suppress(OSError):  # ended by itself
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def mend(self, url: str | None = None) -> None:
        """Let connections through again, to another server if one is named."""
        self._to = url or self._to
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
            address = urlsplit(self._to)
            try:
                server = socket.create_connection((address.hostname, address.port))
            except OSError:  # that server has ended
                client.close()
                continue
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
        ignore_https_errors=url.startswith("https"),
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
            if message.type == "error" and not any(each in message.text for each in _NOTES)
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
