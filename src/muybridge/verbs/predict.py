"""Naming the action in video files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR, progress_on, say
from muybridge.dataset.locating import is_folder
from muybridge.dataset.naming_videos import find_videos
from muybridge.dataset.shard_catalog import videos_in_shards
from muybridge.dataset.shard_index import holds_shards
from muybridge.inference.loading import load
from muybridge.inference.trained_model import Model, Prediction
from muybridge.inference.views import AS_TRAINED, Views
from muybridge.video.isolation import isolated
from muybridge.video.pipes import regular_file


def predict(
    model: str | Path,
    videos: Sequence[str | Path],
    *,
    views: Views = AS_TRAINED,
    engine: str = "auto",
    device: str = "auto",
    isolate: bool = False,
    console: Console = STDERR,
) -> Iterator[Prediction]:
    """Name the action in videos, one prediction each, as they are done.

    Args:
        model: A run directory or a model folder.
        videos: Files, folders, also of shards, or glob patterns (``clips/*.avi``); a pipe, too, such as
            ``/dev/stdin``.
        views: Which views of each clip to combine; default: as the model was trained to be used.
        engine: What computes: see ``muybridge.load``.
        device: Where torch computes: auto, cpu, cuda, cuda:1 or mps.
        isolate: Whether each file is decoded in a process of its own, with limits of memory and processor time.
        console: Where progress and the choice of the engine are printed.

    Yields:
        A prediction per file, in order; one that does not decode has its error.

    Raises:
        UserError: If there is no model, or one of ``videos`` names nothing.
    """
    paths = find_videos(videos, announce=lambda line: say(console, line))
    # Videos in shards are named as they were before they were packed.
    shards = [Path(each) for each in videos if is_folder(Path(each)) and holds_shards(Path(each))]
    names = {path: name for root in shards for path, name in videos_in_shards(root).items()}
    recognizer = load(model, device=device, engine=engine, announce=lambda why: say(console, why))
    return _with_progress(_predictions(recognizer, paths, names, views, isolate=isolate), len(paths), console)


def _predictions(
    model: Model, paths: Sequence[Path], names: Mapping[Path, Path], views: Views, *, isolate: bool
) -> Iterator[Prediction]:
    with ExitStack() as stack:
        stack.enter_context(isolated(isolate))
        files = [stack.enter_context(regular_file(path)) for path in paths]
        for path, prediction in zip(paths, model.predict_files(files, views=views), strict=True):
            name = names.get(path, path)
            yield prediction if prediction.path == name else replace(prediction, path=name)


def _with_progress(found: Iterator[Prediction], total: int, console: Console) -> Iterator[Prediction]:
    """The same predictions; several files have a bar, which is there while they are asked for."""
    if total == 1:
        yield from found
        return
    with progress_on(console) as progress:
        yield from progress.track(found, total=total, description="predicting")
