"""Getting ready to train: the options checked, the network built, the run directory made or taken up.

Notable: nothing is written before everything that can be refused is checked.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console

from muybridge.console import STDERR, say
from muybridge.dataset.recorded import changed_clips, with_contents
from muybridge.dataset.run_clips import folds_of, require_files, split_of
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.experiment.dividing import DividedClips
from muybridge.experiment.frame_source import stream_of
from muybridge.experiment.kept_features import require_features
from muybridge.experiment.provenance import describe_environment, describe_network
from muybridge.files import write_json
from muybridge.locks import Lock
from muybridge.models.heads.head import require_positions
from muybridge.models.network import RecognizerNet, build
from muybridge.models.weights.origin import weights_origins
from muybridge.pipeline.device_augment import augments_on_device
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import load_recipe, save_recipe
from muybridge.runs import RunFolder, name_of
from muybridge.text import counted
from muybridge.training.checkpoint_files import mend_checkpoints
from muybridge.training.encoding import encodes_once
from muybridge.training.loggers import LoggerName
from muybridge.training.rates import check_stages
from muybridge.video.hardware import require_decoder

# Frames of a clip for which memory is reckoned where the sampler has no limit.
LONG_CLIP_FRAMES = 64


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
        folds = folds_of(folder, split, recipe.data.folds)
        if clips_root is not None:
            for found, place in zip((split, *folds), (folder, *folder.folds(len(folds))), strict=True):
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
    require_decoder(recipe.data.decoder)
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
    require_features(recipe, net, device=device)
    recipe = resolve_batch_size(recipe, net, clip_count, device=device, console=console)
    stream_of(recipe, split.clips, net)  # refuses what cannot be streamed before anything is written
    return recipe, net


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
    return net_for(recipe, len(split.classes), device=device, weights=weights)


def net_for(recipe: Recipe, class_count: int, *, device: torch.device, weights: str | None = None) -> RecognizerNet:
    """The same for a number of classes."""
    torch.manual_seed(recipe.training.seed)
    net = build(recipe.model, class_count, weights=weights)
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
    from muybridge.training.batch_size import largest_batch  # Lightning takes two seconds

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
