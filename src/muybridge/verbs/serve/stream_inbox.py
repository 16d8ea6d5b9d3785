"""Frames of a live stream that wait to be looked at: the newest one, or all that it is predicted from."""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from muybridge.video.live_pictures import begins_anew

_MOST_UNITS = 50
"""Parts of a stream that wait although each is needed; where more would, all go, up to the next key frame."""

_MOST_BYTES = 32 * 2**20
"""Their bytes, of which there may be as many again at work, and once more on the way to the decoder."""


class Part(NamedTuple):
    """A frame as it came.

    Attributes:
        seconds: Its time.
        data: Its bytes.
    """

    seconds: float
    data: bytes


@dataclass(eq=False)
class Inbox:
    """Frames that wait.

    Attributes:
        keeps_all: Whether each is needed to decode the next; else the newest alone is kept.
        dropped: How many were passed over, in all.
        has_stopped: Whether no more come.
    """

    keeps_all: bool
    dropped: int = 0
    has_stopped: bool = False
    _waiting: list[Part] = field(default_factory=list)
    _waiting_bytes: int = 0
    _waits_for_key: bool = False
    _new: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, seconds: float, data: bytes) -> None:
        """Take the next frame; what waits may have to go for it."""
        if not self.keeps_all:
            self._drop_waiting()
        elif len(self._waiting) >= _MOST_UNITS or self._waiting_bytes + len(data) > _MOST_BYTES:
            self._drop_waiting()
            self._waits_for_key = True
        if self._waits_for_key:
            if not begins_anew(data):
                self.dropped += 1
                return
            self._waits_for_key = False
        self._waiting.append(Part(seconds, data))
        self._waiting_bytes += len(data)
        self._new.set()

    def _drop_waiting(self) -> None:
        self.dropped += len(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0

    def stop(self) -> None:
        """Note that no more come."""
        self.has_stopped = True
        self._new.set()

    async def take(self) -> list[Part]:
        """All that waits, once something does; nothing once the client has stopped."""
        while not self._waiting and not self.has_stopped:
            self._new.clear()
            await self._new.wait()
        taken, self._waiting, self._waiting_bytes = self._waiting, [], 0
        return taken
