"""A long video through a trained model, once.

Axes: T frames, H, W, C (RGB), N steps, K classes.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from muybridge.errors import UserError
from muybridge.file_parts import status_of
from muybridge.inference.engines.engine import Frames, Logits
from muybridge.inference.engines.torch_engine import TorchEngine
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.score_file import ScoreFile
from muybridge.inference.timeline.score_track import ScoreTrack
from muybridge.inference.timeline.scorer import WindowScorer
from muybridge.inference.timeline.window_scoring import frames_per_score, sees_frames, window_scorer
from muybridge.recipes.timeline_rules import LIKELIEST_RATE, WindowConfig
from muybridge.storage.patience import for_this_thread
from muybridge.video.isolated_steady import IsolatedSteadyReader, steady_reader
from muybridge.video.sampling import DenseSampler, EverySampler, SlidingSampler
from muybridge.video.steady_reading import SteadyReader

# Frames that go through the encoder together. More than 16 gain nothing on a CPU.
STRETCH_FRAMES = 16
KEEP_EVERY_SECONDS = 20.0
"""How often a job's state is put on the disk: as much is done again after a kill."""

Report = Callable[[float, float | None], None]
"""Called with the seconds of the video that are done, and how many there are, where the file says; first with those
that were done before."""

Watch = Callable[[float, Logits], None]
"""Called with how long a step is, in seconds, and the scores of the next steps."""


@dataclass(frozen=True)
class Rate:
    """How often a model looks at a video.

    Attributes:
        frames_per_second: By time; None: as often as the file's own rate says, each ``every``-th frame.
        every: Frames from one to the next, with the file's own rate.
        clip_frames: Frames of a clip, where the recipe has a rate; else 0.
    """

    frames_per_second: float | None
    every: int = 1
    clip_frames: int = 0

    @classmethod
    def of(cls, recognizer: Recognizer, asked: float) -> "Rate":
        """The rate of a recipe; where it has none, or one is asked for, that of time."""
        sampler = recognizer.sampler
        if asked:
            return cls(asked)
        if isinstance(sampler, EverySampler):
            return cls(sampler.frames_per_second or None, sampler.every)
        if isinstance(sampler, DenseSampler | SlidingSampler):
            return cls(sampler.frames_per_second or None, sampler.stride, sampler.frames)
        return cls(LIKELIEST_RATE)


def require_recognizer(model: Recognizer | Ensemble, path: Path) -> Recognizer:
    """Check that a model is no ensemble.

    Raises:
        UserError: It is an ensemble.
    """
    if isinstance(model, Ensemble):
        raise UserError(
            f"{path} is an ensemble, which takes no stream; name the run of one of its members: "
            f"{', '.join(model.members)}"
        )
    return model


def score_video(
    recognizer: Recognizer,
    path: Path,
    *,
    windows: WindowConfig,
    scores: ScoreFile | None = None,
    resume: bool = False,
    report: Report | None = None,
    watch: Watch | None = None,
) -> ScoreTrack:
    """Score every moment of a video; each frame is decoded once.

    Args:
        recognizer: The model.
        path: The video file.
        windows: Rate and windows.
        scores: Where scores are kept while the job runs; None: in memory.
        resume: Go on with what ``scores`` holds.
        report: Called once before the first frame and then now and then; not at all where all scores are there.
        watch: Called with the scores that are new, before each report.

    Raises:
        VideoError: The file is no readable video.
        UserError: The model cannot take such windows; or ``scores`` is damaged or of another job.
    """
    rate = Rate.of(recognizer, windows.frames_per_second)
    kept = None
    if scores is not None and resume:
        kept = scores.resume()
    elif scores is not None:
        scores.begin()
    first_step = 0 if kept is None else int(kept["counts"][0])
    with steady_reader(
        path,
        frames_per_second=rate.frames_per_second,
        every=rate.every,
        size_px=recognizer.size_px,
        fit=recognizer.fit,
        first_step=first_step,
    ) as reader:
        steps = Steps.of(recognizer, rate, windows, reader.frames_per_second)
        if scores is not None and scores.seconds is not None:
            logits_NK, seconds = scores.logits_NK(), scores.seconds
        else:
            scorer = steps.scorer(recognizer)
            if kept is not None:
                scorer.restore(kept)
            seen = None if watch is None else partial(watch, steps.step_seconds)
            logits_NK = _run(scorer, reader, scores, report, seen)
            seconds = reader.seconds
    rejection = recognizer.rejection
    return ScoreTrack(
        video=path,
        classes=recognizer.classes,
        logits_NK=logits_NK,
        step_seconds=steps.step_seconds,
        seconds=seconds,
        rejection_threshold=None if rejection is None else rejection.threshold,
    )


