"""Naming the action in video files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR, progress_on, say
from muybridge.dataset.locating import is_folder
from muybridge.dataset.naming_videos import find_videos
from muybridge.dataset.shard_catalog import videos_in_shards
from muybridge.dataset.shard_index import holds_shards
from muybridge.errors import UserError, VideoError
from muybridge.inference.answers import Prediction
from muybridge.inference.loading import load
from muybridge.inference.trained_model import Model
from muybridge.inference.views import AS_TRAINED, Views
from muybridge.storage.urls import is_url
from muybridge.video.isolation import isolated
from muybridge.video.live.addresses import printable_address, scheme_of
from muybridge.video.live.fetched_file import fetched_file, require_fetchable
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
            ``/dev/stdin``; or addresses of files (``https://...``), which are fetched, because they were named here
            and nowhere else.
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
    named: list[Path | str] = []  # addresses stay text
    names: dict[Path, Path] = {}  # videos in shards are named as they were before they were packed
    for video in videos:
        if isinstance(video, str) and scheme_of(video) is not None and not is_url(video):
            require_fetchable(video)
            named.append(video)
        elif is_folder(Path(video)) and holds_shards(Path(video)):
            found = videos_in_shards(Path(video))
            named += found
            names |= found
        else:
            named += find_videos([video], announce=lambda line: say(console, line))
    recognizer = load(model, device=device, engine=engine, announce=lambda why: say(console, why))
    return _with_progress(_predictions(recognizer, named, names, views, isolate=isolate), len(named), console)


def _predictions(
    model: Model, named: Sequence[Path | str], names: Mapping[Path, Path], views: Views, *, isolate: bool
) -> Iterator[Prediction]:
    with isolated(isolate):
        # Side by side only what lies here: what is fetched takes room on the disk, and goes before the next one comes.
        for is_address, group in groupby(named, key=lambda each: isinstance(each, str)):
            if is_address:
                for address in group:
                    yield _fetched(model, str(address), views)
            else:
                yield from _local(model, [Path(each) for each in group], names, views)


def _fetched(model: Model, address: str, views: Views) -> Prediction:
    name = printable_address(address)
    with ExitStack() as stack:
        try:
            file = stack.enter_context(fetched_file(address))
        except VideoError:
            raise
        except UserError as error:  # an address that does not answer is no end for the others
            return Prediction(None, (), error=str(error).removeprefix(f"{name}: "), address=name)
        (prediction,) = model.predict_files([file], views=views)
    return replace(prediction, path=None, address=name)


def _local(model: Model, paths: Sequence[Path], names: Mapping[Path, Path], views: Views) -> Iterator[Prediction]:
    with ExitStack() as stack:
        files: list[Path | UserError] = []
        for path in paths:
            try:
                files.append(stack.enter_context(regular_file(path)))
            except VideoError:
                raise
            except UserError as error:
                files.append(error)
        predictions = iter(model.predict_files([file for file in files if isinstance(file, Path)], views=views))
        for path, file in zip(paths, files, strict=True):
            if isinstance(file, UserError):
                yield Prediction(None, (), error=str(file))
                continue
            prediction, name = next(predictions), names.get(path, path)
            yield prediction if prediction.path == name else replace(prediction, path=name)


def _with_progress(found: Iterator[Prediction], total: int, console: Console) -> Iterator[Prediction]:
    """The same predictions; several files have a bar, which is there while they are asked for."""
    if total == 1:
        yield from found
        return
    with progress_on(console) as progress:
        yield from progress.track(found, total=total, description="predicting")
