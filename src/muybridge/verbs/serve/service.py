"""What all requests of a server share."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from muybridge.errors import UserError
from muybridge.inference.answers import Prediction
from muybridge.verbs.serve.config import ServeConfig
from muybridge.verbs.serve.fetching import Fetcher
from muybridge.verbs.serve.hosting import HostedModel, Models
from muybridge.verbs.serve.job_state import Job
from muybridge.verbs.serve.jobs import Jobs
from muybridge.verbs.serve.metrics import Metrics
from muybridge.verbs.serve.refusal import busy, line_of


class Places:
    """So many may do something at once; in the event loop, which alone asks.

    Attributes:
        taken: How many do.
    """

    def __init__(self, most: int, why_not: str) -> None:
        self.taken = 0
        self._most, self._why_not = most, why_not

    @contextmanager
    def take(self) -> Iterator[None]:
        """Be one of them.

        Raises:
            RefusalError: There is no place.
        """
        if self.taken >= self._most:
            raise busy(f"{self._most} {self._why_not}")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


@dataclass(eq=False)
class Service:
    """The state of a server.

    Attributes:
        config: What the user said.
        models: What it serves.
        root: The folder of all its temporary files.
        metrics: What it counts.
        jobs: Its timelines.
        fetcher: Fetches videos by address.
        is_draining: Whether it takes on nothing more.
        requests: Places of requests that are answered or wait.
        streams: Places of live streams.
        last_end: When the last timeline ended, on the monotonic clock; 0 before that.
    """

    config: ServeConfig
    models: Models
    root: Path
    metrics: Metrics
    jobs: Jobs = field(init=False)
    fetcher: Fetcher = field(init=False)
    requests: Places = field(init=False)
    streams: Places = field(init=False)
    is_draining: bool = False
    last_end: float = 0.0

    def __post_init__(self) -> None:
        self.fetcher = Fetcher(self.config)
        self.requests = Places(self.config.waiting, "requests wait already")
        self.streams = Places(self.config.streams, "streams are open already")
        self.jobs = Jobs(self.root, self.config, on_end=self._job_ended)
        self.metrics.watch(
            "muybridge_waiting_requests", "Requests that are answered or wait", lambda: self.requests.taken
        )
        self.metrics.watch("muybridge_open_timelines", "Timelines that wait or run", lambda: self.jobs.open_count)
        self.metrics.watch("muybridge_open_streams", "Live streams", lambda: self.streams.taken)

    def _job_ended(self, job: Job) -> None:
        self.last_end = time.monotonic()
        self.metrics.jobs.labels(job.status).inc()

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs or waits."""
        return not (self.requests.taken or self.streams.taken or self.jobs.open_count)

    @property
    def is_ready(self) -> bool:
        """Whether it takes on work."""
        return not self.is_draining and all(model.batcher.is_alive for model in self.models)

    def require_open(self) -> None:
        """Refuse what is new while the server ends.

        Raises:
            RefusalError: It does.
        """
        if self.is_draining:
            raise busy("the server is about to end", retry_after=10)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place among the requests that are answered at once.

        Raises:
            RefusalError: There is none.
        """
        self.require_open()
        with self.requests.take():
            yield

    @contextmanager
    def stream_place(self) -> Iterator[None]:
        """A place among the live streams.

        Raises:
            RefusalError: There is none.
        """
        self.require_open()
        with self.streams.take():
            yield

    async def predict(self, model: HostedModel, paths: list[Path]) -> list[Prediction | str]:
        """Name the action in files, or say why not.

        Raises:
            RefusalError: It takes too long.
        """
        tasks = [asyncio.ensure_future(model.batcher.predict(path)) for path in paths]
        try:
            async with asyncio.timeout(self.config.request_seconds):
                found = await asyncio.gather(*tasks, return_exceptions=True)
        except TimeoutError:
            raise busy(f"the answer takes longer than {self.config.request_seconds:g} s", retry_after=10) from None
        finally:
            for task in tasks:
                task.cancel()
        answers: list[Prediction | str] = []
        for each in found:
            if isinstance(each, UserError):
                answers.append(line_of(each))
            elif isinstance(each, BaseException):
                raise each
            else:
                answers.append(each if each.error is None else each.error)
            outcome = "error" if isinstance(answers[-1], str) else "answered"
            self.metrics.clips.labels(model.name, outcome).inc()
        return answers
