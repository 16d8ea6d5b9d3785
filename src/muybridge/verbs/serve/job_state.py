"""One video on its way to a timeline: how far it is, and what is found so far."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from muybridge.dataset.segments import Segment
from muybridge.inference.engines.engine import Logits
from muybridge.inference.timeline.score_track import ScoreTrack
from muybridge.verbs.serve.hosting import HostedModel

Status = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED = ("done", "failed", "cancelled")


@dataclass(eq=False)
class Job:
    """One video on its way to a timeline. Changed by the thread that works on it, and read by all others.

    Attributes:
        id: What clients call it; nobody guesses it.
        name: What the client calls the file.
        path: Where it lies.
        model: What scores it.
        folder: What belongs to it.
        wants_copy: Whether a copy for browsers is written where they do not play the file.
        status: How far it is.
        done_seconds: Of the video.
        expected_seconds: How long the file says the video is.
        seconds: How long it is, once that is known.
        segments: Those so far.
        error: Why it failed.
        plays: Whether browsers play the file; None until somebody looked.
        copy: The copy for browsers, once it is there.
        copy_error: Why there will be none.
        step_seconds: How long a step of the scores is.
        asked_at: When a client last asked for it, on the monotonic clock.
        stop: Set where whoever works on it must stop.
        version: How often it has changed.
        parts: Its scores so far.
        users: How many threads work in its folder.
    """

    id: str
    name: str
    path: Path
    model: HostedModel
    folder: Path
    wants_copy: bool = True
    status: Status = "queued"
    done_seconds: float = 0.0
    expected_seconds: float | None = None
    seconds: float | None = None
    times_real_time: float | None = None
    segments: tuple[Segment, ...] = ()
    error: str | None = None
    plays: bool | None = None
    copy: Path | None = None
    copy_error: str | None = None
    step_seconds: float = 0.0
    asked_at: float = field(default_factory=time.monotonic)
    stop: threading.Event = field(default_factory=threading.Event)
    version: int = 0
    parts: list[Logits] = field(default_factory=list)
    users: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes."""
        return self.status in ENDED

    def track(self) -> ScoreTrack | None:
        """The scores so far; None while there are none."""
        parts = list(self.parts)
        if not any(len(part) for part in parts):
            return None
        recognizer = self.model.recognizer
        rejection = recognizer.rejection
        return ScoreTrack(
            video=self.path,
            classes=recognizer.classes,
            logits_NK=np.concatenate(parts),
            step_seconds=self.step_seconds,
            seconds=self.done_seconds if self.seconds is None else self.seconds,
            rejection_threshold=None if rejection is None else rejection.threshold,
        )

    def to_dict(self) -> dict[str, Any]:
        """What clients see."""
        speed, eta = self.times_real_time, None
        if speed and self.expected_seconds and self.status == "running":
            eta = round(max(0.0, self.expected_seconds - self.done_seconds) / speed, 1)
        return {
            "id": self.id,
            "file": self.name,
            "model": self.model.name,
            "status": self.status,
            "done_seconds": round(self.done_seconds, 3),
            "expected_seconds": _rounded(self.expected_seconds),
            "times_real_time": None if speed is None else round(speed, 2),
            "eta_seconds": eta,
            "error": self.error,
            "segments": [
                {
                    "start_seconds": round(each.start_seconds, 3),
                    "end_seconds": round(each.end_seconds, 3),
                    "label": each.label,
                    "score": 0.0 if each.score is None else round(each.score, 6),
                }
                for each in self.segments
            ],
            "classes": list(self.model.recognizer.classes),
            "seconds": _rounded(self.seconds),
            "plays_in_browsers": self.plays,
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
