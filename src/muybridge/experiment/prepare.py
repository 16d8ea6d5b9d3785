"""Getting ready to train: the clips divided, the options checked, the network built, the run directory made.

Notable: nothing is written before everything that can be refused is checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console

from muybridge.console import STDERR, say
from muybridge.dataset.annotations.annotated_clips import told_apart
from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.contents import changed_clips, with_contents
from muybridge.dataset.contradictions import CONTRADICTION, said_of_contradictions
from muybridge.dataset.folds import cross_validation
from muybridge.dataset.labels import settle_alike
from muybridge.dataset.protocols import make_split
from muybridge.dataset.run_clips import require_files, split_of
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.experiment.named_clips import read_clips
from muybridge.experiment.provenance import describe_environment, describe_network
from muybridge.files import write_json
from muybridge.locks import Lock
from muybridge.models.heads.head import require_positions
from muybridge.models.network import RecognizerNet, build
from muybridge.models.weights.origin import weights_origins
from muybridge.pipeline.device_augment import augments_on_device
from muybridge.recipes.cache import CacheConfig
from muybridge.recipes.data import DataConfig
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import load_recipe, save_recipe
from muybridge.runs import RunFolder, name_of
from muybridge.text import counted
from muybridge.training.batch_size import largest_batch
from muybridge.training.checkpoints import mend_checkpoints
from muybridge.training.encoding import encodes_once
from muybridge.training.loggers import LoggerName
from muybridge.training.rates import check_stages

LISTED_TWINS = 5
"""So many sets of byte-identical files are named before a training; a folder can have hundreds."""

# Frames of a clip for which memory is reckoned where the sampler has no limit.
LONG_CLIP_FRAMES = 64


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


@dataclass(frozen=True)
class Experiment:
    """A training that is ready to begin, or to go on.

    Attributes:
        folder: Its run directory.
        recipe: All its options, resolved.
        split: Its clips.
        net: The network with its first weights.
        device: Where it is trained.
        logger: Who gets the figures of every epoch besides metrics.csv; csv: nobody.
        resumes: Whether it goes on from a checkpoint, where there is one.
        folds: For cross-validation, the split of each fold.
        lock: Keeps other processes from writing the run, until whoever fits it releases it.
    """

    folder: RunFolder
    recipe: Recipe
    split: Split
    net: RecognizerNet
    device: torch.device
    logger: LoggerName = "csv"
    resumes: bool = False
    folds: tuple[Split, ...] = ()
    lock: Lock | None = None

    def release(self) -> None:
        """Let other processes write the run again."""
        if self.lock is not None:
            self.lock.release()

    def over(self, split: Split, folder: RunFolder) -> "Experiment":
        """The same training from the start, with other clips and in a folder inside this one's."""
        net = new_net(self.recipe, split, device=self.device)
        return replace(self, folder=folder, split=split, net=net, logger="csv", folds=())


def prepare(
    divided: DividedClips,
    recipe: Recipe,
    *,
    run: Path | None,
    device: torch.device,
    logger: LoggerName = "csv",
    console: Console,
) -> Experiment:
    """Check a recipe against the clips, build its network and make the run directory.

    Args:
        divided: The clips.
        recipe: The experiment; its ``data`` section says how they were divided.
        run: The run directory to make; default: ``runs/<recipe>-<encoder>-<head>-<n>``.
        device: Where it is trained.
        logger: Who gets the figures of every epoch besides metrics.csv.
        console: Where progress is printed.

    Raises:
        UserError: For options that make no sense, before anything is written.
    """
    recipe, net = checked(divided.split, recipe, device=device, console=console)
    # What each file holds is recorded with the run: clips that move are found by it, changed ones are known by it.
    clips = with_contents(divided.split.clips)
    divided = replace(
        divided,
        split=divided.split.with_clips(clips),
        folds=tuple(fold.with_clips(clips) for fold in divided.folds),
    )
    folder, lock = RunFolder.create(run, name=name_of(recipe.name, recipe.model.encoder, recipe.model.head))
    try:
        save_recipe(folder.recipe, recipe)
        divided.split.save(folder.split)
        for fold, inner in zip(divided.folds, folder.folds(len(divided.folds)), strict=True):
            fold.save(inner.split)
        environment = describe_environment(clips=divided.path, device=device) | describe_network(net)
        write_json(folder.environment, environment)
        write_json(folder.leak, divided.leak)  # the last: with it there is all that a resume needs
    except BaseException:
        lock.release()
        raise
    return Experiment(folder, recipe, divided.split, net, device, logger, folds=divided.folds, lock=lock)


