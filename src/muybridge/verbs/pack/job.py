"""Packing a data set into shards: a few large files in place of a million small ones.

A killed packing goes on with the first shard that is not whole. The index is written when all are.
"""

import json
import shutil
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from muybridge.console import STDERR, progress_on
from muybridge.dataset.annotations.rules import MissingVideos, TimeUnit
from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.shard_index import (
    INDEX_FILE,
    PLAN_FILE,
    Kind,
    Table,
    arrow,
    read_index,
    table_of,
    write_index,
)
from muybridge.errors import UserError
from muybridge.experiment.encode_clips import recipe_to_encode
from muybridge.experiment.named_clips import read_clips
from muybridge.files import require_writable, write_json
from muybridge.locks import Lock
from muybridge.recipes.data import DataConfig
from muybridge.recipes.recipe import Recipe
from muybridge.system import available_cores
from muybridge.temporaries import remove_dead
from muybridge.text import counted, did_you_mean
from muybridge.verbs.pack.avif import require_avif, to_avif
from muybridge.verbs.pack.features import ENCODED_FOLDER, EncodedClips
from muybridge.verbs.pack.plan import Plan, PlannedSample, make_plan
from muybridge.verbs.pack.result import PackResult
from muybridge.verbs.pack.samples import Placed, Sample, VideoSample, example_of_pictures, tar_of_pictures
from muybridge.verbs.pack.writing import JOURNAL_FILE, Prepare, WrittenShard, write_shards
from muybridge.video.picture import to_jpeg

UNDECODABLE_FILE = "undecodable.json"


