"""What happens when in long videos: each frame is decoded and encoded once, windows are scored, segments come out."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from muybridge.console import STDERR, say
from muybridge.dataset.naming_videos import find_videos
from muybridge.dataset.segments import Segment
from muybridge.errors import UserError, VideoError
from muybridge.files import require_writable, write_json
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.segmenting import segments_of
from muybridge.locks import Lock
from muybridge.pieces.whole_job import On, check_on
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.recipes.tuned_rules import TunedRules, chosen_rules, rules_path, write_rules
from muybridge.remote_runs import run_with_results
from muybridge.storage.urls import written
from muybridge.text import counted
from muybridge.verbs.timeline.measuring import measure, true_segments
from muybridge.verbs.timeline.output import check_formats, write_files
from muybridge.verbs.timeline.page import write_page
from muybridge.verbs.timeline.result import TimelineResult, VideoTimeline
from muybridge.verbs.timeline.scoring import Job, members_of
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
    on: On = "local",
    device: str = "auto",
    console: Console = STDERR,
) -> TimelineResult:
    """Say what happens when in long videos.

    Args:
        run: A run directory of a training or an ensemble, or a model folder; or the URL of one.
        videos: Files, folders of them, glob patterns (``games/*.mp4``), or URLs.
        windows: How the videos are looked at; None: as the rules were tuned, else the defaults.
        rules: From scores to segments; None: those that were tuned for this run, else the defaults.
        tune: Annotations of validation videos: rules are chosen on them first, and kept as timeline.json in the run.
        truth: Annotations to measure against: frame accuracy, edit score, F1 at overlaps, mAP, borders, false alarms.
            Where no videos are named, all that it names are looked at.
        out: Folder for the files; default: timelines/ in the run (of one in a bucket they are uploaded).
        formats: What is written there: json, csv, srt, vtt, html, drawn (a copy of the video with the labels on its
            pictures), label-studio, elan, boris, activitynet, cvat; None: the first five.
        resume: Take up scores that an earlier job left there, of a video that it had not finished, or all of them.
        engine: What computes: see ``muybridge.load``. Exports score whole windows, which overlap by half; in torch each
            frame is encoded once. Of an ensemble, torch.
        on: ``local``: this process; ``ray``: the Ray cluster that is found, or one on this machine, scores spans of
            the videos.
        device: Where torch computes: auto, cpu, cuda, cuda:1 or mps.
        console: Where progress is printed.

    Returns:
        The segments of each video; of one that does not decode, why.

    Raises:
        UserError: If there is no model, or not the engine asked for; if ``videos`` names nothing; if
            ``tune`` names videos that the model learned from; or if what is to be resumed is of another job.
    """
    if not videos and tune is None and truth is None:
        raise UserError("no video: name one, or annotated videos to tune the rules on or to measure with")
    formats = FORMATS if formats is None else formats
    check_formats(formats)
    if on != "local":
        check_on(on)
    named = Path(run)
    # Tuned rules are kept in the run, too.
    with run_with_results(named, None if tune is not None else out, announce=partial(say, console)) as run:
        folder = Path(out) if out is not None else run / FOLDER
        require_writable(folder)
        paths = list(dict.fromkeys(find_videos(videos, announce=partial(say, console))))
        tuned, windows, rules = chosen_rules(run, windows, rules)
        job = Job(named, run, folder, windows, resume=resume, engine=engine, on=on, device=device, console=console)
        with Lock(folder / ".lock", what=folder).held():
            try:
                return _result(job, paths, rules, tuned, tune=tune, truth=truth, formats=formats)
            except KeyboardInterrupt:
                command = f"muybridge timeline {written(named)} VIDEO --resume{' --on ray' if on == 'ray' else ''}"
                say(console, f"what was scored is kept in {folder}; go on with: {command}")
                raise


def _result(
    job: Job,
    paths: Sequence[Path],
    rules: SegmentRules,
    tuned: TunedRules | None,
    *,
    tune: str | Path | None,
    truth: str | Path | None,
    formats: Sequence[str],
) -> TimelineResult:
    """Tune, look at the videos, measure."""
    notes: list[str] = []
    true_of: dict[Path, list[Segment]] = {}
    if truth is not None:
        true_of, notes = read_truth(Path(truth))
        paths = paths or list(true_of)
    if tune is not None:
        tuned, more = _tune(job, Path(tune), rules)
        notes += more
        rules = tuned.rules
    model = job.load(job.run) if paths else None
    timelines = []
    stems = [job.folder / stem for stem in _stems(paths)]
    if model is not None:
        job.spread(model, job.run, paths, stems)
    for path, stem in zip(paths, stems, strict=True):
        assert model is not None
        true = None if truth is None else true_segments(path, true_of)
        timelines.append(_timeline(job, model, path, stem, rules, formats, notes, true))
    evaluation = None if truth is None or model is None else measure(timelines, true_of, model.classes)
    if evaluation is not None:
        write_json(job.folder / EVALUATION_FILE, evaluation.to_dict())
    return TimelineResult(
        job.named,
        tuple(timelines),
        job.windows,
        rules,
        _origin(rules, tuned),
        tuple(dict.fromkeys(notes)),
        evaluation,
    )


def _timeline(
    job: Job,
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
        "model": written(job.named),
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
            stem, track, segments, true, model=written(job.named), rules=rules, windows=job.windows, console=job.console
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
    notes += [f"note: {written(path)}: {problem}" for problem in dict.fromkeys(problems) if problem is not None]
    return VideoTimeline(path, track.seconds, segments, files=tuple(files), times_real_time=times_real_time)


def _tune(job: Job, annotations: Path, start: SegmentRules) -> tuple[TunedRules, list[str]]:
    truth, notes = read_truth(annotations)
    deciding, unseen = deciding_model(job.run, list(truth))
    model = job.load(deciding)
    if seen := set(unseen) & {part for member in members_of(model).values() for part in member.refitted}:
        raise UserError(
            f"{job.run} was fitted again on its {seen.pop()} videos and kept no model from before; tune on other videos"
        )
    tracks, unknown = [], set()
    stems = [job.folder / f"tuning-{stem}" for stem in _stems(list(truth))]
    job.spread(model, deciding, list(truth), stems)
    for video, stem in zip(truth, stems, strict=True):
        track, _ = job.score(model, video, stem)
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
