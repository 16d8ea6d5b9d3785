"""Scoring the video of a job, and telling how it goes."""

import time
from collections.abc import Callable

from muybridge.inference.engines.engine import Logits
from muybridge.inference.timeline.segmenting import segments_of
from muybridge.inference.timeline.video_scoring import score_video
from muybridge.verbs.serve.job_state import Job
from muybridge.video.browser_video import plays_in_browsers

_REPORT_SECONDS = 0.5
# Segments so far are worked out anew each time; they may take this share of a job.
_SEGMENTS_SHARE = 0.1


class StoppedError(Exception):
    """A client, or the end of the server, asked for it."""


def score_job(job: Job, *, most_seconds: float, note: Callable[[], None]) -> None:
    """Score the video of a job, and work out its segments.

    Args:
        job: The job, which is changed.
        most_seconds: How long it may take.
        note: Called now and then when it has changed.

    Raises:
        VideoError: The file is no readable video.
        StoppedError: ``job.stop`` was set.
        TimeoutError: It takes longer.
    """
    began = told = time.monotonic()
    spent = 0.0
    job.plays = plays_in_browsers(job.path)

    def watch(step_seconds: float, new_NK: Logits) -> None:
        job.step_seconds = step_seconds
        job.parts.append(new_NK)

    def report(done_seconds: float, expected_seconds: float | None) -> None:
        nonlocal told, spent
        if job.stop.is_set():
            raise StoppedError
        now = time.monotonic()
        if now - began > most_seconds:
            raise TimeoutError
        job.done_seconds = done_seconds
        job.expected_seconds = expected_seconds
        job.times_real_time = done_seconds / max(1e-9, now - began) if done_seconds else None
        if now - told < _REPORT_SECONDS:
            return
        if spent <= _SEGMENTS_SHARE * (now - began) and (track := job.track()) is not None:
            job.segments = tuple(segments_of(track, job.model.rules))
            spent += time.monotonic() - now
        told = now
        note()

    track = score_video(job.model.recognizer, job.path, windows=job.model.windows, report=report, watch=watch)
    job.seconds = job.done_seconds = track.seconds
    job.times_real_time = track.seconds / max(1e-9, time.monotonic() - began)
    job.segments = tuple(segments_of(track, job.model.rules))
