"""Training on a folder of clips, then measuring on the clips that were held out.

Notable: a training ends with the honest part. The saved model is measured on the run's own test clips by the path
that ``predict`` uses, from the files and not from the cache, and the report is written.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from muybridge.console import STDERR, progress_on, say
from muybridge.cores import available_cores
from muybridge.dataset.catalog import Clip
from muybridge.dataset.split import Part, Split
from muybridge.errors import UserError
from muybridge.evaluation.artefacts import write_evaluation
from muybridge.evaluation.evaluation import Evaluation, evaluate_predictions
from muybridge.evaluation.plots import plot_curves
from muybridge.files import read_json, write_json
from muybridge.inference.recognizer import Recognizer
from muybridge.jobs.reporting import report
from muybridge.jobs.steps import FITTED_PARTS, DividedClips, divide, predict_labelled
from muybridge.models.heads import require_positions
from muybridge.models.recognizer import RecognizerNet, build
from muybridge.pipeline.activations import ActivationDataset
from muybridge.pipeline.cache import FrameCache
from muybridge.pipeline.device_augment import augments_on_device
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.loading import load_recipe, save_recipe
from muybridge.recipes.recipe import Recipe
from muybridge.text import counted
from muybridge.training.batch_size import largest_batch
from muybridge.training.encoding import FrozenPart, encodes_once
from muybridge.training.fitting import Interrupted, encodes_in_bf16, fit, load_weights
from muybridge.training.rates import check_stages
from muybridge.training.run_folder import RunFolder, describe_environment, write_rows

# Frames of a clip for which memory is reckoned where the sampler has no limit.
LONG_CLIP_FRAMES = 64

StopEarly = Callable[[list[dict[str, Any]]], bool]


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
    divided = divide(clips, recipe.data)
    divided.announce(console)
    return train_divided(divided, recipe, run=Path(run) if run else None, console=console)


def train_divided(
    divided: DividedClips,
    recipe: Recipe,
    *,
    run: Path | None,
    measure: bool = True,
    stop_early: StopEarly | None = None,
    console: Console = STDERR,
) -> TrainResult:
    """Train on clips that are divided already; a sweep uses the same for all its trials.

    Args:
        divided: The clips.
        recipe: The experiment; its ``data`` section says how they were divided.
        run: The run directory to make; default: ``runs/<recipe>-<n>``.
        measure: Whether the test part is measured; a sweep leaves it alone.
        stop_early: Asked after every epoch, with all rows of figures; True ends the training there.
        console: Where progress is printed.

    Raises:
        UserError: For options that make no sense, before anything is written.
        Interrupted: On Ctrl-C; ``resume`` continues.
    """
    recipe.sampler.build()
    split = divided.split
    recipe = replace(recipe, training=recipe.training.resolved(len(split.train)))
    # The network first: without its weights nothing should be written, and no frame decoded.
    net = new_net(recipe, split)
    recipe = resolve_batch_size(recipe, net, len(split.train), console=console)
    folder = RunFolder.create(run, name=recipe.name)
    save_recipe(folder.recipe, recipe)
    split.save(folder.split)
    write_json(folder.environment, describe_environment(clips=divided.path))
    write_json(folder.leak, divided.leak)
    with _resumable(folder):
        return _fit_and_measure(
            folder, recipe, split, net, measure=measure, stop_early=stop_early, console=console, resume=False
        )


def resume(
    run: str | Path, *, measure: bool = True, stop_early: StopEarly | None = None, console: Console = STDERR
) -> TrainResult:
    """Continue an interrupted training; the result is the one it would have had.

    Args:
        run: The run directory.
        measure: Whether the test part is measured.
        stop_early: As in ``train_divided``.
        console: Where progress is printed.

    Raises:
        UserError: If there is no run, or it is damaged.
        Interrupted: On Ctrl-C.
    """
    folder = RunFolder.trained(Path(run))
    recipe, split = load_recipe(str(folder.recipe)), Split.load(folder.split)
    # The checkpoint replaces every weight, so the pretrained ones are needed only where there is none yet.
    net = new_net(recipe, split, weights="none" if folder.last_checkpoint.exists() else None)
    with _resumable(folder):
        return _fit_and_measure(
            folder, recipe, split, net, measure=measure, stop_early=stop_early, console=console, resume=True
        )


@contextmanager
def _resumable(folder: RunFolder) -> Iterator[None]:
    """Ctrl-C while decoding or measuring is an interruption of the run, too."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(folder.path) from None


def new_net(recipe: Recipe, split: Split, *, weights: str | None = None) -> RecognizerNet:
    """The recipe's network with its first weights.

    Raises:
        UserError: If the weights are not to be had, its frames are too small for it, or an option does not fit it.
    """
    torch.manual_seed(recipe.training.seed)
    net = build(recipe.model, len(split.classes), weights=weights)
    if recipe.size_px < net.encoder.minimum_size_px:
        raise UserError(
            f"size_px is {recipe.size_px}; {recipe.model.encoder} needs at least {net.encoder.minimum_size_px}"
        )
    _check_positions(net, recipe)
    check_stages(net, recipe.training)
    encodes_once(net, recipe.cache)
    augments_on_device(recipe.augment, cuda=torch.cuda.is_available())
    return net


def _check_positions(net: RecognizerNet, recipe: Recipe) -> None:
    """A clip too long for the temporal head is told now, not when the first one comes along."""
    if net.head.positions is None:
        return
    frames = recipe.sampler.most_frames
    if frames is None:
        raise UserError(
            f"sampler.kind every with sampler.frames 0 takes clips of any length, and model.head {recipe.model.head} "
            f"has model.head_positions {net.head.positions}; set sampler.frames to the most that a clip may have"
        )
    steps_B = net.step_lengths(torch.tensor([frames]))
    assert steps_B is not None  # given for a number of frames
    require_positions(int(steps_B[0]), net.head.positions)


