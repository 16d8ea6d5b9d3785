"""An S3 server (moto's) on this machine, which can be slow, fail at random, and be away for a while.

python -m tests.helpers.s3_server PORT
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from socket import AF_INET, SHUT_RDWR, SOCK_STREAM, create_connection, create_server, socket
from typing import Any
from urllib.parse import parse_qs

BUCKET = "clips"
_ADMIN = "/-/faults"


class Faults:
    """Between the server and whoever asks: waits, refuses a share of requests, counts."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._random = random.Random(0)
        self.latency_seconds = 0.0
        self.failing_share = 0.0
        self.requests = 0
        self.failed = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == _ADMIN:
            return self._administer(environ, start_response)
        with self._lock:
            self.requests += 1
            fails = self._random.random() < self.failing_share
            self.failed += fails
        time.sleep(self.latency_seconds)
        if fails:
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"]
        return self._application(environ, start_response)

    def _administer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked = parse_qs(environ.get("QUERY_STRING", ""))
        with self._lock:
            self.latency_seconds = float(asked.get("latency", [self.latency_seconds])[0])
            self.failing_share = float(asked.get("failing", [self.failing_share])[0])
            counts = {"requests": self.requests, "failed": self.failed}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(counts).encode()]


class Bucket:
    """A bucket of a server in a process of its own, behind a door that can be shut.

    Attributes:
        url: Of the bucket.
        endpoint: Where requests go.
        environment: What a program needs to find and be let into it.
        direct_endpoint: Where the server itself listens, without the door.
        process_id: Of the server.
    """

    def __init__(self) -> None:
        self._server_port, port = _free_port(), _free_port()
        self.url = f"s3://{BUCKET}"
        self.endpoint = f"http://127.0.0.1:{port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up-too",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        self.direct_endpoint = f"http://127.0.0.1:{self._server_port}"
        self._process = subprocess.Popen([sys.executable, "-m", "tests.helpers.s3_server", str(self._server_port)])
        self.process_id = self._process.pid
        self._door = _Door(port, self._server_port)
        _until_there(self._server_port)
        request = urllib.request.Request(f"http://127.0.0.1:{self._server_port}/{BUCKET}", method="PUT")
        urllib.request.urlopen(request).read()

    def faults(self, *, latency_seconds: float = 0.0, failing_share: float = 0.0) -> None:
        """Be slow, and fail at random."""
        self._ask(f"?latency={latency_seconds}&failing={failing_share}")

    def counts(self) -> dict[str, int]:
        """How many requests came, and how many were failed on purpose."""
        return self._ask("")

    @contextmanager
    def away(self) -> Iterator[None]:
        """While this lasts, nobody answers, and connections that were there are gone."""
        self._door.shut()
        try:
            yield
        finally:
            self._door.open()

    def close(self) -> None:
        """End the server."""
        self._door.shut()
        self._process.kill()
        self._process.wait()

    def _ask(self, query: str) -> dict[str, int]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._server_port}{_ADMIN}{query}") as answer:
            return dict(json.load(answer))


class _Door:
    """Passes connections on to another port while it is open."""

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self._connections: set[socket] = set()
        self._lock = threading.Lock()
        self.open()

    def open(self) -> None:
        self._listener = create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        _end(self._listener)
        with self._lock:
            for connection in self._connections:
                _end(connection)
            self._connections.clear()

    def _accept(self, listener: socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._connections |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket, sink: socket) -> None:
        try:
            while data := source.recv(1 << 16):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            _end(end)
        with self._lock:
            self._connections -= {source, sink}


def _end(end: socket) -> None:
    with suppress(OSError):
        end.shutdown(SHUT_RDWR)
    end.close()


def _free_port() -> int:
    with socket(AF_INET, SOCK_STREAM) as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


def _until_there(port: int) -> None:
    for _ in range(600):
        try:
            create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("the S3 server did not start")


def main() -> None:
    """Serve until killed, or until the process that started this one is gone."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_: Any) -> None: ...

    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    application = Faults(DomainDispatcherApplication(create_backend_app))
    make_server("127.0.0.1", int(sys.argv[1]), application, threaded=True, request_handler=Quiet).serve_forever()


if __name__ == "__main__":
    main()
