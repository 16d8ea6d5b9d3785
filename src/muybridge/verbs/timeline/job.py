"""What happens when in long videos: each frame is decoded and encoded once, windows are scored, segments come out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from muybridge.console import STDERR, progress_on, say
from muybridge.dataset.naming_videos import find_videos
from muybridge.dataset.segments import Segment
from muybridge.errors import UserError, VideoError
from muybridge.files import require_writable, write_json
from muybridge.inference.engines.torch_engine import TorchEngine
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.ensemble_track import combined_track
from muybridge.inference.timeline.score_file import ScoreFile
from muybridge.inference.timeline.score_track import ScoreTrack
from muybridge.inference.timeline.segmenting import segments_of
from muybridge.inference.timeline.video_scoring import job_of, score_video
from muybridge.inference.timeline.window_scoring import sees_frames
from muybridge.locks import Lock
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.recipes.tuned_rules import TunedRules, chosen_rules, rules_path, write_rules
from muybridge.text import counted, printable
from muybridge.verbs.timeline.measuring import measure, true_segments
from muybridge.verbs.timeline.output import check_formats, write_files
from muybridge.verbs.timeline.page import write_page
from muybridge.verbs.timeline.result import TimelineResult, VideoTimeline
from muybridge.verbs.timeline.tuning import deciding_model, read_truth, tune_rules

FOLDER = "timelines"
"""Where results go by default, in the run."""

EVALUATION_FILE = "evaluation.json"
"""Where there is a truth, the figures."""

FORMATS = ("json", "csv", "srt", "vtt", "html")
"""What is written by default."""


def timeline(
    run: str | Path,
    videos: Sequence[str | Path] = (),
    *,
    windows: WindowConfig | None = None,
    rules: SegmentRules | None = None,
    tune: str | Path | None = None,
    truth: str | Path | None = None,
    out: str | Path | None = None,
    formats: Sequence[str] | None = None,
    resume: bool = False,
    engine: str = "torch",
    device: str = "auto",
    console: Console = STDERR,
) -> TimelineResult:
    """Say what happens when in long videos.

    Args:
        run: A run directory of a training or an ensemble, or a model folder.
        videos: Files, folders of them, or glob patterns (``games/*.mp4``).
        windows: How the videos are looked at; None: as the rules were tuned, else the defaults.
        rules: From scores to segments; None: those that were tuned for this run, else the defaults.
        tune: Annotations of validation videos: rules are chosen on them first, and kept as timeline.json in the run.
        truth: Annotations to measure against: frame accuracy, edit score, F1 at overlaps, mAP, borders, false alarms.
            Where no videos are named, all that it names are looked at.
        out: Folder for the files; default: timelines/ in the run.
        formats: What is written there: json, csv, srt, vtt, html, drawn (a copy of the video with the labels on its
            pictures), label-studio, elan, boris, activitynet, cvat; None: the first five.
        resume: Take up scores that an earlier job left there, of a video that it had not finished, or all of them.
        engine: What computes: see ``muybridge.load``. Exports score whole windows, which overlap by half; in torch each
            frame is encoded once. Of an ensemble, torch.
        device: Where torch computes: auto, cpu, cuda, cuda:1 or mps.
        console: Where progress is printed.

    Returns:
        The segments of each video; of one that does not decode, why.

    Raises:
        UserError: If there is no model, or not the engine asked for; if ``videos`` names nothing; if
            ``tune`` names videos that the model learned from; or if what is to be resumed is of another job.
    """
    run = Path(run)
    if not videos and tune is None and truth is None:
        raise UserError("no video: name one, or annotated videos to tune the rules on or to measure with")
    formats = FORMATS if formats is None else formats
    check_formats(formats)
    paths = find_videos(videos, announce=lambda line: say(console, line))
    notes: list[str] = []
    true_of: dict[Path, list[Segment]] = {}
    if truth is not None:
        true_of, notes = read_truth(Path(truth))
        paths = paths or list(true_of)
    folder = Path(out) if out is not None else run / FOLDER
    require_writable(folder)
    tuned, windows, rules = chosen_rules(run, windows, rules)
    job = _Job(run=run, folder=folder, windows=windows, resume=resume, engine=engine, device=device, console=console)
    lock = Lock(folder / ".lock", what=folder).acquire()
    try:
        if tune is not None:
            tuned, more = _tune(job, Path(tune), rules)
            notes += more
            rules = tuned.rules
        model = job.load(run) if paths else None
        timelines = []
        for path, stem in zip(paths, _stems(paths), strict=True):
            assert model is not None
            true = None if truth is None else true_segments(path, true_of)
            timelines.append(_timeline(job, model, path, folder / stem, rules, formats, notes, true))
    except KeyboardInterrupt:
        say(console, f"what was scored is kept in {folder}; go on with: muybridge timeline {run} VIDEO --resume")
        raise
    finally:
        lock.release()
    evaluation = None if truth is None or model is None else measure(timelines, true_of, model.classes)
    if evaluation is not None:
        write_json(folder / EVALUATION_FILE, evaluation.to_dict())
    return TimelineResult(
        run, tuple(timelines), windows, rules, _origin(rules, tuned), tuple(dict.fromkeys(notes)), evaluation
    )


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What all videos of a call share."""

    run: Path
    folder: Path
    windows: WindowConfig
    resume: bool
    engine: str
    device: str
    console: Console

    def load(self, path: Path) -> Recognizer | Ensemble:
        """Load a model, and say what it costs where that is more than once a frame."""
        model = load(path, device=self.device, engine=self.engine)
        for member in _members(model):
            if member.unfinished:
                say(self.console, f"note: {path} is {member.unfinished}")
            if not sees_frames(member):
                in_torch = isinstance(member.engine, TorchEngine)
                what = member.net.config.encoder if in_torch else f"engine {member.engine.name}"
                say(
                    self.console,
                    f"note: {what} sees clips only: its windows overlap by half, so each frame goes through it twice, "
                    "and there is one score for half a window",
                )
        if isinstance(model, Ensemble):
            say(self.console, f"note: each of the {len(model.members)} members of {path} looks at the video by itself")
        return model

    def score(self, model: Recognizer | Ensemble, path: Path, stem: Path) -> tuple[ScoreTrack, float | None]:
        """The scores of a video, and how many times real time they took; None where they were there already."""
        if isinstance(model, Recognizer):
            return self._score(model, path, stem)
        tracks, slowness = [], 0.0
        for name, member in model.members.items():
            track, times_real_time = self._score(member, path, stem.with_name(f"{stem.name}.{name}"))
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

            track = score_video(
                recognizer, path, windows=self.windows, scores=scores, resume=self.resume, report=report
            )
        took = time.monotonic() - started
        return track, None if begun is None else (track.seconds - begun[0]) / took


def _timeline(
    job: _Job,
    model: Recognizer | Ensemble,
    path: Path,
    stem: Path,
    rules: SegmentRules,
    formats: Sequence[str],
    notes: list[str],
    true: Sequence[Segment] | None,
) -> VideoTimeline:
    try:
        track, times_real_time = job.score(model, path, stem)
    except VideoError as error:
        return VideoTimeline(path, error=f"{error.reason} ({error.hint})")
    segments = tuple(segments_of(track, rules))
    if track.rejection_threshold is None and rules.use_none_of_these:
        notes.append(
            "note: the model holds no threshold for none of these; a class must have the probability rules.off"
        )
    found = VideoTimeline(path, track.seconds, segments, times_real_time=times_real_time)
    values: dict[str, Any] = {
        **found.to_dict(),
        "model": str(job.run),
        "classes": list(model.classes),
        "windows": dict(vars(job.windows)),
        "rules": rules.to_dict(),
    }
    del values["files"]
    files, more = write_files(stem, path, segments, values, formats)
    notes += [f"note: {line}" for line in more]
    problems: list[str | None] = []
    if "html" in formats:
        page, problem = write_page(
            stem, track, segments, true, model=job.run, rules=rules, windows=job.windows, console=job.console
        )
        files += page
        problems.append(problem)
    if "drawn" in formats:
        from muybridge.verbs.timeline.drawing import ENDING as DRAWN_ENDING  # matplotlib takes its time
        from muybridge.verbs.timeline.drawing import draw_video

        files.append(stem.with_name(stem.name + DRAWN_ENDING))
        problems.append(
            draw_video(path, files[-1], segments, track.classes, seconds=track.seconds, console=job.console)
        )
    notes += [f"note: {path}: {problem}" for problem in dict.fromkeys(problems) if problem is not None]
    return VideoTimeline(path, track.seconds, segments, files=tuple(files), times_real_time=times_real_time)


def _tune(job: _Job, annotations: Path, start: SegmentRules) -> tuple[TunedRules, list[str]]:
    truth, notes = read_truth(annotations)
    deciding, unseen = deciding_model(job.run, list(truth))
    model = job.load(deciding)
    if seen := set(unseen) & {part for member in _members(model) for part in member.refitted}:
        raise UserError(
            f"{job.run} was fitted again on its {seen.pop()} videos and kept no model from before; tune on other videos"
        )
    tracks, unknown = [], set()
    for video, stem in zip(truth, _stems(list(truth)), strict=True):
        track, _ = job.score(model, video, job.folder / f"tuning-{stem}")
        unknown |= {segment.label for segment in truth[video]} - set(track.classes)
        tracks.append((track, [segment for segment in truth[video] if segment.label in track.classes]))
    tuned = tune_rules(tracks, start, job.windows)
    write_rules(rules_path(job.run), tuned)
    if unknown:
        notes.append(f"note: the model knows no {', '.join(sorted(unknown))}: such segments count as background")
    gained = (
        f"F1 at 50 % overlap {100 * tuned.f1_at_50:.1f}, {100 * tuned.default_f1_at_50:.1f} before"
        if tuned.rules != start
        else f"none were better by more than chance than those before, F1 at 50 % overlap {100 * tuned.f1_at_50:.1f}"
    )
    count = counted(len(tracks), "tuning video")
    say(job.console, f"rules: {gained}, on {count}; kept as {rules_path(job.run)}")
    return tuned, notes


def _members(model: Recognizer | Ensemble) -> list[Recognizer]:
    return list(model.members.values()) if isinstance(model, Ensemble) else [model]


def _origin(rules: SegmentRules, tuned: TunedRules | None) -> str:
    if tuned is not None and rules == tuned.rules:
        return f"tuned on {counted(len(tuned.tuned_on), 'video')}"
    return "as they come with muybridge" if rules == SegmentRules() else "as asked for"


def _stems(paths: Sequence[Path]) -> list[str]:
    """Names for the files of each video; videos of one name get numbers."""
    taken: set[str] = set()
    stems = []
    for path in paths:
        stem, number = path.stem, 2
        while stem in taken:
            stem, number = f"{path.stem}-{number}", number + 1
        taken.add(stem)
        stems.append(stem)
    return stems