def job_of(path: Path, windows: WindowConfig, recognizer: Recognizer) -> dict[str, object]:
    """What tells the scores of a video from those of another job: plain values."""
    status = status_of(path)
    by_export = not isinstance(recognizer.engine, TorchEngine)
    return {
        "format": "muybridge-scores",
        "format_version": 1,
        "video": path.name,
        "bytes": status.st_size,
        "modified_ns": status.st_mtime_ns,
        "weights_sha256": recognizer.weights_sha256,
        "classes": len(recognizer.classes),
        "windows": asdict(windows),
        **({"engine": recognizer.engine.name} if by_export else {}),
    }


def window_frames_of(recognizer: Recognizer, rate: Rate, windows: WindowConfig, frames_per_second: float) -> int:
    """How many frames a window has."""
    if rate.clip_frames and not sees_frames(recognizer):
        return rate.clip_frames
    return max(1, round(windows.window_seconds * frames_per_second))


@dataclass(frozen=True)
class Steps:
    """How a model looks at a video of some rate.

    Attributes:
        window_frames: Frames of a window.
        hop_frames: Frames that are asked for between two windows.
        score_frames: Frames that a score stands for.
        step_seconds: The same in seconds.
    """

    window_frames: int
    hop_frames: int
    score_frames: int
    step_seconds: float

    @classmethod
    def of(cls, recognizer: Recognizer, rate: Rate, windows: WindowConfig, frames_per_second: float) -> "Steps":
        """Those of a model, and of what is asked for."""
        frames = window_frames_of(recognizer, rate, windows, frames_per_second)
        hop = max(1, round(windows.hop_seconds * frames_per_second))
        score_frames = frames_per_score(recognizer, window_frames=frames, hop_frames=hop)
        return cls(frames, hop, score_frames, score_frames / frames_per_second)

    def scorer(self, recognizer: Recognizer) -> WindowScorer:
        """What scores a video so.

        Raises:
            UserError: The model cannot take such windows.
        """
        blank = np.zeros((self.window_frames, recognizer.size_px, recognizer.size_px, 3), np.uint8)
        return window_scorer(
            recognizer, window_frames=self.window_frames, hop_frames=self.hop_frames, example_THWC=blank
        )


def _run(
    scorer: WindowScorer,
    reader: SteadyReader | IsolatedSteadyReader,
    scores: ScoreFile | None,
    report: Report | None,
    seen: Callable[[Logits], None] | None,
) -> Logits:
    """Score all frames; the parts are kept in the file where there is one, else in memory."""
    parts: list[Logits] = []
    give = parts.append if scores is None else scores.append
    kept_at = time.monotonic()
    if report is not None:
        report(scorer.frames_seen / reader.frames_per_second, reader.expected_seconds)
    # The next stretch is decoded while the network computes this one.
    with ThreadPoolExecutor(max_workers=1) as pool:
        stretches, read = _stretches(reader), for_this_thread(next)
        coming = pool.submit(read, stretches, None)
        while (frames_THWC := coming.result()) is not None:
            coming = pool.submit(read, stretches, None)
            new_NK = scorer.push(frames_THWC)
            give(new_NK)
            if seen is not None:
                seen(new_NK)
            if scores is not None and time.monotonic() - kept_at > KEEP_EVERY_SECONDS:
                scores.keep(scorer.kept())
                kept_at = time.monotonic()
            if report is not None:
                report(scorer.frames_seen / reader.frames_per_second, reader.expected_seconds)
    last_NK = scorer.finish()
    give(last_NK)
    if seen is not None:
        seen(last_NK)
    if scores is None:
        return np.concatenate(parts)
    # Nothing goes on from here.
    scores.keep({"counts": scorer.kept()["counts"]}, seconds=reader.seconds)
    return scores.logits_NK()


def _stretches(reader: SteadyReader | IsolatedSteadyReader) -> Iterator[Frames]:
    """The frames of a video, so many together."""
    stretch: list[Frames] = []
    for image_HWC in reader:
        stretch.append(image_HWC)
        if len(stretch) == STRETCH_FRAMES:
            yield np.stack(stretch)
            stretch.clear()
    if stretch:
        yield np.stack(stretch)
