"""The clips of a training: read, joined with those of another run, and divided into parts or folds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR, say
from muybridge.dataset.annotations.annotated_clips import told_apart
from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.contradictions import CONTRADICTION, said_of_contradictions
from muybridge.dataset.folds import cross_validation
from muybridge.dataset.labels import settle_alike
from muybridge.dataset.protocols import make_split
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.experiment.named_clips import read_clips
from muybridge.recipes.cache import CacheConfig
from muybridge.recipes.data import DataConfig
from muybridge.text import counted

LISTED_TWINS = 5
"""So many sets of byte-identical files are named before a training; a folder can have hundreds."""


@dataclass(frozen=True)
class DividedClips:
    """Clips divided for a training.

    Attributes:
        path: Where they lie, absolute.
        split: Which are in which part.
        leak: How many test clips share a source with train, in words.
        notes: What a user should know about them, one line each.
        folds: For cross-validation, the split of each fold; ``split`` then has every clip in its test part.
    """

    path: Path
    split: Split
    leak: str
    notes: tuple[str, ...]
    folds: tuple[Split, ...] = ()

    def announce(self, console: Console) -> None:
        """Print the notes, the sizes of the parts and the leak."""
        for line in self.notes:
            say(console, line if line.startswith(CONTRADICTION) else f"note: {line}")
        split = self.split
        if self.folds:
            say(console, f"{split.protocol}: each of {counted(len(split.test), 'clip')} is tested once; {self.leak}")
            return
        say(
            console,
            f"split {split.protocol}: {len(split.train)} clips to train, {len(split.validation)} to validate, "
            f"{len(split.test)} to test; {self.leak}",
        )


def divide(
    clips: str | Path,
    data: DataConfig,
    *,
    validates: bool = True,
    others: Sequence[Clip] = (),
    cache: CacheConfig | None = None,
    console: Console = STDERR,
) -> DividedClips:
    """Read clips and divide them for a training.

    Args:
        clips: Where they lie.
        data: Which of them, and how they are divided.
        validates: Whether validation clips are needed.
        others: Clips that join them, from elsewhere.
        cache: Where frames are kept, for a rule that looks at pictures; default: the usual place.
        console: Where progress is printed.

    Raises:
        UserError: If the options make no sense for these clips, or leave nothing to validate on.
    """
    catalog = read_clips(clips, data, cache=cache, console=console)
    if catalog.layout == "file" and not others:
        raise UserError(
            f"{clips} is one video; to train, give a folder with a sub-folder per class, a CSV or annotations"
        )
    if others:
        catalog = settle_alike(joined(catalog, others), data.alike_labels)
    folds: tuple[Split, ...] = ()
    if data.folds:
        share = data.validation_share if validates else 0.0
        split, folds = cross_validation(catalog, count=data.folds, seed=data.split_seed, validation_share=share)
    else:
        split = make_split(
            catalog,
            protocol=data.protocol,
            seed=data.split_seed,
            test_share=data.test_share,
            validation_share=data.validation_share,
            test_groups=data.test_groups,
            lists=Path(data.lists) if data.lists else None,
        )
    if validates and data.validation_share and not all(part.validation for part in folds or (split,)):
        raise UserError(
            "no validation clips are left to choose the best epoch by; give more clips or source groups, or set "
            "data.validation_share; 0 takes the last epoch"
        )
    said = said_of_contradictions(catalog)
    split = replace(split, notes=(*said, *split.notes))
    twins = catalog.duplicates
    notes = [f"byte-identical: {' = '.join(path.name for path in paths)}" for paths in twins[:LISTED_TWINS]]
    if len(twins) > LISTED_TWINS:
        notes.append(f"{len(twins)} sets of files are byte-identical in all; muybridge check lists them")
    return DividedClips(
        path=Path(clips).absolute(),
        split=split,
        leak=_leak_of_folds(folds, catalog) if folds else str(split.leak(catalog)),
        notes=(*catalog.notes, *notes, *split.notes),
        folds=folds,
    )


def joined(catalog: Catalog, others: Sequence[Clip]) -> Catalog:
    """A catalog with clips from elsewhere; one that is in both is taken once, with the label that it has now."""
    here = {(clip.path.resolve(), clip.start_seconds, clip.end_seconds) for clip in catalog.clips}
    new = [clip for clip in others if (clip.path.resolve(), clip.start_seconds, clip.end_seconds) not in here]
    # Parts of one video at the same times bear their labels in their ids.
    clips = told_apart([*catalog.clips, *(replace(clip, root=catalog.root, known_as=None) for clip in new)])
    return replace(
        catalog, clips=tuple(clips), notes=(*catalog.notes, f"{counted(len(new), 'clip')} of the run joined")
    )


def _leak_of_folds(folds: Sequence[Split], catalog: Catalog) -> str:
    """How many clips share a source with those that the model that tested them was fitted on."""
    leaks = [fold.leak(catalog) for fold in folds]
    shared, clips = sum(leak.test_shared for leak in leaks), sum(leak.test_clips for leak in leaks)
    if not leaks[0].is_known and not shared:
        return str(leaks[0])
    least = "" if leaks[0].is_known else "at least "
    return f"{least}{shared} of {clips} test clips share a source with what the model that tested them learned from"
