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
from muybridge.experiment.frame_source import frames_of
from muybridge.experiment.kept_features import draws, take_features
from muybridge.experiment.prepare import Experiment
from muybridge.files import write_json
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.activations import ActivationDataset
from muybridge.pipeline.cache_records import record_entries
from muybridge.pipeline.frame_cache import BuildResult, FrameCache, place_in_shard, reading_threads
from muybridge.pipeline.frame_stream import FrameStream
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.recipe import Recipe
from muybridge.run_schemas import RUN_WROTE, Reasons
from muybridge.schemas import read
from muybridge.text import counted
from muybridge.training.encoding import FrozenPart, encodes_once
from muybridge.training.precision import encodes_in_bf16

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


def fitted_clips(experiment: Experiment, cache: FrameCache, *, console: Console) -> dict[Part, ClipDataset]:
    """The training and validation clips that decode; the others are named and written down.

    Of clips that are streamed to be encoded once this is known when they are encoded: see ``fitted_examples``.

    Raises:
        UserError: If a resumed training cannot read what it began with, a class has no training clip that decodes, or
            of the validation clips none does.
    """
    folder, split = experiment.folder, experiment.split
    fitted = {part: split.clips_of(part) for part in FITTED_PARTS}
    before = None
    if experiment.resumes and folder.undecodable.exists():
        before = read(folder.undecodable, Reasons, hint=RUN_WROTE)
    clips = [clip for clips in fitted.values() for clip in clips]
    failed = _ready(experiment, cache, clips, before=before, console=console)
    if before is not None:
        _check_unchanged(before, failed)
    write_json(folder.undecodable, failed)
    datasets: dict[Part, ClipDataset] = {
        part: clip_dataset(experiment, cache, [clip for clip in clips if clip.id not in failed], part=part)
        for part, clips in fitted.items()
    }
    _check_enough(experiment, datasets["train"], datasets["validation"])
    return datasets


def fitted_examples(
    experiment: Experiment, datasets: Mapping[Part, ClipDataset], *, console: Console
) -> Mapping[Part, Kept]:
    """Training and validation clips as what is trained on; of a stream, those that do not decode are left out now.

    Raises:
        UserError: If a resumed training cannot read what it began with, a class has no training clip that decodes, or
            of the validation clips none does.
    """
    recipe, net = experiment.recipe, experiment.net
    kept = encoded(datasets, net, recipe, variants=recipe.cache.variants, device=experiment.device, console=console)
    lost = {part: len(datasets[part]) - len(kept[part]) for part in kept}
    if any(lost.values()):
        undecodable = experiment.folder.undecodable
        before = read(undecodable, Reasons, hint=RUN_WROTE)
        reasons = {**before, **kept["train"].left_out, **kept["validation"].left_out}
        if experiment.resumes and experiment.folder.last_checkpoint.exists():
            _check_unchanged(before, reasons)
        write_json(undecodable, reasons)
        _check_enough(experiment, kept["train"], kept["validation"])
    return kept


def clip_dataset(experiment: Experiment, cache: FrameCache, clips: Sequence[Clip], *, part: Part) -> ClipDataset:
    """Clips that decode as examples; those of the training part are augmented, if the recipe does."""
    recipe = experiment.recipe
    # In whatever order it is read without shuffling, shards come front to back. What is encoded once stays as it is, so
    # that features and their training are those of clips whose frames are kept.
    if isinstance(cache, FrameStream) and not encodes_once(experiment.net, recipe.cache):
        clips = sorted(clips, key=place_in_shard)
    return ClipDataset(
        cache,
        clips,
        classes=experiment.split.classes,
        augment=recipe.augment if part == "train" and draws(recipe) else None,
        seed=recipe.training.seed,
    )


def other_clips(experiment: Experiment, clips: Sequence[Clip], *, console: Console) -> Decoded:
    """Clips outside the fitted parts, as the network sees them when it is used."""
    cache = frames_of(experiment.recipe, experiment.split.clips, experiment.net, console=Console(quiet=True))
    failed = _ready(experiment, cache, clips, console=console)
    decodable = [clip for clip in clips if clip.id not in failed]
    return Decoded(clip_dataset(experiment, cache, decodable, part="test"), failed)


