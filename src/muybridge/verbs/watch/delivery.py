"""Delivering events to what may let one wait, such as another machine or a program.

That happens in a thread of its own behind a bounded queue, so that watching goes on. What could not be delivered is
said and counted.
"""

import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

Say = Callable[[str], None]

WEB_SECONDS = 10.0
"""How long another machine has for an answer."""

_WAITING = 1000
_TRIES, _FIRST_WAIT_SECONDS = 3, 0.5
_LAST_SECONDS = 10.0
"""How long what waits may still be delivered when watching ends."""


class Undelivered(Exception):  # noqa: N818 - not an error of ours
    """An event did not arrive, and why, in words without credentials."""


class Delivery(ABC):
    """A receiver that is told in a thread of its own, tried again, and given up at last.

    Args:
        name: What a user calls it, without credentials.
        say: Called with a line for what a user should know.

    Attributes:
        name: It.
        failed: How many events it did not get.
    """

    def __init__(self, name: str, say: Say) -> None:
        self.name = name
        self.failed = 0
        self._say = say
        self._counting = threading.Lock()
        self._waiting: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @abstractmethod
    def deliver(self, line: str, *, again: bool) -> None:
        """Hand one event over.

        Args:
            line: The event.
            again: Whether this was tried before.

        Raises:
            Undelivered: It did not arrive.
        """

    def send(self, line: str) -> None:
        """Have an event delivered; the caller does not wait."""
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self._fail(f"{_WAITING} events wait already")

    def close(self) -> None:
        """Deliver what waits, but not for long."""
        until = time.monotonic() + _LAST_SECONDS
        with suppress(queue.Full):
            self._waiting.put(None, timeout=_LAST_SECONDS)
        self._thread.join(timeout=max(0.0, until - time.monotonic()))
        left = sum(1 for line in list(self._waiting.queue) if line is not None) + self._thread.is_alive()
        self._over.set()
        if left:
            with self._counting:
                self.failed += left
            self._say(f"{self.name}: {left} events were not delivered when watching ended")

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            for attempt in range(_TRIES):
                try:
                    self.deliver(line, again=attempt > 0)
                    break
                except Undelivered as error:
                    last = attempt + 1 == _TRIES
                    if not last:
                        self._over.wait(_FIRST_WAIT_SECONDS * 2**attempt)
                    if self._over.is_set():
                        return  # what is left was counted by close
                    if last:
                        self.give_up(str(error))

    def give_up(self, why: str) -> None:
        """Say that an event did not arrive in the last try, either, and count it."""
        self._fail(why)

    def _fail(self, why: str) -> None:
        with self._counting:
            self.failed += 1
        self._say(f"{self.name}: an event was not delivered: {why}")
