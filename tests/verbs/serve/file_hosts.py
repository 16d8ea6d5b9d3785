"""Hosts that videos are fetched from: real HTTP servers that note who asked for what, with which key."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "0123456789abcdef0123456789abcdef01234567"


class Files:
    """What is served, to whom, and what was asked for."""

    def __init__(self, needs_key: bool) -> None:
        self.data: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.needs_key = needs_key
        self.url = ""


@contextmanager
def file_host(*, needs_key: bool) -> Iterator[Files]:
    files = Files(needs_key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            key = self.headers.get("authorization")
            files.asked.append((self.path, key))
            path = self.path.partition("?")[0]
            if path in files.redirects:
                self.send_response(302)
                self.send_header("Location", files.redirects[path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if path not in files.data or (files.needs_key and key != f"Token {KEY}"):
                self.send_error(404 if path not in files.data else 401)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(files.data[path])))
            self.end_headers()
            self.wfile.write(files.data[path])

        def log_message(self, *arguments: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    files.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield files
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