def pack(
    clips: str | Path,
    out: str | Path,
    *,
    kind: Kind = "clips",
    recipe: Recipe | str | Path | None = None,
    device: str = "auto",
    shard_size_gb: float = 1.0,
    quality: int = 90,
    short_side_px: int = 0,
    seed: int = 0,
    groups: str = "auto",
    annotation_unit: TimeUnit = "seconds",
    annotation_tier: str = "",
    annotation_fps: float = 0.0,
    annotation_missing: MissingVideos = "error",
    workers: int | None = None,
    console: Console = STDERR,
) -> PackResult:
    """Pack clips into shards with an index; a call that was killed is gone on with.

    Args:
        clips: A data set, as ``train`` takes it.
        out: Folder for the shards.
        kind: ``clips``: the videos as they are, in tar files as WebDataset reads them. ``jpeg``: all frames of each
            clip as JPEG images, in such tar files; ``avif``: as AVIF images. ``tfrecord``: JPEG images in the records
            that TensorFlow's video models read. ``features``: what the frozen encoder of a recipe makes of each clip,
            as arrays of numpy in such tar files, which ``train`` reads with ``features`` set to ``out``.
        recipe: Of features: a recipe, its name or YAML file; or a run, whose recipe it is.
        device: Of features: where torch computes.
        shard_size_gb: Size of a shard in 10^9 bytes; a larger sample has a shard of its own.
        quality: Of JPEG and AVIF, 1 to 100; the same number is not the same quality.
        short_side_px: Pictures with a longer short side are made so small; 0: they keep their size.
        seed: Of the order in which samples are dealt to shards.
        groups: What says which clips were cut from one recording, as ``data.groups`` of a recipe; the index keeps it.
        annotation_unit: What the times of a CSV are, as ``data.annotation_unit`` of a recipe.
        annotation_tier: Which tier of an annotation file has the labels, as ``data.annotation_tier``.
        annotation_fps: Frames a second that frame numbers count, as ``data.annotation_fps``.
        annotation_missing: What becomes of videos that are not there, as ``data.annotation_missing``.
        workers: Threads that decode, for pictures; default: one per core.
        console: Where progress is printed.

    Raises:
        UserError: If there are no clips, one cannot be read, or ``out`` holds something else.
        OSError: If a shard cannot be written.
    """
    _check(kind, shard_size_gb, quality, short_side_px)
    if (kind == "features") != (recipe is not None):
        raise UserError("kind features needs a recipe, whose encoder it is, and no other kind takes one")
    data = DataConfig(
        groups=groups,
        alike_labels="keep",  # train asks about them
        annotation_unit=annotation_unit,
        annotation_tier=annotation_tier,
        annotation_fps=annotation_fps,
        annotation_missing=annotation_missing,
    )
    folder = Path(out).absolute()
    if not (_holds_nothing_of_others(folder) or (folder / PLAN_FILE).is_file()):
        raise UserError(f"{folder} holds other files; name a folder that is new or empty")
    catalog = read_clips(clips, data, console=console)
    shape: dict[str, int | str] = {"shard_bytes": int(shard_size_gb * 1e9)}
    if kind not in ("clips", "features"):
        shape |= {"quality": quality, "short_side_px": short_side_px}
    chosen = None if recipe is None else recipe_to_encode(recipe)
    if chosen is not None:
        shape["frames"] = json.dumps([chosen.sampler.build().to_dict(), chosen.size_px, chosen.fit])
        shape["model"] = json.dumps(chosen.to_dict()["model"], sort_keys=True)
    plan = make_plan(catalog, kind=kind, seed=seed, options=shape)
    require_writable(folder)
    with Lock(folder / ".lock", what=folder).held():
        remove_dead(folder)
        _take(folder, plan)
        is_done = (folder / INDEX_FILE).is_file()
        encoded = None
        if chosen is not None and not is_done:
            encoded = EncodedClips(folder, catalog, chosen, device=device, console=console)
            # In the order in which they are encoded, not in that of the plan that was written down.
            plan = make_plan(catalog, kind=kind, seed=seed, order=encoded.order(seed=seed), options=shape)
        if not is_done:
            prepare = _prepare(plan, catalog.classes) if encoded is None else encoded.sample
            threads = workers or available_cores()
            kept = _write(folder, plan, catalog, prepare, encoded, workers=threads, console=console)
        shutil.rmtree(folder / ENCODED_FOLDER, ignore_errors=True)  # also where an earlier call was killed before this
        index = read_index(folder)
        index.require_shards()
    undecodable = json.loads((folder / UNDECODABLE_FILE).read_text(encoding="utf-8"))
    return PackResult(
        folder=folder,
        kind=kind,
        clips=index.table.num_rows,
        samples=len(plan.samples) - len(undecodable),
        shards=len(index.shards),
        size_bytes=sum(index.shards.values()),
        kept=len(index.shards) if is_done else kept,
        undecodable=undecodable,
        notes=catalog.notes,
    )


def _holds_nothing_of_others(folder: Path) -> bool:
    """Whether there is no folder, or none but hidden files in it: a packing that was killed early leaves its lock."""
    return not folder.exists() or (folder.is_dir() and all(path.name.startswith(".") for path in folder.iterdir()))


def _check(kind: str, shard_size_gb: float, quality: int, short_side_px: int) -> None:
    if kind not in get_args(Kind):
        raise UserError(f"unknown kind {kind!r}{did_you_mean(kind, get_args(Kind))}")
    if not 1e-6 <= shard_size_gb <= 1e6:
        raise UserError(f"shard_size_gb is {shard_size_gb:g}; give 0.000001 to 1000000")
    if not 1 <= quality <= 100:
        raise UserError(f"quality is {quality}; give 1 to 100")
    if short_side_px and not 16 <= short_side_px <= 10_000:
        raise UserError(f"short_side_px is {short_side_px}; give 16 to 10000, or 0 to keep the size")
    if kind in ("clips", "features") and (quality != 90 or short_side_px):
        keeps = "keeps the videos as they are" if kind == "clips" else "holds none"
        raise UserError(f"quality and short_side_px are of pictures; kind {kind} {keeps}")
    arrow()
    if kind == "avif":
        require_avif()


