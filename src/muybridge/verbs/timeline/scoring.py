"""Scores of the videos of a call, here or on a cluster."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from muybridge.console import progress_on, say
from muybridge.errors import VideoError
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.score_file import ScoreFile
from muybridge.inference.timeline.score_track import ScoreTrack
from muybridge.inference.timeline.video_scoring import job_of, require_recognizer, score_video
from muybridge.inference.timeline.window_scoring import sees_frames
from muybridge.pieces.shared_model import SharedModel
from muybridge.pieces.whole_job import On
from muybridge.recipes.timeline_rules import WindowConfig
from muybridge.text import printable
from muybridge.verbs.timeline.spreading import SPANS_FOLDER, Video, spread


@dataclass
class Job:
    """What all videos of a call share.

    Attributes:
        named: The run or model, by path or URL.
        run: Its folder on this machine.
        folder: Where results go.
        windows: How videos are looked at.
        resume: Whether scores that are there are taken up.
        on: Who computes.
        device: Where torch computes.
        console: Where progress is printed.
    """

    named: Path
    run: Path
    folder: Path
    windows: WindowConfig
    resume: bool
    on: On
    device: str
    console: Console
    _failed: dict[Path, VideoError] = field(default_factory=dict)

    def recognizer(self, path: Path) -> Recognizer:
        """Load a model that can look at long videos, and say what it costs where that is more than once a frame."""
        recognizer = require_recognizer(load(path, device=self.device), path)
        if recognizer.unfinished:
            say(self.console, f"note: {path} is {recognizer.unfinished}")
        if not sees_frames(recognizer.net):
            encoder = recognizer.net.config.encoder
            say(
                self.console,
                f"note: {encoder} sees clips only: its windows overlap by half, so each frame goes through it twice, "
                "and there is one score for half a window",
            )
        return recognizer

    def spread(self, recognizer: Recognizer, path: Path, videos: Sequence[Path], stems: Sequence[Path]) -> None:
        """Have a cluster score videos, where one computes; ``score`` then takes what it found.

        Args:
            recognizer: The model.
            path: Where it lies.
            videos: They.
            stems: Of the files of their scores.
        """
        if self.on == "local":
            return
        self._failed |= spread(
            [Video(video, stem) for video, stem in zip(videos, stems, strict=True)],
            recognizer,
            SharedModel.of(self.named, self.run, inside=str(path.relative_to(self.run))),
            self.folder / SPANS_FOLDER,
            windows=self.windows,
            resume=self.resume,
            on=self.on,
            device=self.device,
            console=self.console,
        )

    def score(self, recognizer: Recognizer, path: Path, stem: Path) -> tuple[ScoreTrack, float | None]:
        """The scores of a video, and how many times real time they took; None where they were there already.

        Raises:
            VideoError: It is no readable video.
        """
        if path in self._failed:
            raise self._failed[path]
        job = job_of(path, self.windows, weights_sha256=recognizer.weights_sha256, class_count=len(recognizer.classes))
        name, started, begun = printable(path.name), time.monotonic(), None
        with (
            ScoreFile(stem, job, class_count=len(recognizer.classes)) as scores,
            progress_on(self.console) as progress,
        ):
            task = progress.add_task(name, total=None)

            def report(done_seconds: float, expected_seconds: float | None) -> None:
                nonlocal begun
                if begun is None:
                    begun = done_seconds, time.monotonic()
                speed = (done_seconds - begun[0]) / max(1e-9, time.monotonic() - begun[1])
                progress.update(
                    task,
                    total=expected_seconds,
                    completed=done_seconds,
                    description=f"{name}, {speed:.0f} times real time" if speed else name,
                )

            resume = self.resume or self.on != "local"
            track = score_video(recognizer, path, windows=self.windows, scores=scores, resume=resume, report=report)
        took = time.monotonic() - started
        return track, None if begun is None else (track.seconds - begun[0]) / took
