"""What a server counts, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from muybridge.inference.recognizer import BATCH_CLIPS

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "muybridge_requests", "Requests by route and status", ["route", "method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "muybridge_request_seconds",
            "Time until an answer begins",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
            registry=self.registry,
        )
        self.clips = Counter(
            "muybridge_clips", "Clips by model and outcome", ["model", "outcome"], registry=self.registry
        )
        self.batches = Histogram(
            "muybridge_batch_clips",
            "Clips that were computed together",
            ["model"],
            buckets=tuple(range(1, BATCH_CLIPS + 1)),
            registry=self.registry,
        )
        self.jobs = Counter("muybridge_timelines", "Timelines that have ended", ["status"], registry=self.registry)
        self.frames = Counter(
            "muybridge_stream_frames", "Frames of live streams", ["model", "outcome"], registry=self.registry
        )

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Show a value that is asked for when somebody looks."""
        Gauge(name, help_text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """All of it."""
        return generate_latest(self.registry)
