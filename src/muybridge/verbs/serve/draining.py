"""A server that finishes what runs before it ends."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from muybridge.verbs.serve.service import Service

_LAST_LOOK_SECONDS = 2.0


class DrainingServer(uvicorn.Server):
    """uvicorn's, but for the end: the first signal lets what runs be finished, a second one ends it at once.

    Until then it answers, so that whoever waits for a timeline sees it done; what is new is refused.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._until = 0.0

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals, and raise none of them again afterwards: the end was asked for, and is in good order."""
        kinds = (signal.SIGINT, signal.SIGTERM)
        before = {kind: signal.signal(kind, self.handle_exit) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def handle_exit(self, sig: int, frame: object) -> None:
        """Begin to end, or end."""
        if self._service.is_draining:
            self.should_exit = self.force_exit = True
            return
        self._service.is_draining = self._service.jobs.is_ending = True
        self._until = time.monotonic() + self._service.config.drain_seconds

    async def on_tick(self, counter: int) -> bool:
        """See uvicorn's, which calls this ten times a second."""
        if self._service.is_draining and not self.should_exit:
            self._service.jobs.cancel_waiting()
            now = time.monotonic()
            # Whoever asks now and then how far a timeline is, must see that it is done.
            has_been_seen = now - self._service.last_end > _LAST_LOOK_SECONDS
            self.should_exit = (self._service.is_idle and has_been_seen) or now > self._until
        return await super().on_tick(counter)