def _write(
    folder: Path,
    plan: Plan,
    catalog: Catalog,
    prepare: Prepare,
    encoded: EncodedClips | None,
    *,
    workers: int,
    console: Console,
) -> int:
    """Write the shards and the index; how many shards were there.

    Raises:
        UserError: No clip decodes.
    """
    with progress_on(console) as progress:
        task = progress.add_task("packing", total=len(plan.samples))
        shards, kept = write_shards(
            folder,
            plan,
            prepare,
            shard_bytes=int(plan.options["shard_bytes"]),
            workers=workers if plan.kind in ("jpeg", "avif", "tfrecord") else 0,
            progress=lambda done: progress.update(task, completed=done),
        )
    outcomes = [outcome for shard in shards for outcome in shard.outcomes]
    reasons = {
        clip.id: outcome
        for sample, outcome in zip(plan.samples, outcomes, strict=True)
        for clip in sample.clips
        if isinstance(outcome, str)
    }
    if len(reasons) == len(catalog.clips):
        id, reason = next(iter(reasons.items()))
        raise UserError(f"none of the {counted(len(reasons), 'clip')} decodes, for example {id}: {reason}")
    write_json(folder / UNDECODABLE_FILE, reasons)
    sizes = {shard.name: shard.size_bytes for shard in shards}
    encoder = "" if encoded is None else encoded.encoder
    write_index(folder, _table(plan, shards, encoded), kind=plan.kind, shards=sizes, encoder=encoder)
    (folder / JOURNAL_FILE).unlink()
    return kept


def _prepare(plan: Plan, classes: Sequence[str]) -> Prepare:
    """What makes a sample ready to be written."""
    if plan.kind == "clips":
        return VideoSample
    quality, short_side_px = int(plan.options["quality"]), int(plan.options["short_side_px"])
    if plan.kind == "avif":
        encode = partial(to_avif, quality=quality)
        return partial(tar_of_pictures, encode=encode, suffix="avif", short_side_px=short_side_px)
    encode = partial(to_jpeg, quality=quality)
    if plan.kind == "jpeg":
        return partial(tar_of_pictures, encode=encode, suffix="jpg", short_side_px=short_side_px)
    numbers = {label: number for number, label in enumerate(classes)}

    def example(planned: PlannedSample) -> Sample:
        label_index = numbers[planned.clips[0].label]
        return example_of_pictures(planned, encode=encode, short_side_px=short_side_px, label_index=label_index)

    return example


def _take(folder: Path, plan: Plan) -> None:
    """Write down what is packed here, or make sure that it is the same as before.

    Raises:
        UserError: It is not.
    """
    file = folder / PLAN_FILE
    if file.is_file():
        try:
            known = json.loads(file.read_text(encoding="utf-8"))["plan"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{file} is damaged ({error}); delete {folder} and pack again") from None
        if known != plan.hash:
            raise UserError(
                f"{folder} was begun with other clips or options, or clips changed since; name another folder, or "
                "delete it"
            )
        return
    about: dict[str, Any] = {"kind": plan.kind, **plan.options, "samples": len(plan.samples)}
    if plan.kind == "tfrecord":
        about["classes"] = sorted({clip.label for sample in plan.samples for clip in sample.clips})
    write_json(file, {**about, "plan": plan.hash})


def _table(plan: Plan, shards: Iterable[WrittenShard], encoded: EncodedClips | None) -> Table:
    places = [(shard.name, outcome) for shard in shards for outcome in shard.outcomes]
    rows = [
        _row(clip, sample, name, place)
        for sample, (name, place) in zip(plan.samples, places, strict=True)
        if isinstance(place, Placed)
        for clip in sample.clips
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    if encoded is not None:
        columns |= encoded.columns_of(columns["id"])
    return table_of(columns)


def _row(clip: Clip, sample: PlannedSample, shard: str, place: Placed) -> dict[str, Any]:
    is_whole = sample.name == clip.id  # a clip as pictures has no times any more: it is all that there is
    return {
        "id": clip.id,
        "file": sample.name,
        **clip.facts,
        **({"start_seconds": None, "end_seconds": None} if is_whole else {}),
        "shard": shard,
        "member": sample.member,
        "offset": place.offset,
        "size_bytes": place.size_bytes,
        "sha256": place.sha256,
        "source_sha256": place.source_sha256,
    }
