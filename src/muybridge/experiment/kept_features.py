"""Features that `muybridge encode` made, in place of decoding and encoding clips.

A row has the name that the cache would give to the features of its clip: a hash over what the file holds, which frames
are taken, and the weights. So a row is that of a clip or it is not, and nothing else has to agree. What is taken goes
into the cache, where training looks for it.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from muybridge.console import progress_on, say
from muybridge.dataset.catalog import Clip
from muybridge.dataset.shard_index import ShardIndex, arrow, holds_shards
from muybridge.errors import UserError
from muybridge.experiment.feature_shards import read_feature_index, rows_of
from muybridge.models.network import RecognizerNet
from muybridge.pieces.answer_place import SUCCESS_FILE, AnswerPlace
from muybridge.pipeline.activations import activation_key
from muybridge.pipeline.batches import Activations
from muybridge.pipeline.cache_file import write_cache_file
from muybridge.pipeline.cache_folder import FEATURES_SUFFIX, entry_path, make_room
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.recipes.recipe import Recipe
from muybridge.storage.reaching import reaching
from muybridge.storage.urls import url_at
from muybridge.text import counted, one_line
from muybridge.training.encoding import FrozenPart, encodes_once
from muybridge.training.precision import encodes_in_bf16

KIND = "features"
_AGAIN = "run muybridge encode again"


@dataclass(frozen=True)
class Given:
    """Clips of which features are given.

    Attributes:
        there: The ids of those whose features are in the cache now.
        failed: Clip id to reason, for those that did not decode when they were encoded.
    """

    there: Collection[str] = frozenset()
    failed: dict[str, str] = field(default_factory=dict)


def draws(recipe: Recipe) -> bool:
    """Whether training clips are changed at random; if not, what is kept of a clip is the same in every part."""
    return not recipe.augment.is_off or (recipe.sampler.training_views or 1) > 1


def frozen_part(recipe: Recipe, net: RecognizerNet, *, device: torch.device) -> FrozenPart:
    """What makes features of clips.

    Raises:
        UserError: The recipe's features are not the same in every epoch, or there are none.
    """
    if not encodes_once(net, recipe.cache):
        raise UserError(
            f"features need a frozen encoder, and this one learns (model.trainable {net.config.layers_to_train}); set "
            "it to none"
        )
    if draws(recipe):
        raise UserError(
            "features are of clips as they are, and this recipe changes them at random; set augment.flip false and the "
            "rest of augment to 0, and sampler.jitter to 1"
        )
    if recipe.sampler.training_views is None:
        raise UserError("features are of one view of a clip; set sampler.windows to one")
    if recipe.cache.format != "raw":
        raise UserError("features are of frames as they are; set cache.format to raw")
    return FrozenPart(net, bf16=encodes_in_bf16(recipe.training, device), device=device)


def feature_name(identity: str, frames_key: str) -> str:
    """The name of the features of a clip in the cache.

    Args:
        identity: Of the frozen part.
        frames_key: Of the clip's frames.
    """
    return activation_key(identity, {"frames": frames_key, "view": None, "draw": None})


def require_features(recipe: Recipe, net: RecognizerNet, *, device: torch.device) -> None:
    """Make sure that the features that a recipe names are those of its encoder.

    Raises:
        UserError: They are not, are not there, or not complete.
    """
    if recipe.cache.features_from:
        if _are_shards(recipe.cache.features_from):
            _shards(recipe.cache.features_from, frozen_part(recipe, net, device=device).identity)
            return
        _parts(AnswerPlace(recipe.cache.features_from), frozen_part(recipe, net, device=device).identity)


def take_features(
    recipe: Recipe,
    net: RecognizerNet,
    cache: FrameCache,
    clips: Sequence[Clip],
    *,
    device: torch.device,
    console: Console,
) -> Given:
    """Put the features of clips that a recipe names into the cache.

    Args:
        recipe: The training; where it names no features, nothing is done.
        net: Its network.
        cache: Of its frames, which learns the keys of these clips.
        clips: The clips.
        device: Where it is trained.
        console: Where progress is printed.

    Raises:
        UserError: The features are damaged, or need more room than there is.
    """
    if not recipe.cache.features_from or not clips:
        return Given()
    place, identity = recipe.cache.features_from, frozen_part(recipe, net, device=device).identity
    if _are_shards(place):
        index = _shards(place, identity)
        plan, source = f"shards {place}", partial(_from_shards, index, cache, console)
    else:
        answers = AnswerPlace(place)
        plan, parts = _parts(answers, identity)
        source = partial(_from_parts, answers, parts, console)
    known = _known.setdefault(plan, {})
    keys = {clip.id: key for clip in clips if (key := cache.key_of(clip)) is not None}
    cache.expect(keys)
    names: dict[str, list[str]] = {}  # clips that are the same bytes have one entry
    for id, key in keys.items():
        names.setdefault(feature_name(identity, key), []).append(id)
    paths = {name: entry_path(cache.folder, name, FEATURES_SUFFIX) for name in names}
    there = {name for name, path in paths.items() if path.exists()}
    failed: dict[str, str] = {}
    missing = names.keys() - there
    taken = 0
    if missing - known.keys():
        for name, found in source(missing):
            if isinstance(found, str):
                known[name] = found
                continue
            if taken == 0:
                make_room(
                    cache.folder,
                    missing_bytes=found.activations.nbytes * len(missing),
                    mine=list(paths.values()),
                    budget_bytes=cache.budget_bytes,
                    advice="",
                )
            write_cache_file(paths[name], found.activations, {"frame_count": found.frame_count})
            there.add(name)
            taken += 1
        for name in missing - there:
            known.setdefault(name, None)
    for name in missing:
        if (reason := known.get(name)) is not None:
            failed |= dict.fromkeys(names[name], reason)
    ids = {id for name in there for id in names[name]}
    others = len(clips) - len(ids) - len(failed)
    rest = f"; {counted(others, 'clip')} not among them" if others else ""
    say(console, f"features: {counted(taken, 'clip')} taken from {place}, {len(there) - taken} there already{rest}")
    for id, reason in failed.items():
        say(console, f"left out: {id}: {reason}")
    return Given(ids, failed)


@dataclass(frozen=True, eq=False)
class _Found:
    """Features of a clip, and of how many frames."""

    activations: Activations
    frame_count: int


def _from_parts(
    place: AnswerPlace, parts: Sequence[str], console: Console, wanted: Collection[str]
) -> Iterator[tuple[str, _Found | str]]:
    """Names and what `encode` wrote of them: features, or why there are none."""
    with progress_on(console) as progress:
        for part in progress.track(parts, description="reading features"):
            for name, row in _rows(place, part, wanted):
                if row["error"] is not None:
                    yield name, str(row["error"])
                else:
                    yield name, _Found(_activations(place, part, row), int(row["frame_count"]))


def _from_shards(
    index: ShardIndex, cache: FrameCache, console: Console, wanted: Collection[str]
) -> Iterator[tuple[str, _Found | str]]:
    """Names and features in shards."""
    with progress_on(console) as progress:
        rows = rows_of(index, wanted, cache)
        for name, frame_count, array in progress.track(rows, description="reading features", total=len(wanted)):
            yield name, _Found(array, frame_count)


def _are_shards(place: str) -> bool:
    with reaching(url_at(place)):
        return holds_shards(Path(place))


def _shards(place: str, identity: str) -> ShardIndex:
    """The index of shards of features of an encoder.

    Raises:
        UserError: There are none, or not of this encoder.
    """
    index = read_feature_index(Path(place))
    if index.encoder != identity:
        raise UserError(_OTHER_ENCODER.format(place=place))
    return index


_OTHER_ENCODER = (
    "the features of {place} are of another encoder, other weights, or another precision than this training uses; "
    "encode the clips with its recipe, or leave the features out"
)

_known: dict[str, dict[str, str | None]] = {}
"""By plan and name: why a clip has no features, or None for one that the plan does not hold. So the trainings of one
process, such as those of folds, look through them once."""


def _parts(place: AnswerPlace, identity: str) -> tuple[str, list[str]]:
    """What names some features, and their files.

    Raises:
        UserError: There are none, or not of this encoder.
    """
    with reaching(place.url):
        data = place.read(SUCCESS_FILE)
    if data is None:
        raise UserError(f"{place} holds no features to the end: there is no {SUCCESS_FILE}; {_AGAIN}")
    try:
        about = json.loads(data)
        kind, encoder, plan, parts = about["kind"], about.get("encoder"), str(about["plan"]), sorted(about["parts"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{place}/{SUCCESS_FILE} is damaged ({one_line(error)}); {_AGAIN}") from None
    if kind != KIND:
        raise UserError(f"{place} holds {kind}; name a folder or URL that muybridge encode made")
    if encoder != identity:
        raise UserError(_OTHER_ENCODER.format(place=place))
    if any(Path(part).name != part for part in parts):
        raise UserError(f"{place}/{SUCCESS_FILE} is damaged: it names what is no part; {_AGAIN}")
    return plan, parts


def _rows(place: AnswerPlace, part: str, wanted: Collection[str]) -> list[tuple[str, dict[str, Any]]]:
    """The rows of a file that are wanted, with their names."""
    pa = arrow()
    try:
        data = place.read(part)
        if data is None:
            raise UserError(f"{place}/{part} is missing; {_AGAIN}")
        table = pa.parquet.read_table(
            BytesIO(data),
            columns=["key", "frame_count", "shape", "features", "error"],
            page_checksum_verification=True,
        )
        keys = table.column("key").to_pylist()
        places = [number for number, key in enumerate(keys) if key in wanted]
        if not places:
            return []
        chosen = table.take(places).combine_chunks()
        plain = chosen.select(["frame_count", "shape", "error"]).to_pylist()
        features = chosen.column("features").combine_chunks()
        for number, row in enumerate(plain):
            row["features"] = None if row["error"] is not None else features[number].values.to_numpy()
        return [(keys[number], row) for number, row in zip(places, plain, strict=True)]
    except (pa.ArrowException, OSError, ValueError, KeyError, AttributeError) as error:
        raise UserError(f"{place}/{part} is damaged or cannot be read ({one_line(error)}); {_AGAIN}") from error


def _activations(place: AnswerPlace, part: str, row: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float16]]:
    """The features of a row."""
    try:
        activations = np.asarray(row["features"], dtype=np.float16).reshape(row["shape"])
        if activations.ndim < 2 or not activations.size or not np.isfinite(activations).all():
            raise ValueError("features that no encoder makes")
        if not row["frame_count"] or row["frame_count"] < 1:
            raise ValueError("no number of frames")
    except (ValueError, TypeError) as error:
        raise UserError(f"{place}/{part} is damaged ({one_line(error)}); {_AGAIN}") from None
    return activations
