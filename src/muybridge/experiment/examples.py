"""The clips of an experiment as what is trained on: decoded once, and encoded once where the encoder is frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console

from muybridge import ranks
from muybridge.console import progress_on, say
from muybridge.dataset.catalog import Clip
from muybridge.dataset.split import FITTED_PARTS, Part
from muybridge.errors import UserError
from muybridge.experiment.kept_features import draws, take_features
from muybridge.experiment.prepare import Experiment
from muybridge.files import write_json
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.activations import ActivationDataset
from muybridge.pipeline.cache_records import record_entries
from muybridge.pipeline.frame_cache import BuildResult, FrameCache
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.recipe import Recipe
from muybridge.run_schemas import RUN_WROTE, Reasons
from muybridge.schemas import read
from muybridge.text import counted
from muybridge.training.encoding import FrozenPart, encodes_once
from muybridge.training.fitting import encodes_in_bf16

Kept = ClipDataset | ActivationDataset
"""Clips as frames, or as what the frozen part of the network makes of them."""


@dataclass(frozen=True)
class Decoded:
    """Clips whose frames are in the cache.

    Attributes:
        clips: The clips that decode.
        failed: Clip id to reason, for those that do not.
    """

    clips: ClipDataset
    failed: Mapping[str, str]


def frame_cache(recipe: Recipe) -> FrameCache:
    """The cache of the frames that a recipe's training sees."""
    return FrameCache(
        recipe.cache,
        sampler=recipe.sampler.build(),
        views=recipe.sampler.training_views,
        size_px=recipe.size_px,
        fit=recipe.fit,
    )


def fitted_clips(experiment: Experiment, cache: FrameCache, *, console: Console) -> dict[Part, ClipDataset]:
    """The training and validation clips that decode; the others are named and written down.

    Raises:
        UserError: If a resumed training cannot read what it began with, a class has no training clip that decodes, or
            of the validation clips none does.
    """
    folder, split = experiment.folder, experiment.split
    fitted = {part: split.clips_of(part) for part in FITTED_PARTS}
    failed = _ready(experiment, cache, [clip for clips in fitted.values() for clip in clips], console=console)
    if experiment.resumes and folder.undecodable.exists():
        _check_unchanged(read(folder.undecodable, Reasons, hint=RUN_WROTE), failed)
    write_json(folder.undecodable, failed)
    datasets: dict[Part, ClipDataset] = {
        part: clip_dataset(experiment, cache, [clip for clip in clips if clip.id not in failed], part=part)
        for part, clips in fitted.items()
    }
    _check_enough(experiment, datasets["train"], datasets["validation"])
    return datasets


def clip_dataset(experiment: Experiment, cache: FrameCache, clips: Sequence[Clip], *, part: Part) -> ClipDataset:
    """Clips that decode as examples; those of the training part are augmented, if the recipe does."""
    recipe = experiment.recipe
    return ClipDataset(
        cache,
        clips,
        classes=experiment.split.classes,
        augment=recipe.augment if part == "train" and draws(recipe) else None,
        seed=recipe.training.seed,
    )


def other_clips(experiment: Experiment, clips: Sequence[Clip], *, console: Console) -> Decoded:
    """Clips outside the fitted parts, as the network sees them when it is used."""
    cache = frame_cache(experiment.recipe)
    failed = _ready(experiment, cache, clips, console=console)
    decodable = [clip for clip in clips if clip.id not in failed]
    return Decoded(clip_dataset(experiment, cache, decodable, part="test"), failed)


def _ready(experiment: Experiment, cache: FrameCache, clips: Sequence[Clip], *, console: Console) -> dict[str, str]:
    """Decode the clips whose features are not given; returns clip id to reason for those that do not decode."""
    given = take_features(experiment.recipe, experiment.net, cache, clips, device=experiment.device, console=console)
    rest = [clip for clip in clips if clip.id not in given.there and clip.id not in given.failed]
    return given.failed | (decode_once(cache, rest, console=console) if rest or not clips else {})


def decode_once(cache: FrameCache, clips: Sequence[Clip], *, console: Console) -> dict[str, str]:
    """Fill the cache; returns clip id to reason for the clips that do not decode, and prints them."""
    with progress_on(console) as progress:
        task = progress.add_task("decoding once", total=len(clips))
        try:
            report = {"on_progress": lambda done, total: progress.update(task, completed=done)}
            result = ranks.together(_decode_share, cache, clips, first=report)
        finally:  # what is kept of an interrupted training has its record, too
            if clips and cache.paths:
                record_entries(cache.folder, clips[0].root, cache.paths)
    say(console, f"frames: {result.built} clips decoded, {result.reused} already in {cache.folder}")
    for clip, reason in result.failed.items():
        say(console, f"left out: {clip}: {reason}")
    return result.failed


def _decode_share(cache: FrameCache, clips: Sequence[Clip], **report: Any) -> BuildResult:
    return cache.build(clips, workers=ranks.own_cores(), **report)


def _encode_share(examples: ActivationDataset, **report: Any) -> int:
    return examples.build(**report)


def encoded(
    datasets: Mapping[Part, ClipDataset],
    net: RecognizerNet,
    recipe: Recipe,
    *,
    variants: int,
    device: torch.device,
    console: Console,
) -> Mapping[Part, Kept]:
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
        for examples in kept.values():
            if len(examples):
                record_entries(examples.clips.cache.folder, examples.clips.examples[0][0].root, examples.paths)
            report = {"on_progress": lambda done, total: progress.update(task, completed=done, total=total)}
            computed += ranks.together(_encode_share, examples, first=report)
    variants = max(examples.variants for examples in kept.values())
    turns = f"; {variants} augmented variants of each training clip take turns" if variants > 1 else ""
    entry = next((examples.describe_entry() for examples in kept.values() if len(examples)), "")
    say(
        console,
        f"features: the frozen encoder saw {counted(computed, 'clip')} now, the others are kept from before{turns}; "
        f"{entry}",
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


def _check_enough(experiment: Experiment, train: ClipDataset, validation: ClipDataset) -> None:
    split = experiment.split
    to_learn = {clip.label for clip in split.clips_of("train")}
    empty = [name for number, name in enumerate(split.classes) if name in to_learn and number not in train.labels]
    if empty:
        raise UserError(f"no training clip of {', '.join(empty)} decodes; run muybridge check to see why")
    if split.validation and not len(validation):
        raise UserError("no validation clip decodes; run muybridge check to see why")
