"""Connections that send no request, with the settings of the server and little patience."""

import asyncio
import socket
import time
from contextlib import asynccontextmanager

import pytest
import uvicorn
from websockets.asyncio.client import connect

from muybridge.verbs.serve import connections
from muybridge.verbs.serve.job import settings_of

PATIENCE = 0.4
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nHos"


async def app(scope, receive, send):
    """Answers requests after more than the patience for a header, and WebSockets when something comes."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": (await receive())["text"]})
        return
    await asyncio.sleep(1.5 * PATIENCE)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(monkeypatch):
    monkeypatch.setattr(connections, "HEADER_SECONDS", PATIENCE)
    settings = settings_of(app, None)
    settings.lifespan = "off"
    server = uvicorn.Server(settings)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server._serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await task


async def seconds_until_closed(reader) -> float:
    begun = time.monotonic()
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    return time.monotonic() - begun


@pytest.mark.parametrize("first", [b"", HALF], ids=["nothing", "half"])
def test_a_connection_without_a_whole_header_is_closed(monkeypatch, first):
    async def look():
        async with serving(monkeypatch) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(first)
            assert 0.5 * PATIENCE < await seconds_until_closed(reader) < 5 * PATIENCE
            writer.close()

    asyncio.run(look())


def test_a_header_drop_by_drop_is_closed_and_others_are_answered(monkeypatch):
    async def look():
        async with serving(monkeypatch) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HALF)
            closed = asyncio.create_task(seconds_until_closed(reader))
            async with asyncio.timeout(5):
                while not closed.done():
                    writer.write(b"t")
                    await asyncio.sleep(0.05)
            await asyncio.gather(closed, return_exceptions=True)  # it may hear of it as a reset
            writer.close()

            # A slow answer is none of a client's doing, and the second half request is.
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(REQUEST)
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200") and await reader.readexactly(2) == b"ok"
            writer.write(HALF)
            assert await seconds_until_closed(reader) < 5 * PATIENCE
            writer.close()

    asyncio.run(look())


def test_a_websocket_that_waits_stays_open(monkeypatch):
    async def look():
        async with serving(monkeypatch) as port, connect(f"ws://127.0.0.1:{port}/") as stream:
            await asyncio.sleep(2 * PATIENCE)
            await stream.send("still here")
            async with asyncio.timeout(5):
                assert await stream.recv() == "still here"

    asyncio.run(look())
