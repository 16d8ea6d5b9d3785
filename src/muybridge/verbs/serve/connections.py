"""A connection that sends no request does not keep its place.

uvicorn counts connections, and waits for ever for the rest of a header: whoever opens enough of them and sends half a
line on each, shuts the server for all, and needs no token for it.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0
"""How long the whole header of a request may take to come: from the start of a connection, or the last answer on it."""


class Connection(H11Protocol):
    """uvicorn's, but for the time that a header may take."""

    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._wait_for_header()
        super().on_response_complete()

    def _wait_for_header(self) -> None:
        self._stop_waiting()
        self._header_timer = self.loop.call_later(HEADER_SECONDS, self._close_if_none_came)

    def _stop_waiting(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()

    def _close_if_none_came(self) -> None:
        is_websocket = self.transport.get_protocol() is not self
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if not is_websocket and not is_answering:
            self.transport.close()
