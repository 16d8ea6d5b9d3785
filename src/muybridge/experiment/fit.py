"""From a prepared experiment to a trained model: decode once, encode once where nothing learns, fit, save."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console

from muybridge.console import progress_on, say
from muybridge.dataset.catalog import Clip
from muybridge.dataset.split import FITTED_PARTS, Part
from muybridge.errors import UserError
from muybridge.evaluation.plots import plot_curves
from muybridge.experiment.prepare import Experiment
from muybridge.files import read_json, write_json, write_rows
from muybridge.inference.recognizer import Recognizer
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.activations import ActivationDataset
from muybridge.pipeline.cache_records import record_entries
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.recipe import Recipe
from muybridge.system import available_cores
from muybridge.text import counted, percent
from muybridge.training.encoding import FrozenPart, encodes_once
from muybridge.training.fitting import encodes_in_bf16, finished_epochs, fit, load_weights
from muybridge.training.loggers import logging_to
from muybridge.training.probe_fitting import fit_probe

StopEarly = Callable[[list[dict[str, Any]]], bool]


@dataclass(frozen=True)
class Fitted:
    """What fitting left: the model of the best epoch, and one row of figures per epoch."""

    recognizer: Recognizer
    rows: list[dict[str, Any]]


def fit_experiment(experiment: Experiment, *, stop_early: StopEarly | None = None, console: Console) -> Fitted:
    """Train, and save the model of the best epoch in the run directory.

    Args:
        experiment: What to train.
        stop_early: Asked after every epoch, with all rows of figures; True ends the training there.
        console: Where progress is printed.

    Raises:
        UserError: If clips cannot be read, or too few are left.
        Interrupted: On Ctrl-C.
    """
    folder, recipe, net = experiment.folder, experiment.recipe, experiment.net
    cache = frame_cache(recipe)
    datasets = _decoded(experiment, cache, console=console)

    def after_epoch(rows: list[dict[str, Any]]) -> bool:
        write_rows(folder.metrics, rows)
        return stop_early is not None and stop_early(rows)

    if encodes_once(net, recipe.cache) and experiment.resumes and folder.last_checkpoint.exists():
        load_weights(net, folder.last_checkpoint)  # the frozen part is needed now, before the rest is taken up
    examples = encoded(datasets, net, recipe, variants=recipe.cache.variants, device=experiment.device, console=console)
    if recipe.model.head == "probe":
        rows = _fit_probe(experiment, datasets["train"], examples, console=console)
        after_epoch(rows)
    else:
        with logging_to(experiment.logger, folder, recipe.to_dict()) as logger:
            rows = fit(
                net,
                recipe.training,
                train=examples["train"],
                validation=examples["validation"],
                run=folder,
                device=experiment.device,
                console=console,
                on_epoch=after_epoch,
                logger=logger,
                resume=experiment.resumes,
            )
    plot_curves(rows, folder.curves, monitor=recipe.training.monitor)
    recognizer = _recognizer(experiment)
    recognizer.save(folder.model)
    return Fitted(recognizer, rows)


def keep_best(experiment: Experiment) -> str | None:
    """Make a usable model of the best epoch so far of an interrupted training, marked as such.

    Returns:
        Which epochs it is the best of, in words; None if no epoch was finished.
    """
    folder = experiment.folder
    if not (folder.best_checkpoint.is_file() and folder.last_checkpoint.is_file()):
        return None
    best, last = load_weights(experiment.net, folder.best_checkpoint), finished_epochs(folder.last_checkpoint)
    epochs = experiment.recipe.training.epochs
    unfinished = f"of an interrupted training: epoch {best}, the best of {last}; {epochs} were asked for"
    _recognizer(experiment, unfinished=unfinished).save(folder.model)
    return unfinished


def _recognizer(experiment: Experiment, *, unfinished: str = "") -> Recognizer:
    """The network of an experiment with all that it needs to read a video."""
    recipe = experiment.recipe
    return Recognizer(
        experiment.net,
        classes=experiment.split.classes,
        sampler=recipe.sampler.build(),
        size_px=recipe.size_px,
        windows=recipe.sampler.windows,
        combine=recipe.sampler.combine,
        no_flip_classes=recipe.augment.no_flip_classes,
        unfinished=unfinished,
        device=experiment.device,
    )


def _fit_probe(
    experiment: Experiment,
    clips: ClipDataset,
    examples: Mapping[Part, ClipDataset | ActivationDataset],
    *,
    console: Console,
) -> list[dict[str, Any]]:
    """Fit a probe on encoded clips, and say what chose its penalty."""
    probe = fit_probe(
        experiment.net,
        train=examples["train"],
        validation=examples["validation"],
        groups=[clip.group for clip, _ in clips.examples],
        seed=experiment.recipe.training.seed,
    )
    if probe.fold_accuracy is None:
        how = "no class has two source groups to choose it by"
    else:
        how = f"chosen by folds over source groups, {percent(probe.fold_accuracy)} of the training clips right"
    say(console, f"probe: penalty {probe.penalty:.0e}, {how}; temperature {probe.temperature:.2f}")
    return probe.rows


def frame_cache(recipe: Recipe) -> FrameCache:
    """The cache of the frames that a recipe's training sees."""
    return FrameCache(
        recipe.cache, sampler=recipe.sampler.build(), views=recipe.sampler.training_views, size_px=recipe.size_px
    )


