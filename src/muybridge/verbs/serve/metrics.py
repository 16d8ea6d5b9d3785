"""What a server counts, for Prometheus."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from muybridge.inference.recognizer import BATCH_CLIPS
from muybridge.verbs.serve.security import App, Message, Receive, Scope, Send

__all__ = ["CONTENT_TYPE_LATEST", "Counted", "Metrics"]


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


class Counted:
    """Counts the requests that an application answers."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # What clients make up must not become a name of a counter.
                route = getattr(scope.get("route"), "path", "other")
                method = "other" if route == "other" else scope["method"]
                self._metrics.requests.labels(route, method, message["status"]).inc()
                self._metrics.seconds.labels(route).observe(time.monotonic() - began)
            await send(message)

        await self._app(scope, receive, counted)
