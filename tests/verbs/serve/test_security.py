"""Bodies that do not come, or come drop by drop, at the door itself: waiting for an hour is no test."""

import asyncio

import pytest

from muybridge.verbs.serve import security
from muybridge.verbs.serve.config import ServeConfig
from muybridge.verbs.serve.security import CountedBody, Guard, bearer_of


def ask(app, *, receive, headers=((b"host", b"localhost"),), path="/predict", **options) -> list:
    sent = []

    async def send(message):
        sent.append(message)

    guard = Guard(app, ServeConfig(max_upload_mb=0.001, **options), token="", uploads=["/predict"])
    scope = {"type": "http", "method": "POST", "path": path, "headers": list(headers)}
    asyncio.run(guard(scope, receive, send))
    return sent


async def read_all(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_a_body_that_stalls(monkeypatch):
    monkeypatch.setattr(security, "STALL_SECONDS", 0.05)
    monkeypatch.setattr(security, "_DRAIN_SECONDS", 0.05)

    async def receive():
        await asyncio.sleep(10)

    sent = ask(read_all, receive=receive)
    assert sent[0]["status"] == 408 and b"nothing came" in sent[1]["body"]


def test_a_body_that_comes_drop_by_drop(monkeypatch):
    monkeypatch.setattr(security, "UPLOAD_SECONDS", 0.2)
    monkeypatch.setattr(security, "_DRAIN_SECONDS", 0.05)

    async def receive():
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"a", "more_body": True}

    sent = ask(read_all, receive=receive)
    assert sent[0]["status"] == 408 and b"are over" in sent[1]["body"]


@pytest.mark.parametrize(("path", "status"), [("/predict", 413), ("/setup", 413)])
def test_a_body_is_counted_on_every_path(path, status):
    async def receive():
        return {"type": "http.request", "body": bytes(600), "more_body": True}

    sent = ask(read_all, receive=receive, path=path)
    assert sent[0]["status"] == status


@pytest.mark.parametrize(
    ("named", "header", "status"),
    [
        ("Proxy.Local", b"proxy.local", 200),
        ("proxy.local", b"Proxy.Local:8000", 200),
        ("proxy.local:8000", b"proxy.local", 200),
        ("[FD00::1]", b"[fd00::1]:8000", 200),
        ("fd00::1", b"[FD00::1]", 200),
        ("proxy.local", b"proxy.local.evil.example", 403),
        ("fd00::1", b"[fd00::2]", 403),
        ("fd00::1", b"", 403),
    ],
)
def test_names_of_hosts_in_any_case(named, header, status):
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    sent = ask(read_all, receive=receive, headers=[(b"host", header)], allow_host=[named])
    assert sent[0]["status"] == status


@pytest.mark.parametrize(
    "headers",
    [[], [(b"host", b"localhost"), (b"host", b"evil.example")], [(b"host", b"localhost"), (b"origin", b"a")] * 2],
)
def test_headers_that_are_missing_or_there_twice(headers):
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    assert ask(read_all, receive=receive, headers=headers)[0]["status"] == 400


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (b"Bearer abc", "abc"),
        (b"bearer  abc ", "abc"),
        (b"Basic dXNlcjphYmM=", "abc"),
        (b"Basic nonsense!", ""),
        (b"Basic /////w==", ""),
        (b"abc", ""),
        (b"", ""),
    ],
)
def test_where_a_token_is_found(header, token):
    assert bearer_of({"headers": [(b"authorization", header)]}) == token


def test_what_is_announced_is_believed_when_it_is_too_much():
    body = CountedBody(lambda: None, 100, announced=101, most_seconds=1)
    with pytest.raises(security.RefusalError, match="larger"):
        body.check_announced()