def _decoded(experiment: Experiment, cache: FrameCache, *, console: Console) -> dict[Part, ClipDataset]:
    """The training and validation clips that decode; the others are named and written down."""
    folder, recipe, split = experiment.folder, experiment.recipe, experiment.split
    fitted = {part: split.clips_of(part) for part in FITTED_PARTS}
    failed = decode_once(cache, [clip for clips in fitted.values() for clip in clips], console=console)
    if experiment.resumes and folder.undecodable.exists():
        _check_unchanged(read_json(folder.undecodable), failed)
    write_json(folder.undecodable, failed)
    datasets: dict[Part, ClipDataset] = {
        part: ClipDataset(
            cache,
            [clip for clip in clips if clip.id not in failed],
            classes=split.classes,
            augment=recipe.augment if part == "train" else None,
            seed=recipe.training.seed,
        )
        for part, clips in fitted.items()
    }
    _check_enough(datasets["train"], datasets["validation"], split.classes)
    return datasets


def decode_once(cache: FrameCache, clips: Sequence[Clip], *, console: Console) -> dict[str, str]:
    """Fill the cache; returns clip id to reason for the clips that do not decode, and prints them."""
    with progress_on(console) as progress:
        task = progress.add_task("decoding once", total=len(clips))
        try:
            result = cache.build(
                clips,
                workers=available_cores(),
                on_progress=lambda done, total: progress.update(task, completed=done),
            )
        finally:  # what is kept of an interrupted training has its record, too
            if clips and cache.paths:
                record_entries(cache.folder, clips[0].root, cache.paths)
    say(console, f"frames: {result.built} clips decoded, {result.reused} already in {cache.folder}")
    for clip, reason in result.failed.items():
        say(console, f"left out: {clip}: {reason}")
    return result.failed


def encoded(
    datasets: Mapping[Part, ClipDataset],
    net: RecognizerNet,
    recipe: Recipe,
    *,
    variants: int,
    device: torch.device,
    console: Console,
) -> Mapping[Part, ClipDataset | ActivationDataset]:
    """The clips as what the frozen part of the network makes of them, computed now where it is not kept yet.

    Where nothing is frozen, or nothing is to be kept, the clips stay frames.
    """
    if not encodes_once(net, recipe.cache):
        return datasets
    frozen = FrozenPart(net, bf16=encodes_in_bf16(recipe.training, device), device=device)
    kept = {
        part: ActivationDataset(clips, frozen, identity=frozen.identity, variants=variants)
        for part, clips in datasets.items()
    }
    with progress_on(console) as progress:
        task = progress.add_task("encoding once", total=None)
        computed = 0
        for part in kept.values():
            record_entries(part.clips.cache.folder, part.clips.examples[0][0].root, part.paths)
            computed += part.build(lambda done, total: progress.update(task, completed=done, total=total))
    train = kept["train"]
    say(
        console,
        f"features: the frozen encoder saw {counted(computed, 'clip')} now, the others are kept from before; "
        f"{train.variants} augmented variants of each training clip take turns; {train.describe_entry()}",
    )
    return kept


def _check_unchanged(before: dict[str, str], now: dict[str, str]) -> None:
    """A resumed training must see the clips that it began with."""
    lost = sorted(now.keys() - before.keys())
    if lost:
        raise UserError(
            f"{len(lost)} clips that this run began with cannot be read now, for example {lost[0]}: {now[lost[0]]}; "
            "put them back to resume"
        )


def _check_enough(train: ClipDataset, validation: ClipDataset, classes: Sequence[str]) -> None:
    empty = [name for number, name in enumerate(classes) if number not in train.labels]
    if empty:
        raise UserError(f"no training clip of {', '.join(empty)} decodes; run muybridge check to see why")
    if not len(validation):
        raise UserError("no validation clip decodes; run muybridge check to see why")
