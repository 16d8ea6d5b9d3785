"""Verbs on clips: fetching, reading annotations, checking, packing."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from muybridge.cli.application import Fps, Isolate, Json, Missing, Tier, Unit, app
from muybridge.terminal import show, suggest


@app.command
def get(
    dataset: str,
    folder: Path,
    /,
    *,
    given: Annotated[Path | None, Parameter(("--from", "--given"))] = None,
    mirror: str | None = None,
    check: bool = True,
    keep_archives: bool = False,
    workers: int = -1,
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Fetch HMDB-51, UCF101 or J-HMDB, unpack it, put the official lists in place, check and count it.

    An interrupted download continues when the same command is run again; what is there is not fetched again.

        muybridge get hmdb51 data/hmdb51

    Args:
        dataset: hmdb51, ucf101, jhmdb, or a JSON file that describes a source.
        folder: Where to put it.
        given: Archives that you have: a file, or a folder that holds them. They are only read.
        mirror: Address of a folder that holds the archives, to try first.
        check: Decode every clip fully, and write check.json and check.csv into the folder.
        keep_archives: Keep the downloads after everything is unpacked.
        workers: Processes that decode; -1: one per core.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.get(
        dataset,
        folder,
        given=given,
        mirror=mirror,
        check=check,
        keep_archives=keep_archives,
        workers=None if workers < 0 else workers,
    )
    show(result, as_json=as_json)
    result.require_complete()
    if not as_json:
        suggest(["train", result.folder, "--data.protocol", "official-1"])


@app.command
def annotations(
    file: Path,
    /,
    *,
    to: Literal["csv", "label-studio", "elan", "boris", "activitynet", "cvat"] | None = None,
    out: Path | None = None,
    unit: Unit = "seconds",
    tier: Tier = "",
    fps: Fps = 0.0,
    missing: Missing = "error",
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Read annotations of long videos, and write them in another format.

        muybridge annotations game.eaf --to csv

    Args:
        file: CSV, Label Studio, ELAN, BORIS, ActivityNet, CVAT or VIA 3; or a folder of ELAN's or CVAT's files.
        to: Write this format, too.
        out: The new file; default: next to the old one, with the format's suffix. Nothing that is there is replaced.
        unit: What start and end of a CSV are: seconds (or mm:ss, hh:mm:ss.mmm) or frames.
        tier: Which tier of an ELAN file has the labels; * and ? stand for any characters.
        fps: Frames a second that frame numbers count; 0: they count the frames of the file.
        missing: Videos that are not there: error or skip.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.annotations(
        file,
        to=to,
        out=out,
        annotation_unit=unit,
        annotation_tier=tier,
        annotation_fps=fps,
        annotation_missing=missing,
    )
    show(result, as_json=as_json)
    if not as_json:
        chosen = {"--annotations.unit": unit, "--annotations.tier": tier, "--annotations.fps": fps}
        given = [part for name, value in chosen.items() if value not in ("seconds", "", 0) for part in (name, value)]
        suggest(["check", *([result.files[0]] if len(result.files) == 1 else [file, *given])])


@app.command
def check(
    clips: Path,
    *,
    groups: Annotated[str, Parameter("--data.groups")] = "auto",
    unit: Unit = "seconds",
    tier: Tier = "",
    fps: Fps = 0.0,
    missing: Missing = "error",
    out: Path | None = None,
    workers: int = -1,
    isolate: Isolate = False,
    resume: Annotated[bool, Parameter("--resume", negative="")] = False,
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Decode every clip fully and say what is wrong: bad files, lying headers, duplicates, leaks between sources.

        muybridge check my_clips

    Args:
        clips: A folder with a sub-folder per class, a CSV (path, label, ...), annotations of long videos, an HMDB-51 or
            UCF101 folder, shards (also of features), or a video.
        groups: What says which clips were cut from one recording: auto, none, folder, look-alike, a column of the CSV
            or a regular expression, as in train.
        unit: What start and end of a CSV are: seconds (or mm:ss, hh:mm:ss.mmm) or frames.
        tier: Which tier of an ELAN file has the labels; * and ? stand for any characters.
        fps: Frames a second that frame numbers count; 0: they count the frames of the file.
        missing: Videos that are not there: error or skip.
        out: Folder for check.json and check.csv; default: CLIPS-check in the current folder.
        workers: Processes that decode; -1: one per core.
        isolate: Decode each file in a process of its own, with limits of memory and processor time.
        resume: Go on where a check into the same folder was interrupted.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    if api.holds_features(clips):
        show(api.check_features(clips, workers=None if workers < 0 else workers), as_json=as_json)
        return
    result = api.check(
        clips,
        groups=groups,
        annotation_unit=unit,
        annotation_tier=tier,
        annotation_fps=fps,
        annotation_missing=missing,
        out=out,
        workers=None if workers < 0 else workers,
        isolate=isolate,
        resume=resume,
    )
    show(result, as_json=as_json)
    if not as_json:
        if result.report.catalog.layout == "file":
            if not result.report.with_status("bad"):
                suggest(["predict", "RUN", clips])
            return
        alike = result.report.look_alikes
        proposed = "look-alike" if alike is not None and alike.divides else groups
        suggest(["train", clips, *(["--data.groups", proposed] if proposed != "auto" else [])])


@app.command
def pack(
    clips: Path,
    out: Path,
    *,
    kind: Literal["clips", "jpeg", "avif", "tfrecord", "features"] = "clips",
    recipe: str = "",
    device: str = "auto",
    shard_size_gb: float = 1.0,
    quality: int = 90,
    short_side_px: int = 0,
    seed: int = 0,
    groups: Annotated[str, Parameter("--data.groups")] = "auto",
    unit: Unit = "seconds",
    tier: Tier = "",
    fps: Fps = 0.0,
    missing: Missing = "error",
    workers: int = -1,
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Pack clips into shards (WebDataset, TFRecord) with an index; every verb reads them as it reads a folder.

    Run the same command again to continue after an interruption.

        muybridge pack my_clips my_shards

    Args:
        clips: A folder with a sub-folder per class, a CSV (path, label, ...), annotations of long videos, an HMDB-51 or
            UCF101 folder, or other shards.
        out: Folder for the shards.
        kind: clips: the videos as they are, in tar files as WebDataset reads them; jpeg, avif: each frame as an image,
            in such files; tfrecord: as JPEG images in the records that TensorFlow's video models read; features: what a
            frozen encoder makes of each clip, as numpy arrays in such tar files, for train --features.
        recipe: For features: a recipe, its name or file, or a run, whose encoder it is.
        device: For features: where torch computes: auto, cpu, cuda, cuda:1 or mps.
        shard_size_gb: Size of a shard in 10^9 bytes; a larger sample has one of its own.
        quality: Of JPEG and AVIF, 1 to 100.
        short_side_px: Make larger pictures so small, by their short side; 0: they keep their size.
        seed: Of the order in which samples are dealt to shards.
        groups: What says which clips were cut from one recording: auto, none, folder, look-alike, a column of the CSV
            or a regular expression, as in train. The index keeps it.
        unit: What start and end of a CSV are: seconds (or mm:ss, hh:mm:ss.mmm) or frames.
        tier: Which tier of an ELAN file has the labels; * and ? stand for any characters.
        fps: Frames a second that frame numbers count; 0: they count the frames of the file.
        missing: Videos that are not there: error or skip.
        workers: Threads that decode, for pictures; -1: one per core.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.pack(
        clips,
        out,
        kind=kind,
        recipe=recipe or None,
        device=device,
        shard_size_gb=shard_size_gb,
        quality=quality,
        short_side_px=short_side_px,
        seed=seed,
        groups=groups,
        annotation_unit=unit,
        annotation_tier=tier,
        annotation_fps=fps,
        annotation_missing=missing,
        workers=None if workers < 0 else workers,
    )
    show(result, as_json=as_json)
    if not as_json:
        trains = ["train", clips, "--features", result.folder] if kind == "features" else ["train", result.folder]
        suggest(["check", result.folder], trains)


@app.command
def unpack(shards: Path, out: Path, *, as_json: Annotated[Json, Parameter("--json")] = False) -> None:
    """Write the videos of shards as files again, with a CSV of their labels, groups and parts.

        muybridge unpack my_shards my_clips

    Args:
        shards: A folder that muybridge pack made.
        out: Folder for the videos and clips.csv.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.unpack(shards, out)
    show(result, as_json=as_json)
    if not as_json:
        suggest(["train", result.folder])
