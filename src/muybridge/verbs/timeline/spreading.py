"""Long videos in spans, scored by the workers of a Ray cluster; the scores are then those of one process.

Notable: a span is a piece of a job (see ``pieces``), so one that was computed when the job was killed is not computed
again. The rows are put together to the files of scores that one process would have written, and what comes after
(segments, pages, ``resume``) knows nothing of spans.

Axes: T frames, N scores, H, W, C (RGB), K classes.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from muybridge.console import say
from muybridge.dataset.catalog import Clip
from muybridge.dataset.shard_index import arrow
from muybridge.errors import VideoError
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.score_file import ScoreFile
from muybridge.inference.timeline.spans import past_frames, spans_of
from muybridge.inference.timeline.video_scoring import Rate, Steps, job_of
from muybridge.pieces.answer_place import PLAN_FILE, AnswerPlace
from muybridge.pieces.planning import Item, Plan, make_plan
from muybridge.pieces.shared_model import SharedModel
from muybridge.pieces.whole_job import On, answer_all
from muybridge.pieces.working import MakeWork, Row, unless_storage_fails
from muybridge.recipes.timeline_rules import WindowConfig
from muybridge.storage.urls import written
from muybridge.text import counted
from muybridge.verbs.timeline.span_work import MakeScoring, Scoring, SpanItem, span_reader, span_schema

SPANS_FOLDER = ".spans"
"""Where spans are kept while a job runs, in the folder of the results."""
_OPENED_AT_ONCE = 4


@dataclass(frozen=True)
class Video:
    """A long video to be scored.

    Attributes:
        path: It.
        stem: Of the file of its scores.
    """

    path: Path
    stem: Path


def spread(
    videos: Sequence[Video],
    recognizer: Recognizer,
    model: SharedModel,
    folder: Path,
    *,
    windows: WindowConfig,
    resume: bool,
    on: On,
    engine: str,
    device: str,
    console: Console,
) -> dict[Path, VideoError]:
    """Score videos on a cluster; afterwards their files of scores are there and whole.

    Args:
        videos: They, each once.
        recognizer: The model.
        model: The same for workers.
        folder: Where spans are kept until all are there; this job's alone.
        windows: How the videos are looked at.
        resume: Take up what an earlier call left.
        on: ``ray``; ``local`` computes spans in this process.
        engine: What computes: see ``load``.
        device: Where torch computes.
        console: Where progress is printed.

    Returns:
        Why videos could not be scored.

    Raises:
        UserError: What is to be resumed is of another job, or storage cannot be reached.
    """
    place, count = AnswerPlace(folder), len(recognizer.classes)
    # What a file is now: scores of one that changes meanwhile are not taken for its own.
    score_files = {
        each.path: partial(ScoreFile, each.stem, job_of(each.path, windows, recognizer), class_count=count)
        for each in videos
    }
    if not resume and folder.is_dir():
        shutil.rmtree(folder)
    missing = [each for each in videos if not (resume and _is_whole(score_files[each.path]()))]
    chosen = _as_begun(videos, missing, place)
    if not missing:
        return {}
    items, failed = _items(chosen, recognizer, windows, console)
    about = {
        "kind": "spans",
        "model": model.sha256,
        "engine": engine,
        "classes": count,
        "windows": asdict(windows),
        "videos": [written(each.path) for each in chosen],
    }
    if items:
        plan = make_plan(items, about, piece_clips=1)
        make: MakeWork = MakeScoring(model, windows, engine)
        if on == "local":
            make = lambda device: Scoring(recognizer, windows)  # noqa: E731 - it is loaded already
        result = answer_all(plan, place, make, schema=span_schema(), on=on, device=device, console=console)
        for path, rows in _rows_of(chosen, plan, place):
            reason = next((row["error"] for row in rows if row["error"] is not None), None)
            if reason is not None:
                failed[path] = VideoError(path, reason, "the other videos are scored")
                continue
            seconds = rows[0]["seconds"]
            if seconds is None:
                with span_reader(recognizer, windows, path) as reader:
                    seconds = reader.length_seconds
            _write(score_files[path](), rows, seconds=float(seconds or 0.0), class_count=count)
        shutil.rmtree(folder)
        say(
            console,
            f"scored {counted(len(chosen) - len(failed), 'video')} in {counted(len(items), 'span')}, "
            f"{result.computed} of them now in {result.seconds:.1f} s",
        )
    return failed


def _is_whole(scores: ScoreFile) -> bool:
    """Whether all scores of a video are there."""
    with scores:
        scores.resume()
        return scores.seconds is not None


def _as_begun(videos: Sequence[Video], missing: Sequence[Video], place: AnswerPlace) -> Sequence[Video]:
    """The videos of the job that was begun, where it holds all that are missing: its spans are of use then."""
    begun = place.read(PLAN_FILE)
    try:
        names = set(json.loads(begun or b"{}").get("videos", ()))
    except ValueError:
        return missing  # the place says that it is damaged
    same = [each for each in videos if written(each.path) in names]
    return same if set(missing) <= set(same) else missing


def _items(
    videos: Sequence[Video], recognizer: Recognizer, windows: WindowConfig, console: Console
) -> tuple[list[SpanItem], dict[Path, VideoError]]:
    """The spans of all videos, and why some have none."""
    if past_frames(recognizer) is None:
        encoder = recognizer.net.config.encoder
        say(console, f"note: {encoder} carries all that it has seen through a video, so one worker scores each video")
    items: list[SpanItem] = []
    failed: dict[Path, VideoError] = {}
    with ThreadPoolExecutor(_OPENED_AT_ONCE) as pool:
        for video, found in zip(videos, pool.map(partial(_cut, recognizer, windows), videos), strict=True):
            if isinstance(found, VideoError):
                failed[video.path] = found
                continue
            items += found
            if found[0].span is None and past_frames(recognizer) is not None:
                say(
                    console,
                    f"note: {written(video.path)} is only decoded from its start on (how to begin inside it is not "
                    "known, or there are too few keyframes), so one worker scores it",
                )
    return items, failed


def _cut(recognizer: Recognizer, windows: WindowConfig, video: Video) -> list[SpanItem] | VideoError:
    """The spans of a video, or why it cannot be read."""
    whole = Item.of(Clip(path=video.path, label="", group=""), name=written(video.path))

    def spans(_: Item) -> list[SpanItem] | VideoError:
        rate = Rate.of(recognizer, windows.frames_per_second)
        try:
            with span_reader(recognizer, windows, video.path) as reader:
                count, frame_count = reader.step_count, reader.frame_count
                steps = Steps.of(recognizer, rate, windows, reader.frames_per_second)
                found = None if count is None else spans_of(recognizer, steps, count)
                if found is not None and frame_count is not None:
                    # Where keyframes are so rare that the frames before spans are more than the video has, one reads.
                    extra = sum(reader.passed_over(span.first_frame) for span in found)
                    found = found if extra <= frame_count else None
        except VideoError as error:
            return error
        steps.scorer(recognizer)  # refuses windows that the model cannot take
        if found is None or count is None:
            return [SpanItem(**vars(whole))]
        return [
            SpanItem(
                **{**vars(whole), "name": f"{whole.name} {span.first_score}-{span.end_score}"},
                steps=steps,
                span=span,
                frame_count=count,
            )
            for span in found
        ]

    return unless_storage_fails(whole, spans)


def _write(scores: ScoreFile, rows: Sequence[Row], *, seconds: float, class_count: int) -> None:
    """Write the scores of a video as a process that scored all of it leaves them."""
    with scores:
        scores.begin()
        for row in sorted(rows, key=lambda row: int(row["first_score"])):
            scores.append(row["logits"].reshape(-1, class_count))
        scores.keep({"counts": torch.tensor([0, scores.count])}, seconds=seconds)


def _rows_of(videos: Sequence[Video], plan: Plan, place: AnswerPlace) -> Iterator[tuple[Path, list[Row]]]:
    """The rows of each video that has some."""
    found: dict[str, list[Row]] = {}
    for row in _rows(plan, place):
        found.setdefault(row["video"], []).append(row)
    for video in videos:
        if rows := found.get(written(video.path)):
            yield video.path, rows


def _rows(plan: Plan, place: AnswerPlace) -> Iterator[Row]:
    """The rows of all parts; logits as an array."""
    pq = arrow().parquet
    for piece in plan.pieces:
        table = pq.read_table(BytesIO(place.read(piece.name) or b""))
        logits = table.column("logits")
        for number, row in enumerate(table.drop_columns(["logits"]).to_pylist()):
            values = logits[number].values
            yield {**row, "logits": None if values is None else np.asarray(values, dtype=np.float32)}
