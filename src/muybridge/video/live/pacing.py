"""How fast a stream comes, against how fast it plays."""

import threading
import time
from collections import deque

LATE_SECONDS = 1.0
"""So far behind its own pace a stream leaves frames out until it has caught up."""

_WINDOW_SECONDS = 60.0


class Pacer:
    """Holds frames of what could be read faster until they are due.

    Args:
        stopped: Set to wait no longer.
        rebases: Whether what comes late moves everything after it (a stream in bursts) or is late (a file).
    """

    def __init__(self, stopped: threading.Event, *, rebases: bool) -> None:
        self._stopped = stopped
        self._rebases = rebases
        self._base: float | None = None

    def wait(self, seconds: float) -> float:
        """Wait until a frame is due.

        Returns:
            When it was due, by the monotonic clock.
        """
        now = time.monotonic()
        if self._base is None:
            self._base = now - seconds
        due = self._base + seconds
        if due > now:
            self._stopped.wait(due - now)
        elif self._rebases:
            self._base, due = now - seconds, now
        return due


class Lateness:
    """How far a stream is behind the best of the last minute: frames that wait to be decoded are late ones."""

    def __init__(self) -> None:
        self._best: deque[tuple[float, float]] = deque()  # (when, offset), offsets rising

    def of(self, seconds: float, arrived: float) -> float:
        """How late what has come is, by its own time and when it was read."""
        offset = arrived - seconds
        while self._best and self._best[-1][1] >= offset:
            self._best.pop()
        self._best.append((arrived, offset))
        while arrived - self._best[0][0] > _WINDOW_SECONDS and len(self._best) > 1:
            self._best.popleft()
        return offset - self._best[0][1]

    def clear(self) -> None:
        """Forget all: the stream is joined again."""
        self._best.clear()