def _ready(
    experiment: Experiment,
    cache: FrameCache,
    clips: Sequence[Clip],
    *,
    before: Mapping[str, str] | None = None,
    console: Console,
) -> dict[str, str]:
    """Decode the clips whose features are not given; returns clip id to reason for those that do not decode.

    ``before`` is what a training that is resumed found then: clips that are streamed are not read again for it.
    """
    given = take_features(experiment.recipe, experiment.net, cache, clips, device=experiment.device, console=console)
    rest = [clip for clip in clips if clip.id not in given.there and clip.id not in given.failed]
    if isinstance(cache, FrameStream) and (before is not None or encodes_once(experiment.net, experiment.recipe.cache)):
        return given.failed | dict(before or {})
    return given.failed | (decode_once(cache, rest, console=console) if rest or not clips else {})


def decode_once(cache: FrameCache, clips: Sequence[Clip], *, console: Console) -> dict[str, str]:
    """Fill the cache; returns clip id to reason for the clips that do not decode, and prints them."""
    streams = isinstance(cache, FrameStream)
    with progress_on(console) as progress:
        task = progress.add_task("reading once" if streams else "decoding once", total=len(clips))
        try:
            report = {"on_progress": lambda done, total: progress.update(task, completed=done)}
            result = ranks.together(_decode_share, cache, clips, first=report)
        finally:  # what is kept of an interrupted training has its record, too
            if clips and cache.paths:
                record_entries(cache.folder, clips[0].root, cache.paths)
    if streams:
        say(console, f"frames: {result.built} clips decode; none are kept")
    else:
        say(console, f"frames: {result.built} clips decoded, {result.reused} already in {cache.folder}")
    for clip, reason in result.failed.items():
        say(console, f"left out: {clip}: {reason}")
    return result.failed


def _decode_share(cache: FrameCache, clips: Sequence[Clip], **report: Any) -> BuildResult:
    return cache.build(clips, workers=reading_threads(clips, ranks.own_cores()), **report)


def _encode_share(examples: ActivationDataset, **report: Any) -> tuple[int, dict[str, str]]:
    return examples.build(**report), examples.failed


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
    kept: dict[Part, ActivationDataset] = {}
    computed = 0
    with progress_on(console) as progress:
        task = progress.add_task("encoding once", total=None)
        report = {"on_progress": lambda done, total: progress.update(task, completed=done, total=total)}
        for part, clips in datasets.items():
            left_out: dict[str, str] = {}
            while True:
                examples = ActivationDataset(clips, frozen, identity=frozen.identity, variants=variants)
                if len(examples):
                    record_entries(clips.cache.folder, clips.examples[0][0].root, examples.paths)
                found, failed = ranks.together(_encode_share, examples, first=report)
                computed += found
                if not failed:
                    break
                # Draws go by a clip's number, so what stands behind one that is left out may have to be computed anew.
                left_out |= failed
                clips = clips.without(failed)
            kept[part] = examples
            examples.left_out = left_out
            for id, reason in left_out.items():
                say(console, f"left out: {id}: {reason}")
    variants = max(examples.variants for examples in kept.values())
    turns = f"; {variants} augmented variants of each training clip take turns" if variants > 1 else ""
    entry = next((examples.describe_entry() for examples in kept.values() if len(examples)), "")
    say(
        console,
        f"features: the frozen encoder saw {counted(computed, 'clip')} now, the others are kept from before{turns}; "
        f"{entry}",
    )
    return kept


def _check_unchanged(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """A resumed training must see the clips that it began with."""
    lost = sorted(now.keys() - before.keys())
    if lost:
        raise UserError(
            f"{len(lost)} clips that this run began with cannot be read now, for example {lost[0]}: {now[lost[0]]}; "
            "put them back to resume"
        )


def _check_enough(experiment: Experiment, train: Kept, validation: Kept) -> None:
    split = experiment.split
    to_learn = {clip.label for clip in split.clips_of("train")}
    empty = [name for number, name in enumerate(split.classes) if name in to_learn and number not in train.labels]
    if empty:
        raise UserError(f"no training clip of {', '.join(empty)} decodes; run muybridge check to see why")
    if split.validation and not len(validation):
        raise UserError("no validation clip decodes; run muybridge check to see why")
