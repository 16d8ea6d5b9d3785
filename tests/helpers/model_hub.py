"""A model hub on this machine, with as much of Hugging Face's protocol as uploading and downloading a model needs."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_made_up"


class Hub(ThreadingHTTPServer):
    """Repositories as files in memory.

    Attributes:
        files: The bytes of each file of each repository.
        requests: What was asked, as (method, path).
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = self._parts("POST")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": "Invalid username or password."})
        elif parts[:3] == ["api", "repos", "create"]:
            name = json.loads(data)["name"] if "/" in json.loads(data)["name"] else None
            name = name or f"{json.loads(data)['organization']}/{json.loads(data)['name']}"
            self.server.files.setdefault(name, {})
            self._answer(200, {"url": f"{self.server.url}/{name}", "id": "1", "name": name})
        elif parts[:2] == ["api", "validate-yaml"]:
            self._answer(200, {"errors": [], "warnings": []})
        elif "preupload" in parts:
            files = [{"path": each["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                     for each in json.loads(data)["files"]]  # fmt: skip
            self._answer(200, {"files": files})
        elif "commit" in parts:
            repository = "/".join(parts[2:4])
            for line in data.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    value = entry["value"]
                    self.server.files[repository][value["path"]] = base64.b64decode(value["content"])
            sha = self._sha(repository)
            self._answer(200, {"commitUrl": f"{self.server.url}/{repository}/commit/{sha}", "commitOid": sha,
                               "success": True})  # fmt: skip
        else:
            self._answer(404, {"error": "Not Found"})

    def do_GET(self) -> None:
        parts = self._parts("GET")
        if parts[:2] == ["api", "models"]:
            repository = "/".join(parts[2:4])
            if repository not in self.server.files:
                self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
                return
            names = sorted(self.server.files[repository])
            if "tree" in parts:
                self._answer(200, [self._entry(repository, name) for name in names])
                return
            self._answer(200, {"_id": "1", "id": repository, "modelId": repository, "sha": self._sha(repository),
                               "private": False, "downloads": 0, "likes": 0, "tags": [], "siblings":
                               [{"rfilename": name} for name in names]})  # fmt: skip
        elif "resolve" in parts:
            self._file("/".join(parts[:2]), "/".join(parts[4:]))
        else:
            self._answer(404, {"error": "Not Found"})

    do_HEAD = do_GET

    def _file(self, repository: str, name: str) -> None:
        data = self.server.files.get(repository, {}).get(name)
        if data is None:
            self._answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            return
        self.send_response(200)
        for key, value in {"Content-Length": str(len(data)), "ETag": f'"{hashlib.sha1(data).hexdigest()}"',
                           "X-Repo-Commit": self._sha(repository)}.items():  # fmt: skip
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def _entry(self, repository: str, name: str) -> dict[str, Any]:
        data = self.server.files[repository][name]
        return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}

    def _sha(self, repository: str) -> str:
        digest = hashlib.sha1()
        for name, data in sorted(self.server.files[repository].items()):
            digest.update(name.encode() + data)
        return digest.hexdigest()

    def _parts(self, method: str) -> list[str]:
        path = urlsplit(self.path).path
        self.server.requests.append((method, path))
        return [unquote(part) for part in path.strip("/").split("/")]

    def _answer(self, code: int, values: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(values).encode()
        self.send_response(code)
        for key, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def hub() -> Iterator[Hub]:
    """A hub while this lasts."""
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
