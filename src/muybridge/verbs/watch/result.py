"""What watching a stream was like: counts and times, for the line a second and for the end."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.storage.urls import written
from muybridge.text import counted

_BIN_SECONDS = 0.001
_BINS = 30_000


@dataclass(frozen=True, kw_only=True)
class WatchResult:
    """What ``muybridge watch`` did.

    Attributes:
        model: The run or model folder.
        source: The stream, without credentials.
        seconds: How long it was watched.
        frames: How many frames were decoded.
        looked_at: How many of them the model saw.
        dropped: How many it should have seen, and did not for being too slow.
        undecoded: Packets that were left out because decoding was too slow.
        joined_again: How often the connection was made anew.
        events: How many events began.
        latency_p50_seconds: From a frame to its answer, the median; None without an answer.
        latency_p95_seconds: The same, of which 95 % are faster.
        load: Share of the time in which the model computed.
        look_ahead_seconds: How far behind the newest frame the moment lies that a score is of.
        failed: Of each receiver of events, how many it did not get.
        videos: Files with the video of events.
    """

    model: Path
    source: str
    seconds: float
    frames: int
    looked_at: int
    dropped: int
    undecoded: int
    joined_again: int
    events: int
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    load: float
    look_ahead_seconds: float
    failed: dict[str, int]
    videos: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {name: round(value, 6) if isinstance(value, float) else value for name, value in vars(self).items()}
        return values | {"model": written(self.model), "videos": [str(path) for path in self.videos]}

    def __str__(self) -> str:
        parts = [
            f"watched {self.source} for {self.seconds:.0f} s: {counted(self.events, 'event')}",
            f"{self.frames / max(1e-9, self.seconds):.1f} frames/s",
            f"latency {milliseconds(self.latency_p50_seconds, self.latency_p95_seconds)}",
            f"load {100 * self.load:.0f} %",
            f"dropped {self.dropped}",
        ]
        if self.undecoded:
            parts.append(f"left out to catch up {self.undecoded}")
        if self.joined_again:
            parts.append(f"joined again {counted(self.joined_again, 'time')}")
        parts += [f"{counted(count, 'event')} not delivered to {name}" for name, count in self.failed.items() if count]
        if self.videos:
            parts.append(f"{counted(len(self.videos), 'video')} in {self.videos[0].parent}")
        return ", ".join(parts)


def milliseconds(p50_seconds: float | None, p95_seconds: float | None) -> str:
    """Both as people read them."""
    if p50_seconds is None or p95_seconds is None:
        return "unknown"
    return f"p50 {1000 * p50_seconds:.0f} ms p95 {1000 * p95_seconds:.0f} ms"


class Latencies:
    """Times from a frame to its answer; the memory that it takes does not grow."""

    def __init__(self, recent: int = 100) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self._recent: deque[float] = deque(maxlen=recent)

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[min(_BINS - 1, int(seconds / _BIN_SECONDS))] += 1
        self._recent.append(seconds)

    def of_all(self, share: float) -> float | None:
        """The time that this share is not above, to a millisecond."""
        total = int(self._counts.sum())
        if not total:
            return None
        return float(np.searchsorted(self._counts.cumsum(), share * total) + 0.5) * _BIN_SECONDS

    def of_recent(self, share: float) -> float | None:
        """The same of the last ones."""
        return float(np.quantile(self._recent, share)) if self._recent else None
