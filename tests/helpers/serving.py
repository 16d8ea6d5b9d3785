"""A local web server that behaves as badly as asked."""

import email.utils
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """One file, and how it is served.

    Attributes:
        data: Its bytes.
        cuts: After how many bytes the first answers break off.
        refusals: Statuses of the first answers.
        ranges: Whether ranges are honoured.
        etag: The ETag, or None for a server that sends none.
        modified: Seconds since 1970 for Last-Modified, or None.
        declared_bytes: A length to declare instead of the true one.
        stalls: Whether the server falls silent after the bytes, without hanging up.
    """

    data: bytes
    cuts: list[int] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    ranges: bool = True
    etag: str | None = '"first"'
    modified: int | None = None
    declared_bytes: int | None = None
    stalls: bool = False

    @property
    def validators(self) -> set[str]:
        date = None if self.modified is None else email.utils.formatdate(self.modified, usegmt=True)
        return {each for each in (self.etag, date) if each}


@dataclass
class Server:
    url: str
    files: dict[str, Served] = field(default_factory=dict)
    requests: list[tuple[str, int, str | None, int]] = field(default_factory=list)
    """Every answer: name, status, the range that was asked for, and the bytes that were sent."""

    def sent(self, name: str) -> int:
        return sum(count for each, _, _, count in self.requests if each == name)

    def statuses(self, name: str) -> list[int]:
        return [status for each, status, _, _ in self.requests if each == name]


@contextmanager
def serving() -> Iterator[Server]:
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name, asked = self.path.rpartition("/")[2], self.headers.get("Range")
            served = server.files.get(name)
            status = 404 if served is None else served.refusals.pop(0) if served.refusals else 200
            if served is None or status != 200:
                server.requests.append((name, status, asked, 0))
                self.send_error(status)
                return
            start, body = 0, served.data
            if asked and served.ranges and self.headers.get("If-Range") in (served.validators | {None}):
                start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
                status, body = 206, served.data[start:]
                if not body:
                    server.requests.append((name, 416, asked, 0))
                    self.send_error(416)
                    return
            self.send_response(status)
            self.send_header("Content-Length", str(served.declared_bytes or len(body)))
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(served.data) - 1}/{len(served.data)}")
            if served.etag:
                self.send_header("ETag", served.etag)
            if served.modified is not None:
                self.send_header("Last-Modified", email.utils.formatdate(served.modified, usegmt=True))
            self.end_headers()
            if served.cuts:
                body = body[: served.cuts.pop(0)]
                self.close_connection = True
            server.requests.append((name, status, asked, len(body)))
            self.wfile.write(body)
            if served.stalls:
                self.wfile.flush()
                closing.wait()

        def log_message(self, *arguments: object) -> None:
            pass

    class Http(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, address: object) -> None:
            pass  # clients that hang up are part of the tests

    http = Http(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        closing.set()
        http.shutdown()
        thread.join()
        http.server_close()
