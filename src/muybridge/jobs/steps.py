"""Steps that the jobs share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from muybridge.console import progress_on, say
from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.protocols import make_split
from muybridge.dataset.split import Part, Split
from muybridge.errors import UserError
from muybridge.evaluation.predictions import ClipPrediction, Predictions
from muybridge.inference.model import Model
from muybridge.inference.views import AS_TRAINED, Views
from muybridge.recipes.recipe import DataConfig

FITTED_PARTS: tuple[Part, ...] = ("train", "validation")
LISTED_TWINS = 5
"""So many sets of byte-identical files are named before a training; a folder can have hundreds."""


def read_clips(clips: str | Path, data: DataConfig) -> Catalog:
    """Read a catalog and keep the classes that the options name.

    Raises:
        UserError: If there is nothing to read, or the options contradict each other.
    """
    catalog = read_catalog(Path(clips))
    if data.classes and data.class_count:
        raise UserError("data.classes and data.class_count exclude each other; leave one of them out")
    return catalog.subset(data.classes or data.class_count or None)


@dataclass(frozen=True)
class DividedClips:
    """Clips divided for a training.

    Attributes:
        path: Where they lie, absolute.
        split: Which are in which part.
        leak: How many test clips share a source with train, in words.
        notes: What a user should know about them, one line each.
    """

    path: Path
    split: Split
    leak: str
    notes: tuple[str, ...]

    def announce(self, console: Console) -> None:
        """Print the notes, the sizes of the parts and the leak."""
        for line in self.notes:
            say(console, f"note: {line}")
        split = self.split
        say(
            console,
            f"split {split.protocol}: {len(split.train)} clips to train, {len(split.validation)} to validate, "
            f"{len(split.test)} to test; {self.leak}",
        )


def divide(clips: str | Path, data: DataConfig) -> DividedClips:
    """Read clips and divide them for a training.

    Raises:
        UserError: If the options make no sense for these clips, or leave nothing to validate on.
    """
    catalog = read_clips(clips, data)
    split = make_split(
        catalog,
        protocol=data.protocol,
        seed=data.split_seed,
        test_share=data.test_share,
        validation_share=data.validation_share,
        test_groups=data.test_groups,
        lists=Path(data.lists) if data.lists else None,
    )
    if not split.validation:
        raise UserError(
            "no validation clips are left to choose the best epoch by; give more clips or source groups, "
            "or set data.validation_share"
        )
    twins = catalog.duplicates
    notes = [f"byte-identical: {' = '.join(path.name for path in paths)}" for paths in twins[:LISTED_TWINS]]
    if len(twins) > LISTED_TWINS:
        notes.append(f"{len(twins)} sets of files are byte-identical in all; muybridge check lists them")
    return DividedClips(
        path=Path(clips).absolute(),
        split=split,
        leak=str(split.leak(catalog)),
        notes=(*catalog.notes, *notes, *split.notes),
    )


def predict_labelled(
    model: Model, clips: Sequence[Clip], *, views: Views = AS_TRAINED, console: Console
) -> Predictions:
    """Predict labelled clips, with a progress bar."""
    found: Iterator[ClipPrediction] = model.predict_clips(clips, views=views)
    with progress_on(console) as progress:
        done = tuple(progress.track(found, total=len(clips), description="measuring"))
    return Predictions(model.classes, done)
