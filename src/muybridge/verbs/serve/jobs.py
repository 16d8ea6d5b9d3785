"""Timelines as jobs: one after the other in a thread, watched by as many clients as like, cancelled at any moment.

A job has a folder for its video and what is made of it. It is gone with the job: when a client deletes it, when there
are too many or nobody asked for it for long, and when the server ends.
"""

import asyncio
import logging
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from muybridge.errors import UserError
from muybridge.verbs.serve.config import ServeConfig
from muybridge.verbs.serve.hosting import HostedModel
from muybridge.verbs.serve.job_state import Job, Status
from muybridge.verbs.serve.job_work import StoppedError, score_job
from muybridge.verbs.serve.refusal import RefusalError, busy, line_of
from muybridge.video.browser_video import write_for_browsers
from muybridge.video.isolation import current

COPY_NAME = "browser.mp4"

_LOG = logging.getLogger(__name__)


class Jobs:
    """All jobs of a server.

    Args:
        root: Where their folders are made.
        config: How many, and for how long.
        on_end: Called with each job that has ended.

    Attributes:
        is_ending: Whether what waits never begins.
    """

    def __init__(self, root: Path, config: ServeConfig, *, on_end: Callable[[Job], None] | None = None) -> None:
        self._root = root
        self._config = config
        self._on_end = on_end
        self.is_ending = False
        self._jobs: dict[str, Job] = {}
        self._lock = threading.RLock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="timeline")
        self._copier = ThreadPoolExecutor(1, thread_name_prefix="copy")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()

    def begin(self) -> None:
        """Called in the event loop, before the first request."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    @property
    def open_count(self) -> int:
        """How many have not ended."""
        with self._lock:
            return sum(not job.has_ended for job in self._jobs.values())

    def require_place(self) -> None:
        """Refuse one more where there is no room.

        Raises:
            RefusalError: There is none.
        """
        if self.open_count >= self._config.jobs:
            raise busy(f"{self._config.jobs} timelines wait already", retry_after=10)

    def new_folder(self) -> tuple[str, Path]:
        """A name and a folder for a job whose video is still to come; see ``add`` and ``discard``."""
        name = secrets.token_urlsafe(16)
        folder = self._root / f"job-{secrets.token_hex(8)}"
        folder.mkdir()
        return name, folder

    def discard(self, folder: Path) -> None:
        """Remove a folder that became no job."""
        shutil.rmtree(folder, ignore_errors=True)

    def add(
        self, name: str, folder: Path, path: Path, *, shown_name: str, model: HostedModel, wants_copy: bool = True
    ) -> Job:
        """Put a video in the queue.

        Args:
            name: From ``new_folder``.
            folder: From there, too.
            path: The video, in it.
            shown_name: What the client calls it.
            model: What scores it.
            wants_copy: See `Job`.

        Raises:
            RefusalError: There are too many.
        """
        self.tidy(keep=self._config.kept_jobs - 1)
        job = Job(name, shown_name, path, model, folder, wants_copy=wants_copy)
        with self._lock:
            self.require_place()  # another may have come since it was asked for the first time
            self._jobs[name] = job
        self._worker.submit(self._work, job)
        return job

    def get(self, name: str) -> Job:
        """A job by its id.

        Raises:
            RefusalError: There is none.
        """
        with self._lock:
            job = self._jobs.get(name)
        if job is None:
            raise RefusalError(404, "there is no such timeline; it may have been deleted, or kept long enough")
        job.asked_at = time.monotonic()
        return job

    def delete(self, name: str) -> None:
        """Cancel a job if it runs, and forget it.

        Raises:
            RefusalError: There is none.
        """
        self._forget(self.get(name))

    def _forget(self, job: Job) -> None:
        with self._lock:
            self._jobs.pop(job.id, None)
        self._stop(job)
        if job.status == "queued":  # its turn comes to nothing
            self._end(job, "cancelled")
        self._remove_unused(job)

    def _stop(self, job: Job) -> None:
        """Have whoever works on a job stop soon."""
        job.stop.set()
        isolation = current()
        if isolation is not None:
            isolation.stop_writing(job.path)

    def tidy(self, *, keep: int | None = None) -> None:
        """Forget jobs that have ended and are too many, or that nobody asked for in a long time."""
        now = time.monotonic()
        with self._lock:
            ended = sorted((job for job in self._jobs.values() if job.has_ended), key=lambda job: job.asked_at)
        too_many = max(0, len(ended) - (self._config.kept_jobs if keep is None else keep))
        for number, job in enumerate(ended):
            if number < too_many or now - job.asked_at > 60 * self._config.kept_minutes:
                self._forget(job)

    def cancel_waiting(self) -> None:
        """Cancel what has not begun."""
        with self._lock:
            waiting = [job for job in self._jobs.values() if job.status == "queued"]
        for job in waiting:
            job.stop.set()
            self._end(job, "cancelled")

    def close(self) -> None:
        """Stop all, and remove all."""
        with self._lock:
            jobs, self._jobs = list(self._jobs.values()), {}
        for job in jobs:
            self._stop(job)
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._copier.shutdown(wait=True, cancel_futures=True)
        for job in jobs:
            shutil.rmtree(job.folder, ignore_errors=True)

    async def events(
        self, job: Job, *, silence_seconds: float = 15.0
    ) -> AsyncIterator[tuple[str, dict[str, Any]] | None]:
        """The states of a job as they come, under their names, up to its end; None after a silence."""
        seen = -1
        while True:
            changed = self._changed
            if job.version != seen:
                seen = job.version
                kind = job.status if job.has_ended else "progress"
                yield kind, job.to_dict()
                if kind != "progress":
                    return
                continue
            job.asked_at = time.monotonic()
            try:
                await asyncio.wait_for(changed.wait(), silence_seconds)
            except TimeoutError:
                yield None

    def _note(self, job: Job) -> None:
        """Wake all who watch a job."""
        job.version += 1
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _end(self, job: Job, status: Status, error: str | None = None) -> None:
        if job.has_ended:
            return
        job.error = error
        job.status = status
        self._note(job)
        if self._on_end is not None:
            self._on_end(job)

    def _work(self, job: Job) -> None:
        with self._lock:
            begins = not (job.has_ended or job.stop.is_set() or self.is_ending)
            if begins:
                job.status = "running"
                job.users += 1
        if not begins:
            self._end(job, "cancelled")
            return
        self._note(job)
        try:
            score_job(job, most_seconds=self._config.job_seconds, note=partial(self._note, job))
            if job.wants_copy and not job.plays:
                with self._lock:
                    job.users += 1
                self._copier.submit(self._copy, job)
            self._end(job, "done")
        except StoppedError:
            self._end(job, "cancelled")
        except UserError as error:
            self._end(job, "failed", line_of(error))
        except TimeoutError:
            self._end(job, "failed", f"it takes longer than {self._config.job_seconds:g} s, the most that is given")
        except BaseException as error:
            self._end(job, "failed", f"the server could not: {type(error).__name__}")
            _LOG.exception("a timeline failed")
        finally:
            self._release(job)

    def _release(self, job: Job) -> None:
        with self._lock:
            job.users -= 1
        self._remove_unused(job)

    def _remove_unused(self, job: Job) -> None:
        """Remove the folder of a job that is forgotten, once nobody works in it."""
        with self._lock:
            is_left = job.id not in self._jobs and job.users == 0
        if is_left:
            shutil.rmtree(job.folder, ignore_errors=True)

    def _copy(self, job: Job) -> None:
        """Write the copy for browsers; without one, the page says that it has no picture."""
        try:
            if not job.stop.is_set():
                copy = job.folder / COPY_NAME
                write_for_browsers(job.path, copy)
                job.copy = copy
                self._note(job)
        except (UserError, OSError) as error:
            job.copy_error = line_of(error) if isinstance(error, UserError) else str(error.strerror)
        finally:
            self._release(job)