def resolve_batch_size(recipe: Recipe, net: RecognizerNet, clip_count: int, *, console: Console) -> Recipe:
    """The recipe with a number of clips per step, where it says auto."""
    if recipe.training.batch_size != "auto":
        return recipe
    size, reason = largest_batch(
        net,
        recipe.training,
        frame_count=recipe.sampler.most_frames or LONG_CLIP_FRAMES,
        size_px=recipe.size_px,
        clip_count=clip_count,
    )
    say(console, f"batch size: {size} clips ({reason}); the learning rate stays as it is")
    return replace(recipe, training=replace(recipe.training, batch_size=size))


def _fit_and_measure(
    folder: RunFolder,
    recipe: Recipe,
    split: Split,
    net: RecognizerNet,
    *,
    measure: bool,
    stop_early: StopEarly | None,
    console: Console,
    resume: bool,
) -> TrainResult:
    classes = split.classes
    cache = FrameCache(
        recipe.cache, sampler=recipe.sampler.build(), views=recipe.sampler.training_views, size_px=recipe.size_px
    )
    fitted = {part: split.clips_of(part) for part in FITTED_PARTS}
    failed = decode_once(cache, [clip for clips in fitted.values() for clip in clips], console=console)
    if resume and folder.undecodable.exists():
        _check_unchanged(read_json(folder.undecodable), failed)
    write_json(folder.undecodable, failed)
    datasets: dict[Part, ClipDataset] = {
        part: ClipDataset(
            cache,
            [clip for clip in clips if clip.id not in failed],
            classes=classes,
            augment=recipe.augment if part == "train" else None,
            seed=recipe.training.seed,
        )
        for part, clips in fitted.items()
    }
    _check_enough(datasets["train"], datasets["validation"], classes)

    def after_epoch(rows: list[dict[str, Any]]) -> bool:
        write_rows(folder.metrics, rows)
        return stop_early is not None and stop_early(rows)

    examples: dict[Part, ClipDataset | ActivationDataset] = {**datasets}
    if encodes_once(net, recipe.cache):
        if resume and folder.last_checkpoint.exists():
            load_weights(net, folder.last_checkpoint)  # the frozen part is needed now, before the rest is taken up
        examples = {
            **encode_once(
                datasets,
                FrozenPart(net, bf16=encodes_in_bf16(recipe.training)),
                variants=recipe.cache.variants,
                console=console,
            )
        }
    rows = fit(
        net,
        recipe.training,
        train=examples["train"],
        validation=examples["validation"],
        run=folder,
        console=console,
        on_epoch=after_epoch,
        resume=resume,
    )
    plot_curves(rows, folder.curves, monitor=recipe.training.monitor)
    recognizer = Recognizer(
        net,
        classes=classes,
        sampler=cache.sampler,
        size_px=recipe.size_px,
        windows=recipe.sampler.windows,
        combine=recipe.sampler.combine,
        no_flip_classes=recipe.augment.no_flip_classes,
    )
    recognizer.save(folder.model)
    if not measure:
        return TrainResult(folder.path, None, rows)
    evaluation = _measure_run(folder, split, recognizer, console=console)
    report([folder.path], console=console)
    return TrainResult(folder.path, evaluation, rows)


def _measure_run(folder: RunFolder, split: Split, recognizer: Recognizer, *, console: Console) -> Evaluation | None:
    """Measure a finished training on its own test clips; without test clips no accuracy is claimed."""
    if not split.test:
        say(console, "note: no test clips, so no accuracy is claimed")
        return None
    predictions = predict_labelled(recognizer, split.clips_of("test"), console=console)
    leak = read_json(folder.leak)
    evaluation = evaluate_predictions(predictions, protocol=split.protocol, leak=leak, notes=split.notes)
    write_evaluation(folder.path, predictions, evaluation)
    return evaluation


def decode_once(cache: FrameCache, clips: Sequence[Clip], *, console: Console) -> dict[str, str]:
    """Fill the cache; returns clip id to reason for the clips that do not decode, and prints them."""
    with progress_on(console) as progress:
        task = progress.add_task("decoding once", total=len(clips))
        result = cache.build(
            clips,
            workers=available_cores(),
            on_progress=lambda done, total: progress.update(task, completed=done),
        )
    say(console, f"frames: {result.built} clips decoded, {result.reused} already in {cache.folder}")
    for clip, reason in result.failed.items():
        say(console, f"left out: {clip}: {reason}")
    return result.failed


def encode_once(
    datasets: Mapping[Part, ClipDataset], frozen: FrozenPart, *, variants: int, console: Console
) -> dict[Part, ActivationDataset]:
    """Replace frames by what the frozen part of the network makes of them, computed now where it is not kept yet."""
    encoded = {
        part: ActivationDataset(clips, frozen, identity=frozen.identity, variants=variants)
        for part, clips in datasets.items()
    }
    with progress_on(console) as progress:
        task = progress.add_task("encoding once", total=None)
        computed = 0
        for part in encoded.values():
            computed += part.build(lambda done, total: progress.update(task, completed=done, total=total))
    train = encoded["train"]
    say(
        console,
        f"features: the frozen encoder saw {counted(computed, 'clip')} now, the others are kept from before; "
        f"{train.variants} augmented variants of each training clip take turns",
    )
    return encoded


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
