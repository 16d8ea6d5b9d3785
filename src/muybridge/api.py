"""The main jobs as functions: train on a folder of clips, evaluate a run, load a model.

Notable: this is the one module that walks through all the rooms in order (clips, frames, network, fitting,
measuring); the command line only parses and prints. Training ends with the honest part: the model is measured on
the run's own test clips, and the report is written.
"""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress

from muybridge.cores import available_cores
from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.duplicates import find_duplicates
from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.protocols import make_split
from muybridge.dataset.split import Part, Split
from muybridge.errors import UserError
from muybridge.evaluation.artefacts import write_evaluation
from muybridge.evaluation.evaluation import Evaluation, evaluate_predictions
from muybridge.evaluation.plots import plot_curves
from muybridge.evaluation.predictions import ClipPrediction, Predictions
from muybridge.evaluation.report import write_report
from muybridge.files import read_json, write_json
from muybridge.inference.recognizer import Recognizer
from muybridge.models.recognizer import RecognizerNet, build
from muybridge.pipeline.cache import FrameCache
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.loading import load_recipe, save_recipe
from muybridge.recipes.recipe import DataConfig, Recipe
from muybridge.training.fitting import Interrupted, fit
from muybridge.training.run_folder import RunFolder, describe_environment, write_rows

STDERR = Console(stderr=True)
FITTED_PARTS: tuple[Part, ...] = ("train", "validation")


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        run: The run directory.
        evaluation: Accuracy on the test part, or None when the split has no test clips.
        rows: One row of figures per epoch.
    """

    run: Path
    evaluation: Evaluation | None
    rows: list[dict[str, Any]]

    def __str__(self) -> str:
        if self.evaluation is None:
            return f"run: {self.run}"
        return "\n".join([*self.evaluation.details(), f"report: {RunFolder(self.run).report}"])

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "run": str(self.run),
            "report": str(RunFolder(self.run).report),
            "epochs": len(self.rows),
            "test": self.evaluation.to_dict() if self.evaluation else None,
        }


def load(path: str | Path, *, device: str | None = None) -> Recognizer:
    """Load a trained model.

    Args:
        path: A run directory, or the ``model`` folder inside one.
        device: Where it computes; default: a GPU if there is one.

    Returns:
        A recognizer; ``load("runs/default-1").predict("clip.avi")`` names the action.

    Raises:
        UserError: If there is no whole model at ``path``.
    """
    return Recognizer.load(Path(path), device=device)


def train(
    clips: str | Path,
    recipe: Recipe | None = None,
    *,
    run: str | Path | None = None,
    console: Console = STDERR,
) -> TrainResult:
    """Train on a folder of clips, then measure on the clips that were held out.

    Args:
        clips: A folder with a sub-folder per class, a CSV, or an HMDB-51 or UCF101 folder.
        recipe: The experiment; default: the default recipe.
        run: The run directory to make; default: ``runs/<recipe>-<n>``.
        console: Where progress is printed.

    Returns:
        The run directory and the test result.

    Raises:
        UserError: For clips or options that make no sense, before anything is written.
        Interrupted: On Ctrl-C; ``resume`` continues.
    """
    recipe = recipe or Recipe()
    recipe.sampler.build()
    catalog = _read_clips(clips, recipe.data)
    split = make_split(
        catalog,
        protocol=recipe.data.protocol,
        seed=recipe.data.split_seed,
        test_share=recipe.data.test_share,
        validation_share=recipe.data.validation_share,
        test_groups=recipe.data.test_groups,
        lists=Path(recipe.data.lists) if recipe.data.lists else None,
    )
    if not split.validation:
        raise UserError(
            "no validation clips are left to choose the best epoch by; give more clips or source groups, "
            "or set data.validation_share"
        )
    # The network first: without its weights nothing should be written, and no frame decoded.
    net = _new_net(recipe, split)
    folder = RunFolder.create(Path(run) if run else None, name=recipe.name)
    save_recipe(folder.recipe, recipe)
    split.save(folder.split)
    write_json(folder.environment, describe_environment(clips=Path(clips).absolute()))
    leak = str(split.leak(catalog))
    write_json(folder.leak, leak)
    for line in (*catalog.notes, *_duplicate_notes(catalog), *split.notes):
        console.print(f"note: {line}", highlight=False, soft_wrap=True, markup=False)
    console.print(
        f"split {split.protocol}: {len(split.train)} clips to train, {len(split.validation)} to validate, "
        f"{len(split.test)} to test; {leak}",
        highlight=False,
        soft_wrap=True,
    )
    with _resumable(folder):
        return _fit_and_measure(folder, recipe, split, net, console=console, resume=False)


def resume(run: str | Path, *, console: Console = STDERR) -> TrainResult:
    """Continue an interrupted training; the result is the one it would have had.

    Args:
        run: The run directory.
        console: Where progress is printed.

    Raises:
        UserError: If there is no run, or it is damaged.
        Interrupted: On Ctrl-C.
    """
    folder = RunFolder.existing(Path(run))
    recipe, split = load_recipe(str(folder.recipe)), Split.load(folder.split)
    # The checkpoint replaces every weight, so the pretrained ones are needed only where there is none yet.
    net = _new_net(recipe, split, weights="none" if folder.last_checkpoint.exists() else None)
    with _resumable(folder):
        return _fit_and_measure(folder, recipe, split, net, console=console, resume=True)


@contextmanager
def _resumable(folder: RunFolder) -> Iterator[None]:
    """Ctrl-C while decoding or measuring is an interruption of the run, too."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(folder.path) from None


