"""Who may ask, from where, and how much: checked for every request before anything else looks at it.

Plain ASGI, so that a refused body is never read into memory. What is checked: the Host header, where the server listens
on this machine alone (else a page of a stranger could reach it by a name of theirs that points here, DNS rebinding);
the Origin header of all that changes something and of WebSockets, since browsers send forms and open sockets to any
address; the token, in constant time; and the bytes of every body, as they come.
"""

import asyncio
import base64
import binascii
import hmac
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from muybridge.verbs.serve.config import LOCAL_NAMES, ServeConfig
from muybridge.verbs.serve.refusal import RefusalError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = ("/", "/health", "/ready")
PAGE_PATHS = "/page/"
SUBPROTOCOL = "muybridge"
_TOKEN_PROTOCOL = "token."

HEADERS = {
    "content-security-policy": "default-src 'self'; media-src 'self' blob:; img-src 'self' blob: data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

STALL_SECONDS = 30.0
"""How long a client may send nothing in the middle of a body."""

SMALL_BODY, SMALL_BODY_SECONDS = 4 * 2**20, 60.0
"""Bytes of a body that is no upload, and how long it may take to come."""

UPLOAD_SECONDS = 3600.0
"""How long an upload may take to come."""

BODY = "muybridge.body"
"""Where the body is found in the scope of a request."""

_DRAIN_SECONDS, _DRAIN_BYTES = 3.0, 512 * 2**20


def header_of(scope: Scope, name: bytes) -> str | None:
    """A header of a request; None where it is missing or there are several."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def bearer_of(scope: Scope) -> str:
    """The token that a request brings: as Bearer, as the password of Basic, or as a subprotocol of a WebSocket."""
    kind, _, rest = (header_of(scope, b"authorization") or "").partition(" ")
    if kind.lower() == "bearer":
        return rest.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    for offered in scope.get("subprotocols", ()):
        if offered.startswith(_TOKEN_PROTOCOL):
            return str(offered.removeprefix(_TOKEN_PROTOCOL))
    return ""


class Guard:
    """The outermost layer of the server.

    Args:
        app: What is behind it.
        config: The server's.
        token: What clients must send; empty: nothing.
        uploads: Paths whose bodies may be as large as the configuration says.
    """

    def __init__(self, app: App, config: ServeConfig, *, token: str, uploads: Iterable[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._uploads = frozenset(uploads)
        self._most_bytes = config.most_bytes
        known = (*LOCAL_NAMES, config.host, *config.allow_host)
        self._hosts = {_name_of(name) for name in known} if config.is_local else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                own = {key for key, _ in message.get("headers", ())}
                more = [(key.encode(), value.encode()) for key, value in HEADERS.items() if key.encode() not in own]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        is_upload = scope.get("path") in self._uploads
        room = self._most_bytes if is_upload else min(SMALL_BODY, self._most_bytes)
        seconds = UPLOAD_SECONDS if is_upload else SMALL_BODY_SECONDS
        body = CountedBody(receive, room, announced=_announced(scope), most_seconds=seconds)
        try:
            self._check(scope)
            body.check_announced()
            inner = receive if scope["type"] == "websocket" else body.receive
            scope[BODY] = body
            await self._app(scope, inner, send_with_headers)
        except RefusalError as refusal:
            if scope["type"] == "websocket":
                await _refuse_socket(refusal, scope, send_with_headers)
            elif not begun:
                await body.drain()
                await send_refusal(refusal, send_with_headers)
            else:
                raise

    def _check(self, scope: Scope) -> None:
        host = header_of(scope, b"host")
        if host is None:
            raise RefusalError(400, "the request has no Host header, or several")
        if self._hosts is not None and _name_of(host) not in self._hosts:
            raise RefusalError(403, f"the server is not known as {host!r}; name it in allow_host if it should be")
        origin = header_of(scope, b"origin")
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if changes and (origin is None) != (not any(key == b"origin" for key, _ in scope["headers"])):
            raise RefusalError(400, "the request has several Origin headers")
        if changes and origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise RefusalError(403, f"pages of {origin!r} may not use this server")
        path = scope["path"]
        if self._token and path not in OPEN_PATHS and not path.startswith(PAGE_PATHS):
            given = bearer_of(scope).encode(errors="surrogateescape")
            if not hmac.compare_digest(given, self._token):
                raise RefusalError(401, "the token is missing or wrong; send it as 'Authorization: Bearer TOKEN'")


def _name_of(host: str) -> str:
    """The name in a Host header or an option, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    if host.count(":") > 1:  # an IPv6 address, which options name without brackets
        return host.lower()
    return host.partition(":")[0].lower()


def _announced(scope: Scope) -> int | None:
    text = header_of(scope, b"content-length")
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


class CountedBody:
    """The body of a request as it comes, and no more of it than there is room for."""

    def __init__(self, receive: Receive, room: int, *, announced: int | None, most_seconds: float) -> None:
        self._receive = receive
        self._room = room
        self._announced = announced
        self._most_seconds = most_seconds
        self._until = monotonic() + most_seconds
        self._count = 0
        self._ended = False

    def check_announced(self) -> None:
        """Refuse a body that says itself that it is too large."""
        if self._announced is not None and self._announced > self._room:
            raise self._too_large()

    def _too_large(self) -> RefusalError:
        return RefusalError(413, f"the request is larger than {self._room / 1e6:g} MB, the most that is taken")

    async def receive(self) -> Message:
        """The next part, as ASGI has it; refused where it is too much, or does not come."""
        if self._ended:  # what comes now is that the client has gone, whenever that is
            return await self._receive()
        left = self._until - monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, min(STALL_SECONDS, left)))
        except TimeoutError:
            self._ended = True
            what = (
                f"nothing came for {STALL_SECONDS:g} s"
                if left > STALL_SECONDS
                else f"{self._most_seconds:g} s are over"
            )
            raise RefusalError(408, f"{what} in the middle of the request") from None
        self._note(message)
        if self._count > self._room:
            raise self._too_large()
        return message

    def _note(self, message: Message) -> None:
        if message["type"] == "http.request":
            self._count += len(message.get("body", b""))
            self._ended = not message.get("more_body", False)
        else:
            self._ended = True

    async def drain(self) -> None:
        """Read on for a moment: a client that is still sending hears no answer."""
        until, most = monotonic() + _DRAIN_SECONDS, self._count + _DRAIN_BYTES
        while not self._ended and self._count < most:
            try:
                self._note(await asyncio.wait_for(self._receive(), max(0.0, until - monotonic())))
            except TimeoutError:
                return


async def send_refusal(refusal: RefusalError, send: Send) -> None:
    """Answer a request with a refusal."""
    body = json.dumps({"detail": refusal.detail}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
    if refusal.status == 401:
        headers["www-authenticate"] = 'Bearer realm="muybridge"'
    encoded = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def _refuse_socket(refusal: RefusalError, scope: Scope, send: Send) -> None:
    """Refuse a WebSocket before it is accepted: with a status where the server can."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.detail[:100]})
        return
    body = json.dumps({"detail": refusal.detail}).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
