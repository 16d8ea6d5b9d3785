"""Encoding many clips with a recipe's frozen encoder: the work behind `encode`, and behind shards of features."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.locating import is_folder
from muybridge.dataset.shard_index import arrow
from muybridge.errors import UserError, VideoError
from muybridge.experiment.frame_source import frame_cache
from muybridge.experiment.kept_features import KIND, feature_name, frozen_part
from muybridge.experiment.prepare import net_for
from muybridge.pieces.answer_place import AnswerPlace
from muybridge.pieces.planning import Item, make_plan
from muybridge.pieces.whole_job import ManyResult, On, answer_all
from muybridge.pieces.working import MakeWork, Row
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import load_recipe
from muybridge.remote_runs import local_run
from muybridge.runs import RunFolder
from muybridge.storage.urls import is_url
from muybridge.system import resolve_device
from muybridge.training.encoding import FrozenPart


def encode_catalog(
    recipe: Recipe,
    catalog: Catalog,
    place: AnswerPlace,
    *,
    on: On,
    device: str,
    part_clips: int | None = None,
    console: Console,
) -> ManyResult:
    """Write what a recipe's frozen encoder makes of clips; a call that was killed is gone on with.

    Args:
        recipe: The recipe.
        catalog: The clips.
        place: Where the rows go.
        on: ``local`` or ``ray``.
        device: Where torch computes.
        part_clips: How many clips a file holds; default: by their number.
        console: Where progress is printed.

    Raises:
        UserError: If the encoder is not frozen, there are no clips, or ``place`` is that of something else.
        OSError: If a file cannot be written.
    """
    make = _MakeEncoding(recipe, len(catalog.classes))
    work = make(device)
    about = {
        "kind": KIND,
        "encoder": work.identity,
        "frames": {"sampler": recipe.sampler.build().to_dict(), "size_px": recipe.size_px, "fit": recipe.fit},
    }
    items = [Item.of(clip, name=clip.id) for clip in catalog.clips]
    plan = make_plan(items, about, piece_clips=part_clips)
    used: MakeWork = replace(make, identity=work.identity)
    if on == "local":
        used = lambda device: work  # noqa: E731 - it is made already
    return answer_all(plan, place, used, schema=_schema(), on=on, device=device, console=console)


def recipe_to_encode(recipe: Recipe | str | Path) -> Recipe:
    """A recipe, by its name or file, or that of a run."""
    if isinstance(recipe, Recipe):
        return recipe
    if is_url(str(recipe)) or is_folder(Path(recipe)):
        return load_recipe(str(RunFolder.trained(local_run(Path(recipe))).recipe))
    return load_recipe(str(recipe))


@dataclass(frozen=True)
class _MakeEncoding:
    """Makes the work in any process.

    Attributes:
        recipe: Whose encoder it is.
        class_count: Of the clips; the network is that of a training on them.
        identity: What the frozen part computes in the process that planned; empty: it is not known yet.
    """

    recipe: Recipe
    class_count: int
    identity: str = ""

    def __call__(self, device: str) -> "_Encoding":
        """Build the network.

        Raises:
            UserError: Its encoder is not frozen, or not that of the plan.
        """
        chosen = resolve_device(device)
        net = net_for(self.recipe, self.class_count, device=chosen)
        frozen = frozen_part(self.recipe, net.eval(), device=chosen)
        if self.identity not in ("", frozen.identity):
            raise UserError(
                "a worker computes other features than the machine that planned: its weights differ, or one computes "
                "in bf16 and the other does not; set training.precision to 32"
            )
        return _Encoding(self.recipe, frozen)


class _Encoding:
    """What is done with each clip.

    Attributes:
        identity: Names what the frozen part computes.
        workers: See `Work`.
    """

    def __init__(self, recipe: Recipe, frozen: FrozenPart) -> None:
        self.identity = frozen.identity
        self.workers = frozen.workers
        self._frozen = frozen
        self._cache = frame_cache(recipe)

    def decode(self, item: Item) -> np.ndarray[Any, np.dtype[np.uint8]] | VideoError:
        """The frames that training sees."""
        try:
            sampled = self._cache.decoded(item.clip)
        except VideoError as error:
            return error
        return sampled.frames_THWC[sampled.views[len(sampled.views) // 2]]

    def compute(self, decoded: Sequence[np.ndarray[Any, np.dtype[np.uint8]]]) -> list[Row]:
        """Features as training keeps them; clips of one length are computed together."""
        rows: dict[int, Row] = {}
        for length in dict.fromkeys(map(len, decoded)):
            places = [place for place, frames_THWC in enumerate(decoded) if len(frames_THWC) == length]
            with np.errstate(over="ignore"):
                kept = self._frozen(np.stack([decoded[place] for place in places])).astype(np.float16)
            if not np.isfinite(kept).all():
                raise UserError("the encoder's features exceed 16-bit floats; train with cache.features off")
            for place, activations in zip(places, kept, strict=True):
                rows[place] = {
                    "frame_count": length,
                    "shape": list(activations.shape),
                    "features": activations.ravel(),
                }
        return [rows[place] for place in range(len(decoded))]

    def describe(self, item: Item) -> Row:
        """What is known of a clip."""
        clip: Clip = item.clip
        key = self._cache.key_of(clip)
        return {
            "clip": item.name,
            **clip.facts,
            "size_bytes": item.size_bytes,
            "key": None if key is None else feature_name(self.identity, key),
        }


def _schema() -> Any:
    """The columns of features."""
    pa = arrow()
    return pa.schema([
        ("clip", pa.string()),
        ("label", pa.string()),
        ("group", pa.string()),
        ("group_known", pa.bool_()),
        ("split", pa.string()),
        ("start_seconds", pa.float64()),
        ("end_seconds", pa.float64()),
        ("size_bytes", pa.int64()),
        ("key", pa.string()),
        ("frame_count", pa.int32()),
        ("shape", pa.list_(pa.int32())),
        ("features", pa.list_(pa.float16())),
        ("error", pa.string()),
    ])  # fmt: skip