def _new_net(recipe: Recipe, split: Split, *, weights: str | None = None) -> RecognizerNet:
    torch.manual_seed(recipe.training.seed)
    net = build(recipe.model, len(split.classes), weights=weights)
    if recipe.size_px < net.encoder.minimum_size_px:
        raise UserError(
            f"size_px is {recipe.size_px}; {recipe.model.encoder} needs at least {net.encoder.minimum_size_px}"
        )
    return net


def evaluate(
    run: str | Path,
    clips: str | Path | None = None,
    *,
    data: DataConfig | None = None,
    views: int = 1,
    out: str | Path | None = None,
    console: Console = STDERR,
) -> Evaluation:
    """Measure a model on its own test part, or on other labelled clips.

    Args:
        run: A run directory (or, with ``clips``, a model folder).
        clips: Other labelled clips; default: the run's test part.
        data: Which classes of the clips, and which part (``official-N``: that list's test clips).
        views: How many samplings of each clip to average.
        out: Folder for predictions.csv, per_class.csv, confusion_matrix.png, evaluation.json; default: the run's
            folder ``evaluations/<clips>-views<n>``.
        console: Where progress is printed.

    Returns:
        Accuracies with their intervals. Clips that do not decode count as wrong and are named.

    Raises:
        UserError: If there is no model, or no clip of a known class.
    """
    run = Path(run)
    recognizer = load(run)
    notes: list[str] = []
    if clips is None:
        folder = RunFolder.existing(run)
        split = Split.load(folder.split)
        chosen, protocol, leak = split.clips_of("test"), split.protocol, read_json(folder.leak)
        if not chosen:
            raise UserError(f"{run} has no test clips; name other clips to evaluate on")
        missing = [clip for clip in chosen if not clip.path.exists()]
        if len(missing) == len(chosen):
            raise UserError(f"the clips of {run} are gone (for example {missing[0].path}); name their new folder")
    else:
        chosen, protocol, leak, notes = _other_clips(run, Path(clips), recognizer.classes, data or DataConfig())
    predictions = _predict(recognizer, chosen, views=views, console=console)
    if views > 1:
        notes.append(f"probabilities averaged over {views} views of each clip")
    evaluation = evaluate_predictions(predictions, protocol=protocol, leak=leak, notes=notes)
    name = f"{Path(clips).resolve().stem if clips else 'test'}-views{views}"
    write_evaluation(Path(out) if out else run / "evaluations" / name, predictions, evaluation)
    return evaluation


def _other_clips(
    run: Path, clips: Path, classes: Sequence[str], data: DataConfig
) -> tuple[tuple[Clip, ...], str, str | None, list[str]]:
    """Clips of another data set that a model can be measured on, with what there is to say about them."""
    catalog = _read_clips(clips, data)
    notes = list(catalog.notes)
    chosen, protocol = catalog.clips, f"all of {clips.name}"
    if data.protocol.startswith("official") or data.protocol == "given" or data.test_groups:
        split = make_split(
            catalog,
            protocol=data.protocol,
            test_groups=data.test_groups,
            lists=Path(data.lists) if data.lists else None,
        )
        chosen, protocol = split.clips_of("test"), f"{split.protocol} test part of {clips.name}"
    unknown = Counter(clip.label for clip in chosen if clip.label not in classes)
    if unknown:
        listed = ", ".join(f"{label} ({count})" for label, count in sorted(unknown.items()))
        notes.append(f"left out, the model does not know these classes: {listed}")
    chosen = tuple(clip for clip in chosen if clip.label in classes)
    if not chosen:
        raise UserError(f"no clip of {clips} has a class that the model knows ({', '.join(classes)})")
    return chosen, protocol, _leak_to_run(run, chosen), notes


def _leak_to_run(run: Path, clips: Sequence[Clip]) -> str | None:
    """How many clips share a source with those the run was fitted on; None for a model without its run."""
    folder = RunFolder(run)
    if not folder.split.is_file():
        return None
    split = Split.load(folder.split)
    fitted = [clip for part in FITTED_PARTS for clip in split.clips_of(part)]
    groups = {clip.group for clip in fitted}
    files = [clip.path for clip in (*fitted, *clips) if clip.path.is_file()]
    fitted_files = {clip.path for clip in fitted}
    identical = {path for twins in find_duplicates(set(files)) if fitted_files & set(twins) for path in twins}
    shared = sum(clip.group in groups or clip.path in identical | fitted_files for clip in clips)
    return f"{shared} of {len(clips)} clips share a source with the run's training clips"


