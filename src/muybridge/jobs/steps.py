"""Steps that the jobs share."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.split import Part
from muybridge.errors import UserError
from muybridge.evaluation.predictions import ClipPrediction, Predictions
from muybridge.inference.recognizer import Recognizer
from muybridge.recipes.recipe import DataConfig

STDERR = Console(stderr=True)
FITTED_PARTS: tuple[Part, ...] = ("train", "validation")


def read_clips(clips: str | Path, data: DataConfig) -> Catalog:
    """Read a catalog and keep the classes that the options name.

    Raises:
        UserError: If there is nothing to read, or the options contradict each other.
    """
    catalog = read_catalog(Path(clips))
    if data.classes and data.class_count:
        raise UserError("data.classes and data.class_count exclude each other; leave one of them out")
    return catalog.subset(data.classes or data.class_count or None)


def predict_labelled(
    recognizer: Recognizer, clips: Sequence[Clip], *, views: int | None = None, console: Console
) -> Predictions:
    """Predict labelled clips, with a progress bar."""
    found: Iterator[ClipPrediction] = recognizer.predict_clips(clips, views=views)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        done = tuple(progress.track(found, total=len(clips), description="measuring"))
    return Predictions(recognizer.classes, done)
