"""Scores of the videos of a call, here or on a cluster."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from muybridge.console import progress_on, say
from muybridge.errors import VideoError
from muybridge.inference.engines.torch_engine import TorchEngine
from muybridge.inference.ensemble import MEMBERS_FOLDER, Ensemble
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.ensemble_track import combined_track
from muybridge.inference.timeline.score_file import ScoreFile
from muybridge.inference.timeline.score_track import ScoreTrack
from muybridge.inference.timeline.video_scoring import job_of, score_video
from muybridge.inference.timeline.window_scoring import sees_frames
from muybridge.models.description import model_folder
from muybridge.pieces.shared_model import SharedModel
from muybridge.pieces.whole_job import On
from muybridge.recipes.timeline_rules import WindowConfig
from muybridge.storage.urls import written
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
        engine: What computes: see ``load``.
        on: Who computes.
        device: Where torch computes.
        console: Where progress is printed.
    """

    named: Path
    run: Path
    folder: Path
    windows: WindowConfig
    resume: bool
    engine: str
    on: On
    device: str
    console: Console
    _failed: dict[Path, VideoError] = field(default_factory=dict)

    def load(self, path: Path) -> Recognizer | Ensemble:
        """Load a model, and say what it costs where that is more than once a frame."""
        model = load(path, device=self.device, engine=self.engine)
        for member in members_of(model).values():
            if member.unfinished:
                say(self.console, f"note: {written(self.named)} is {member.unfinished}")
            if not sees_frames(member):
                in_torch = isinstance(member.engine, TorchEngine)
                what = member.net.config.encoder if in_torch else f"engine {member.engine.name}"
                say(
                    self.console,
                    f"note: {what} sees clips only: its windows overlap by half, so each frame goes through it twice, "
                    "and there is one score for half a window",
                )
        if isinstance(model, Ensemble):
            say(
                self.console,
                f"note: each of the {len(model.members)} members of {written(self.named)} looks at the video by itself",
            )
        return model

    def spread(self, model: Recognizer | Ensemble, path: Path, videos: Sequence[Path], stems: Sequence[Path]) -> None:
        """Have a cluster score videos, where one computes; ``score`` then takes what it found.

        Args:
            model: The model.
            path: Where it lies.
            videos: They.
            stems: Of the files of their scores.
        """
        if self.on == "local":
            return
        for name, member in members_of(model).items():
            folder = model_folder(path) / MEMBERS_FOLDER / name if name else path
            self._failed |= spread(
                [Video(video, _of_member(stem, name)) for video, stem in zip(videos, stems, strict=True)],
                member,
                SharedModel.of(self.named, self.run, inside=str(folder.relative_to(self.run))),
                self.folder / SPANS_FOLDER,
                windows=self.windows,
                resume=self.resume,
                on=self.on,
                engine=self.engine,
                device=self.device,
                console=self.console,
            )

    def score(self, model: Recognizer | Ensemble, path: Path, stem: Path) -> tuple[ScoreTrack, float | None]:
        """The scores of a video, and how many times real time they took; None where they were there already.

        Raises:
            VideoError: It is no readable video.
        """
        if path in self._failed:
            raise self._failed[path]
        if isinstance(model, Recognizer):
            return self._score(model, path, stem)
        tracks, slowness = [], 0.0
        for name, member in model.members.items():
            track, times_real_time = self._score(member, path, _of_member(stem, name))
            tracks.append(track)
            slowness += 1 / times_real_time if times_real_time else 0.0
        return combined_track(model, tracks), 1 / slowness if slowness else None

    def _score(self, recognizer: Recognizer, path: Path, stem: Path) -> tuple[ScoreTrack, float | None]:
        job = job_of(path, self.windows, recognizer)
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


def members_of(model: Recognizer | Ensemble) -> dict[str, Recognizer]:
    """The networks of a model by their names in it; that of a recognizer has none."""
    return dict(model.members) if isinstance(model, Ensemble) else {"": model}


def _of_member(stem: Path, name: str) -> Path:
    """The stem of the files of one member."""
    return stem.with_name(f"{stem.name}.{name}") if name else stem