def _fit_and_measure(
    folder: RunFolder, recipe: Recipe, split: Split, net: RecognizerNet, *, console: Console, resume: bool
) -> TrainResult:
    classes = split.classes
    cache = FrameCache(
        recipe.cache, sampler=recipe.sampler.build(), views=recipe.sampler.jitter, size_px=recipe.size_px
    )
    fitted = {part: split.clips_of(part) for part in FITTED_PARTS}
    failed = _decode_once(cache, [clip for clips in fitted.values() for clip in clips], console=console)
    write_json(folder.undecodable, failed)
    datasets = {
        part: ClipDataset(
            cache,
            [clip for clip in clips if clip.id not in failed],
            classes=classes,
            augment=recipe.augment if part == "train" else None,
            seed=recipe.training.seed,
        )
        for part, clips in fitted.items()
    }
    _check_enough(datasets["train"], datasets["validation"], classes, failed)

    def on_epoch(rows: list[dict[str, Any]]) -> None:
        write_rows(folder.metrics, rows)
        plot_curves(rows, folder.curves)

    rows = fit(
        net,
        recipe.training,
        train=datasets["train"],
        validation=datasets["validation"],
        run=folder,
        console=console,
        on_epoch=on_epoch,
        resume=resume,
    )
    recognizer = Recognizer(net, classes=classes, sampler=cache.sampler, size_px=recipe.size_px)
    recognizer.save(folder.model)
    return TrainResult(folder.path, _measure_run(folder, recipe, split, recognizer, rows, console=console), rows)


def _measure_run(
    folder: RunFolder,
    recipe: Recipe,
    split: Split,
    recognizer: Recognizer,
    rows: list[dict[str, Any]],
    *,
    console: Console,
) -> Evaluation | None:
    """Measure a finished training on its own test clips and write the report."""
    if not split.test:
        console.print("note: no test clips, so no accuracy is claimed", highlight=False)
        return None
    predictions = _predict(recognizer, split.clips_of("test"), views=1, console=console)
    leak, environment = read_json(folder.leak), read_json(folder.environment)
    evaluation = evaluate_predictions(predictions, protocol=split.protocol, leak=leak, notes=split.notes)
    write_evaluation(folder.path, predictions, evaluation)
    write_report(
        folder.report,
        title=folder.path.name,
        evaluations=[evaluation],
        metrics_rows=rows,
        recipe=recipe.to_dict(),
        split_notes=[
            f"protocol {split.protocol}, seed {split.seed}",
            f"{len(split.train)} clips to train, {len(split.validation)} to validate, {len(split.test)} to test",
            leak,
            f"split hash {split.hash}",
            *split.notes,
        ],
        environment=environment,
        command=shlex.join(["muybridge", "train", environment["clips"], "--recipe", str(folder.recipe)]),
    )
    return evaluation


def _decode_once(cache: FrameCache, clips: Sequence[Clip], *, console: Console) -> dict[str, str]:
    """Fill the cache; returns clip id to reason for the clips that do not decode, and prints them."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("decoding once", total=len(clips))
        result = cache.build(
            clips,
            workers=available_cores(),
            on_progress=lambda done, total: progress.update(task, completed=done),
        )
    console.print(f"frames: {result.built} clips decoded, {result.reused} already in {cache.folder}", highlight=False)
    for clip, reason in result.failed.items():
        console.print(f"left out: {clip}: {reason}", highlight=False, soft_wrap=True, markup=False)
    return result.failed


def _check_enough(train: ClipDataset, validation: ClipDataset, classes: Sequence[str], failed: dict[str, str]) -> None:
    empty = [name for number, name in enumerate(classes) if number not in train.labels]
    if empty:
        raise UserError(f"no training clip of {', '.join(empty)} decodes; run muybridge check to see why")
    if not len(validation):
        raise UserError("no validation clip decodes; run muybridge check to see why")


def _predict(recognizer: Recognizer, clips: Sequence[Clip], *, views: int, console: Console) -> Predictions:
    """Predict clips with a progress bar."""
    found: Iterator[ClipPrediction] = recognizer.predict_clips(clips, views=views)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        done = tuple(progress.track(found, total=len(clips), description="measuring"))
    return Predictions(recognizer.classes, done)


def _duplicate_notes(catalog: Catalog) -> list[str]:
    return [f"byte-identical: {' = '.join(path.name for path in twins)}" for twins in catalog.duplicates]


def _read_clips(clips: str | Path, data: DataConfig) -> Catalog:
    catalog = read_catalog(Path(clips))
    if data.classes and data.class_count:
        raise UserError("data.classes and data.class_count exclude each other; leave one of them out")
    return catalog.subset(data.classes or data.class_count or None)
