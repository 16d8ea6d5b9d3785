"""Naming the action in many files, here or on a cluster: answers as Parquet, each clip exactly once."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from muybridge.console import STDERR, say
from muybridge.dataset.catalog import Clip
from muybridge.dataset.locating import exists, is_folder, is_regular
from muybridge.dataset.naming_videos import find_videos
from muybridge.dataset.shard_catalog import read_shards
from muybridge.dataset.shard_index import arrow, holds_shards
from muybridge.errors import UserError, VideoError
from muybridge.file_parts import is_ordinary
from muybridge.inference.loading import load
from muybridge.inference.recognizer import BATCH_PIXELS, Recognizer
from muybridge.inference.trained_model import Decoded, Model
from muybridge.inference.views import AS_TRAINED, Views
from muybridge.pieces.answer_place import AnswerPlace
from muybridge.pieces.planning import Item, make_plan, whole_files
from muybridge.pieces.shared_model import SharedModel
from muybridge.pieces.whole_job import ManyResult, On, answer_all, check_on
from muybridge.pieces.working import MakeWork, Row
from muybridge.remote_runs import opened_run
from muybridge.storage.urls import is_url, written
from muybridge.video.isolation import isolated
from muybridge.video.live.addresses import scheme_of


def predict_many(
    model: str | Path,
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    on: On = "local",
    views: Views = AS_TRAINED,
    engine: str = "auto",
    device: str = "auto",
    isolate: bool = False,
    part_clips: int | None = None,
    console: Console = STDERR,
) -> ManyResult:
    """Name the action in many videos; a call that was killed is gone on with, and every video has exactly one row.

    Args:
        model: A run directory or a model folder, or the URL of one.
        videos: Files, folders, also of shards, glob patterns, and URLs of these.
        out: A folder for the answers, or its URL: ``s3://bucket/answers``. It is new, or that of the same call.
        on: ``local``: this process; ``ray``: the Ray cluster that is found, or one on this machine.
        views: Which views of each clip to combine; default: as the model was trained to be used.
        engine: What computes: see ``muybridge.load``.
        device: Where torch computes: auto, cpu, cuda, cuda:1 or mps.
        isolate: Whether each file is decoded in a process of its own, with limits of memory and processor time.
        part_clips: How many clips a file holds; default: by their number, at most 1000.
        console: Where progress is printed.

    Returns:
        Where the rows are, and what they took.

    Raises:
        UserError: If there is no model, one of ``videos`` names nothing, or ``out`` is that of something else.
        OSError: If a file cannot be written.
    """
    check_on(on)
    place = AnswerPlace(out)
    clips = list(_clips(videos, console))
    with opened_run(Path(model), announce=partial(say, console)) as folder:
        recognizer = load(folder, device=device, engine=engine, announce=partial(say, console))
    recognizer.check_views(views)
    shared = SharedModel.of(model, folder)
    about = {
        "kind": "predictions",
        "model": shared.sha256,
        "engine": recognizer.engine.name if isinstance(recognizer, Recognizer) else "torch",
        "classes": list(recognizer.classes),
        "views": {"times": views.times, "crops": views.crops, "flip": views.flip},
    }
    plan = make_plan([Item.of(clip, name=name) for name, clip in clips], about, piece_clips=part_clips)
    make: MakeWork = _MakePredicting(shared, str(about["engine"]), views, isolate)
    if on == "local":
        work = _Predicting(recognizer, views)
        make = lambda device: work  # noqa: E731 - it is loaded already
    with isolated(isolate and on == "local"):
        return answer_all(
            plan, place, make, schema=schema_of(len(recognizer.classes)), on=on, device=device, console=console
        )


class _Predicting:
    """What is done with each clip."""

    def __init__(self, model: Model, views: Views, held: AbstractContextManager[None] | None = None) -> None:
        self._model = model
        self._views = views
        self._held = held  # as long as this lives
        self.workers = model.workers

    def decode(self, item: Item) -> Decoded | VideoError:
        """The frames that the model sees."""
        return self._model.decode(item.clip, views=self._views)

    def compute(self, decoded: Sequence[Decoded]) -> list[Row]:
        """What the model says."""
        answers = [answer for some in self._together(decoded) for answer in self._model.answers(some)]
        classes = self._model.classes
        rows: list[Row] = []
        for answer in answers:
            best = int(np.argmax(answer.probabilities))
            rows.append({
                "label": classes[best],
                "score": float(answer.probabilities[best]),
                "none_of_these": answer.none_of_these,
                "probabilities": answer.probabilities,
            })  # fmt: skip
        return rows

    def _together(self, decoded: Sequence[Decoded]) -> Iterator[Sequence[Decoded]]:
        """As many as go through the network at once."""
        begun, pixels = 0, 0
        for place, each in enumerate(decoded):
            size = self._model.pixels(each)
            if place > begun and pixels + size > BATCH_PIXELS:
                yield decoded[begun:place]
                begun, pixels = place, 0
            pixels += size
        if decoded:
            yield decoded[begun:]

    def describe(self, item: Item) -> Row:
        """What is known of a clip."""
        return {"clip": item.name, "size_bytes": item.size_bytes}


@dataclass(frozen=True)
class _MakePredicting:
    """Makes the work in another process: with the model from its folder or bucket."""

    model: SharedModel
    engine: str
    views: Views
    isolate: bool

    def __call__(self, device: str) -> _Predicting:
        """Load the model.

        Raises:
            UserError: It is not there, or another.
        """
        folder = self.model.folder()
        held = isolated(self.isolate)  # until this process ends, and with it those that decode for it
        held.__enter__()
        return _Predicting(load(folder, device=device, engine=self.engine), self.views, held)


def schema_of(class_count: int) -> Any:
    """The columns of predictions."""
    pa = arrow()
    return pa.schema([
        ("clip", pa.string()),
        ("size_bytes", pa.int64()),
        ("label", pa.string()),
        ("score", pa.float64()),
        ("none_of_these", pa.bool_()),
        ("probabilities", pa.list_(pa.float64(), class_count)),
        ("error", pa.string()),
    ])  # fmt: skip


def _clips(videos: Sequence[str | Path], console: Console) -> Iterator[tuple[str, Clip]]:
    """The clips that are named, each once, with the names of their rows."""
    seen: set[Path] = set()
    for video in videos:
        path = Path(video)
        if isinstance(video, str) and scheme_of(video) is not None and not is_url(video):
            raise UserError(f"{video} cannot be read twice as it was; save it to a file, or leave out the folder out")
        if is_folder(path) and holds_shards(path):
            found = {clip.path: (written(path / clip.file_id), clip) for clip in read_shards(path).clips}
            named = [(name, replace(clip, start_seconds=None, end_seconds=None)) for name, clip in found.values()]
        else:
            paths = find_videos([video], announce=partial(say, console))
            named = [(written(each), clip) for each, clip in zip(paths, whole_files(paths), strict=True)]
        for name, clip in named:
            if is_ordinary(clip.path) and exists(clip.path) and not is_regular(clip.path):
                raise UserError(f"{name} is no regular file; save the video to a file first")
            if clip.path not in seen:
                seen.add(clip.path)
                yield name, clip