def reopen(
    run: Path,
    *,
    device: torch.device,
    logger: LoggerName = "csv",
    clips_root: str | Path | None = None,
    console: Console = STDERR,
) -> Experiment:
    """Take up the run directory of a training that was interrupted; it may go on on another device.

    Where its clips were moved, ``clips_root`` is the folder that holds them now, and the run remembers it.

    Raises:
        UserError: If there is no run, it or a checkpoint is damaged, or a clip is not what it was.
    """
    folder = RunFolder.trained(run)
    lock = folder.lock()
    try:
        recipe, split = load_recipe(str(folder.recipe)), split_of(folder, clips_root)
        fitted = [*split.clips_of("train"), *split.clips_of("validation")]  # of all folds together every clip is tested
        require_files(fitted or split.clips, run=folder.path)
        _require_unchanged(folder, split)
        mend_checkpoints(folder, console=console)
        # The checkpoint replaces every weight, so the pretrained ones are needed only where there is none yet.
        net = new_net(recipe, split, device=device, weights="none" if folder.last_checkpoint.exists() else None)
        inner_folders = folder.folds(recipe.data.folds)
        folds = tuple(split_of(inner, clips_root) for inner in inner_folders)
        if clips_root is not None:
            for found, place in zip((split, *folds), (folder, *inner_folders), strict=True):
                found.save(place.split)
    except BaseException:
        lock.release()
        raise
    return Experiment(folder, recipe, split, net, device, logger, resumes=True, folds=folds, lock=lock)


def _require_unchanged(folder: RunFolder, split: Split) -> None:
    """Refuse to go on with a training some of whose clips are not those that it began with."""
    changed = changed_clips(split.clips)
    if changed:
        raise UserError(
            f"{counted(len(changed), 'clip')} of {folder.path} changed since it began, for example {changed[0].path}; "
            "put back the files that it began with, or train a new run"
        )


def checked(split: Split, recipe: Recipe, *, device: torch.device, console: Console) -> tuple[Recipe, RecognizerNet]:
    """The recipe with every number resolved, and its network.

    Raises:
        UserError: For options that make no sense for these clips.
    """
    clip_count = len(split.train) or len(split.test)  # of all folds together every clip is a test clip
    recipe = replace(recipe, training=recipe.training.resolved(clip_count))
    # The network first: without its weights nothing should be written, and no frame decoded.
    net = new_net(recipe, split, device=device)
    if net.config.encoder != recipe.model.encoder:
        say(
            console,
            f"encoder: {net.config.encoder} in place of {recipe.model.encoder}, whose weights are not available",
        )
        recipe = replace(recipe, model=net.config)
    say(console, f"network: {_in_words(net.config)}")
    return resolve_batch_size(recipe, net, clip_count, device=device, console=console), net


def _in_words(model: ModelConfig) -> str:
    """A network in one line: its encoder, what that was trained on, how much of it learns, and the head."""
    known = dict.fromkeys(origin.trained_on or origin.file for origin in weights_origins(model))
    trained = f", trained on {' and '.join(known)}" if known else ", untrained"
    learns = {"none": ", frozen", "all": ""}.get(model.layers_to_train, f", {model.layers_to_train} layers learn")
    return f"{model.encoder}{trained}{learns}; head {model.head}"


def new_net(recipe: Recipe, split: Split, *, device: torch.device, weights: str | None = None) -> RecognizerNet:
    """The recipe's network with its first weights.

    Raises:
        UserError: If the weights are not available, its frames are too small for it, or an option does not fit it.
    """
    torch.manual_seed(recipe.training.seed)
    net = build(recipe.model, len(split.classes), weights=weights)
    if recipe.size_px < net.encoder.minimum_size_px:
        raise UserError(
            f"size_px is {recipe.size_px}; {recipe.model.encoder} needs {net.encoder.minimum_size_px} or more"
        )
    net.encoder.check_input(size_px=recipe.size_px, frame_count=recipe.sampler.most_frames)
    _check_positions(net, recipe)
    check_stages(net, recipe.training)
    encodes_once(net, recipe.cache)
    augments_on_device(recipe.augment, cuda=device.type == "cuda")
    return net


def _check_positions(net: RecognizerNet, recipe: Recipe) -> None:
    """Refuse clips too long for the temporal head now, not when the first one comes along."""
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


def resolve_batch_size(
    recipe: Recipe, net: RecognizerNet, clip_count: int, *, device: torch.device, console: Console
) -> Recipe:
    """The recipe with a number of clips per step, where it says auto."""
    if recipe.training.batch_size != "auto":
        return recipe
    size, reason = largest_batch(
        net,
        recipe.training,
        frame_count=recipe.sampler.most_frames or LONG_CLIP_FRAMES,
        size_px=recipe.size_px,
        clip_count=clip_count,
        device=device,
    )
    say(console, f"batch size: {size} clips ({reason}); the learning rate stays as it is")
    return replace(recipe, training=replace(recipe.training, batch_size=size))
