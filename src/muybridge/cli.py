"""The command line: one verb per job, thin.

Notable: only parsing happens at import. torch, PyAV and OpenCV are imported inside the verbs, so that ``--help``
answers at once. Results go to standard output (with ``--json`` as JSON), everything else to standard error.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter
from cyclopts import config as cyclopts_config
from cyclopts.argument import ArgumentCollection

from muybridge import error_lines, help_screen
from muybridge.api import (
    LIST_STYLE,
    DataConfig,
    Interrupted,
    NotSavedError,
    Recipe,
    SegmentRules,
    ServeConfig,
    UserError,
    WindowConfig,
    read_values,
    recipe_config,
)
from muybridge.terminal import EXIT_INTERRUPTED, closed_pipe, prepare_streams, say, show, suggest, write, write_line

EXIT_USER_ERROR = 2

Json = Annotated[bool, Parameter(negative="")]
Times = Annotated[int | None, Parameter(name=("--views", "--views.times"))]
Crops = Annotated[Literal[1, 3, 5], Parameter(name=("--crops", "--views.crops"))]
Flip = Annotated[bool, Parameter(name=("--flip", "--views.flip"), negative="")]
Isolate = Annotated[bool, Parameter("--isolate", negative="")]


def _recipe_values(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Let the recipe named by --recipe, or chosen for a training that names none, fill in what no flag says."""
    given = {argument.name: argument.tokens[0].value for argument in arguments if argument.tokens}
    name = given.get("--recipe", "")
    if commands == ("train",) and not name and "--from" in given:
        from muybridge import api

        name = str(api.recipe_of(given["--from"]))
    # Whoever names an encoder or its weights has left nothing to choose; and without clips nothing is downloaded.
    chosen = given.keys() & {"--recipe", "--from", "--resume", "--model.encoder", "--model.weights"}
    if commands == ("train",) and not chosen and "--clips" in given and Path(given["--clips"]).exists():
        from muybridge import api

        recipe_config(*api.available_recipe(say), command=commands)(app, commands, arguments)
    elif name:
        recipe_config(*read_values(name), command=commands)(app, commands, arguments)


def _tuned_rules(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Let the rules that were tuned for a run fill in what no flag says of a timeline or a stream."""
    run = next((argument.tokens[0].value for argument in arguments if argument.name == "--run" and argument.tokens), "")
    if commands not in (("timeline",), ("watch",)) or not run:
        return
    from muybridge import api

    if values := api.tuned_values(Path(run)):
        cyclopts_config.Dict({commands[0]: values}, source=f"{run}/timeline.json")(app, commands, arguments)


def _default_values() -> dict[str, Any]:
    """What a training that names no recipe takes, by the names of the options."""
    values, _ = read_values("default")
    del values["name"]  # --name is the run's
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = value if isinstance(value, dict) else {"": value}
        found |= {f"--{key}.{name}".removesuffix(".").replace("_", "-"): each for name, each in inner.items()}
    return found


app = App(
    name="muybridge",
    help="Action recognition from video: a clip goes in, 'cartwheel, 0.93' comes out.",
    help_epilogue="Start with 'muybridge demo', then 'muybridge train CLIPS' on a folder with a sub-folder per class.",
    help_flags=(*help_screen.HELP, help_screen.HELP_ALL),
    config=[_recipe_values, _tuned_rules],
    suppress_keyboard_interrupt=False,
    result_action="return_value",
    default_parameter=LIST_STYLE,
)


@app.command
def demo(
    folder: Path = Path("muybridge-demo"),
    *,
    seed: int = 0,
    device: str = "auto",
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Render clips of moving figures, train on them, measure, and predict one. No download, a few minutes.

        muybridge demo

    Args:
        folder: Where clips and runs go.
        seed: Seed of the clips and of the training.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.demo(folder, seed=seed, device=device)
    show(result, as_json=as_json)
    if not as_json:
        suggest(["predict", result.runs["grouped"], result.prediction.path], ["train", "CLIPS"])


Unit = Annotated[Literal["seconds", "frames"], Parameter(("--annotations.unit", "--data.annotation-unit"))]
Tier = Annotated[str, Parameter(("--annotations.tier", "--data.annotation-tier"))]
Fps = Annotated[float, Parameter(("--annotations.fps", "--data.annotation-fps"))]
Missing = Annotated[Literal["error", "skip"], Parameter(("--annotations.missing", "--data.annotation-missing"))]


@app.command
def push(
    source: Path,
    url: str,
    /,
    *,
    private: bool = False,
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Upload a run or shards to a bucket, or a model with its card to a hub.

        muybridge push runs/default-1 hf://owner/name

    Credentials come from the environment: HF_TOKEN, AWS_ACCESS_KEY_ID and their like.

    Args:
        source: A run, or a folder that pack made.
        url: s3://bucket/name, gs://, az://, or hf://owner/name.
        private: Make a new repository on a hub private.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.push(source, url, private=private)
    show(result, as_json=as_json)
    if not as_json and not result.url.startswith("hf://") and (source / "recipe.yaml").is_file():
        suggest(["predict", result.url, "VIDEO"])


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
            UCF101 folder, shards, or a video.
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
    kind: Literal["clips", "jpeg", "avif", "tfrecord"] = "clips",
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
            in such files; tfrecord: as JPEG images in the records that TensorFlow's video models read.
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
        suggest(["check", result.folder], ["train", result.folder])


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


@app.command
def train(
    clips: Path | None = None,
    *,
    recipe: Annotated[str, Parameter("--recipe")] = "",
    run: Path | None = None,
    name: str | None = None,
    resume: Path | None = None,
    from_run: Annotated[Path | None, Parameter("--from")] = None,
    clips_root: Path | None = None,
    learning_curve: Annotated[bool, Parameter(negative="")] = False,
    profile: Annotated[bool, Parameter(negative="")] = False,
    device: str = "auto",
    device_count: int | None = None,
    node_count: int = 1,
    on: Literal["local", "ray"] = "local",
    logger: Literal["csv", "tensorboard", "wandb", "mlflow"] = "csv",
    experiment: Annotated[Recipe, Parameter(name="*")] = Recipe(),  # noqa: B008 - a frozen value
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Train on a folder of clips, measure on clips held out, and write a report.

        muybridge train my_clips --folds 5

    Args:
        clips: A folder with a sub-folder per class, an HMDB-51 or UCF101 folder, a CSV: path, label and optional group,
            split, start, end; or annotations of long videos.
        recipe: A recipe's name (see: muybridge recipes) or YAML file; other options go before its values. None:
            default, or where its weights are missing, a recipe whose weights are available.
        run: The folder to make for the run; default: runs/RECIPE-ENCODER-HEAD-1, -2, ....
        name: Name of the run's folder, in runs/; instead of --run.
        resume: Continue this run where it was interrupted; of the others only --device, --device-count, --node-count,
            --on, --logger and --clips-root go with it.
        from_run: Train on the clips of this run and CLIPS together, with the run's recipe if none is named; what is
            kept of its clips is not computed again.
        clips_root: Folder that holds the clips of the run of --resume or --from now, where they were moved or renamed.
        learning_curve: Measure how accuracy grows with the number of clips a class, too (head probe only).
        profile: Train for 30 steps only, print where a step's time goes, and make no run.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        device_count: Processes on this machine, each with a GPU of its own, or sharing the CPU. Default: as many as
            torchrun or SLURM started, else one. Batch size and learning rate are those of all together.
        node_count: Machines; the same command runs on each, with MASTER_ADDR, MASTER_PORT and NODE_RANK set.
        on: ray: the processes are started by Ray Train, on the cluster that it finds (an extra to install).
        logger: Who gets the figures of every epoch besides metrics.csv. All but csv are extras to install.
        experiment: Every option of the recipe.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    if profile:
        unused = run or name or resume or from_run or clips_root or learning_curve or None
        unused = unused or (None if device_count is None else True)
        _profile(clips, experiment, unused=unused, device=device, as_json=as_json)
        return
    if (clips is None) == (resume is None):
        raise UserError("train takes either CLIPS or --resume RUN; for example: muybridge train my_clips")
    given = recipe or run or name or from_run or learning_curve
    if resume is not None and (given or experiment != Recipe()):
        raise UserError(f"--resume {resume} continues with the run's own recipe; leave the other options out")
    if clips_root is not None and resume is None and from_run is None:
        raise UserError("--clips-root says where the clips of a run are; it goes with --resume or --from")
    try:
        if resume is not None:
            result = api.resume(
                resume,
                device=device,
                device_count=device_count,
                node_count=node_count,
                on=on,
                logger=logger,
                clips_root=clips_root,
            )
        else:
            assert clips is not None
            result = api.train(
                clips,
                experiment,
                run=run,
                name=name,
                device=device,
                from_run=from_run,
                clips_root=clips_root,
                learning_curve=learning_curve,
                device_count=device_count,
                node_count=node_count,
                on=on,
                logger=logger,
            )
    except Interrupted as interrupted:
        say(f"\nstopped. {interrupted.kept}".rstrip())
        folder = interrupted.folder
        suggest(*([["predict", folder, "VIDEO"]] if interrupted.model else []), ["train", "--resume", folder])
        sys.exit(EXIT_INTERRUPTED)
    show(result, as_json=as_json)
    if not as_json:
        suggest(["predict", result.run, "VIDEO"], ["report", result.run, "OTHER_RUN"])


@app.command
def recipes(name: str = "", /, *, as_json: Annotated[Json, Parameter("--json")] = False) -> None:
    """List the recipes with cost and measured accuracy, or print one as complete YAML to edit.

        muybridge recipes best > mine.yaml

    Args:
        name: A recipe's name or YAML file; every key is printed with what it means.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    if name:
        write(api.load_recipe(name).to_dict() if as_json else api.describe_recipe(name).rstrip())
    else:
        write([info.to_dict() for info in api.list_recipes()] if as_json else api.describe_recipes())


@app.command
def evaluate(
    run: Path,
    clips: Path | None = None,
    *,
    views: Times = None,
    crops: Crops = 1,
    flip: Flip = False,
    clips_root: Path | None = None,
    out: Path | None = None,
    engine: str = "torch",
    device: str = "auto",
    isolate: Isolate = False,
    data: DataConfig = DataConfig(),  # noqa: B008 - a frozen value
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Measure a run on its own test clips, or on other labelled clips (classes are matched by name).

        muybridge evaluate runs/default-1 --views 3

    Args:
        run: A run directory of a training or an ensemble, or a model folder together with CLIPS.
        clips: Other labelled clips: a folder, a CSV, annotations of long videos, an HMDB-51 or UCF101 folder, or one
            video in its class folder.
        views: How many samplings of each clip to combine; default: as the model was trained to be used.
        crops: Parts of the picture to combine. 1: the whole; 3: left, middle, right; 5: the corners and the middle.
        flip: Combine with the mirror image of each, too.
        clips_root: Folder that holds the run's clips now, where they were moved or renamed.
        out: Folder for the result files; default: evaluations/ in the run.
        engine: torch, the model itself; or an export as in predict: onnx, openvino, openvino-int8, auto, ....
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        isolate: Decode each file in a process of its own, with limits of memory and processor time.
        data: Which of the other clips.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    chosen = api.Views(times=views, crops=crops, flip=flip)
    evaluation = api.evaluate(
        run,
        clips,
        views=chosen,
        clips_root=clips_root,
        out=out,
        data=data,
        engine=engine,
        device=device,
        isolate=isolate,
    )
    show(evaluation, as_json=as_json)
    if not as_json:
        suggest(["predict", run, "VIDEO"])


@app.command
def predict(
    model: Path,
    videos: list[str],
    /,
    *,
    top: int = 3,
    out: str = "",
    on: Literal["local", "ray"] = "local",
    part_clips: int | None = None,
    views: Times = None,
    crops: Crops = 1,
    flip: Flip = False,
    engine: str = "auto",
    device: str = "auto",
    isolate: Isolate = False,
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Name the action in video files.

        muybridge predict runs/default-1 my_video.mp4

    With --out the answers of many files go into Parquet, a row a file, here or on a Ray cluster; the same command again
    continues one that was killed.

    Args:
        model: A run directory or a model folder.
        videos: Files, folders or glob patterns ('clips/*.avi'), or http addresses of files; /dev/stdin is what is
            piped in.
        top: How many classes to print.
        out: A folder or URL (s3://bucket/answers) for the answers as Parquet, which are then not printed.
        on: With --out. ray: the clips are spread over a Ray cluster (an extra to install).
        part_clips: With --out: how many clips a file of answers holds; default: by their number, at most 1000.
        views: How many samplings of each clip to combine; default: as the model was trained to be used.
        crops: Parts of the picture to combine. 1: the whole; 3: left, middle, right; 5: the corners and the middle.
        flip: Combine with the mirror image of each, too.
        engine: What computes. auto: the fastest export that is installed and passed its check, else torch; torch:
            the model itself; onnx or openvino: the fastest export for it; openvino-int8 and the like: that one.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        isolate: Decode each file in a process of its own, with limits of memory and processor time.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    if top < 1:
        raise UserError(f"--top is {top}; give 1 or more")
    chosen = api.Views(times=views, crops=crops, flip=flip)
    if out:
        result = api.predict_many(
            model,
            videos,
            out,
            on=on,
            views=chosen,
            engine=engine,
            device=device,
            isolate=isolate,
            part_clips=part_clips,
        )
        show(result, as_json=as_json)
        return
    if on != "local" or part_clips is not None:
        raise UserError("--on and --part-clips are for answers in files; name a folder or URL with --out")
    found = []
    for prediction in api.predict(model, videos, views=chosen, engine=engine, device=device, isolate=isolate):
        if prediction.error is not None:
            say(f"skipped {prediction.describe(top)}")
        elif not as_json:
            write(prediction.describe(top))
        found.append(prediction)
    if as_json:
        write([prediction.to_dict(top) for prediction in found])
    if all(prediction.error is not None for prediction in found):
        raise UserError(f"none of {len(found)} files could be decoded")
    if not as_json:
        suggest(["evaluate", model, "CLIPS"])


@app.command
def encode(
    recipe: str,
    clips: Path,
    out: str,
    /,
    *,
    on: Literal["local", "ray"] = "local",
    part_clips: int | None = None,
    device: str = "auto",
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Write what a frozen encoder makes of clips, here or on a Ray cluster; train --features reads it.

    The same command again continues one that was killed.

        muybridge encode default my_clips my_features

    Args:
        recipe: A recipe's name or YAML file, or a run directory.
        clips: A folder with a sub-folder per class, a CSV, annotations of long videos, an HMDB-51 or UCF101 folder, or
            shards; also in a bucket.
        out: A folder or URL (s3://bucket/features) for the features as Parquet, a row a clip.
        on: ray: the clips are spread over a Ray cluster (an extra to install).
        part_clips: How many clips a file holds; default: by their number, at most 1000.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.encode(recipe, clips, out, on=on, device=device, part_clips=part_clips)
    show(result, as_json=as_json)
    if not as_json:
        suggest(["train", clips, "--recipe", recipe, "--features", out])


@app.command
def timeline(
    run: Path,
    videos: list[str] | None = None,
    *,
    windows: Annotated[WindowConfig, Parameter(name="*")] = WindowConfig(),  # noqa: B008 - a frozen value
    rules: SegmentRules = SegmentRules(),  # noqa: B008 - a frozen value
    tune: Path | None = None,
    truth: Path | None = None,
    out: Path | None = None,
    formats: Annotated[list[str] | None, Parameter(("--format", "--formats"))] = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    device: str = "auto",
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Say what happens when in long videos: segments with a class, a start and an end.

    Each frame is decoded and encoded once, windows slide over its features, and memory does not grow with the video.

        muybridge timeline runs/default-1 game.mp4

    Args:
        run: A run directory of a training, or a model folder.
        videos: Files, or folders of them.
        windows: How the videos are looked at.
        rules: From scores to segments; default: those that were tuned for this run.
        tune: Annotations of validation videos, in any format that train takes: choose the rules on them first, and keep
            them in the run.
        truth: Annotations to measure against: frame accuracy, edit score, F1 at overlaps, mAP, borders, false alarms.
        out: Folder for the files; default: timelines/ in the run.
        formats: What is written there: json, csv, srt, vtt, html, drawn, label-studio, elan, boris, activitynet,
            cvat; default: the first five. drawn: the video with the labels on its pictures.
        resume: Go on where a killed job was, and take scores that are there already.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.timeline(
        run,
        videos or (),
        windows=windows,
        rules=rules,
        tune=tune,
        truth=truth,
        out=out,
        formats=formats,
        resume=resume,
        device=device,
    )
    show(result, as_json=as_json)
    if result.timelines and all(each.error is not None for each in result.timelines):
        raise UserError(f"none of {len(result.timelines)} files could be decoded")
    if not as_json and not result.timelines:
        suggest(["timeline", run, "VIDEO"])


@app.command
def watch(
    run: Path,
    source: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    pace: Literal["live", "all"] = "live",
    out: Path | None = None,
    on_event: str | None = None,
    webhook: str | None = None,
    mqtt: str | None = None,
    save_events: Path | None = None,
    seconds_before: float = 3.0,
    seconds_after: float = 2.0,
    seconds: float | None = None,
    status_seconds: float = 1.0,
    stall_seconds: float = 4.0,
    windows: Annotated[WindowConfig, Parameter(name="*")] = WindowConfig(),  # noqa: B008 - a frozen value
    rules: SegmentRules = SegmentRules(),  # noqa: B008 - a frozen value
    device: str = "auto",
) -> None:
    """Watch a camera or a stream: each event is a line of JSON as it begins, and one as it ends.

    The newest frame comes first; what a slow machine leaves out is counted, and a stream that breaks is joined again.

        muybridge watch runs/default-1 rtsp://camera.local/live

    Args:
        run: A run directory of a training, or a model folder.
        source: A camera (0, /dev/video0 or its name), an address (rtsp, rtmp, http, https, udp, tcp), a file, or - for
            standard input.
        pace: live: as it plays, the newest frame first. all: each frame that is due is waited for, as fast as it goes;
            for files and standard input.
        out: A file to which each event is added as a line of JSON, too.
        on_event: A program with its arguments, run for each event with its line on standard input; no shell.
        webhook: An address that is sent each event by HTTP POST.
        mqtt: mqtt://host/topic, to which each event is published.
        save_events: A folder for the video of each event, copied from the stream.
        seconds_before: How much is kept before an event; a video begins at the keyframe before that.
        seconds_after: How much is kept after it.
        seconds: Stop after so long; default: when the stream ends, or at Ctrl-C.
        status_seconds: Time between two lines of how it goes; 0: none.
        stall_seconds: Without anything for so long, a stream is joined again.
        windows: How the stream is looked at.
        rules: From scores to events; default: those that were tuned for this run.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
    """
    from muybridge import api

    result = api.watch(
        run,
        source,
        windows=windows,
        rules=rules,
        pace=pace,
        out=out,
        on_event=on_event,
        webhook=webhook,
        mqtt=mqtt,
        save_events=save_events,
        seconds_before=seconds_before,
        seconds_after=seconds_after,
        seconds=seconds,
        status_seconds=status_seconds,
        stall_seconds=stall_seconds,
        device=device,
        emit=write_line,
    )
    say(str(result))


@app.command
def serve(
    runs: list[Path],
    /,
    *,
    config: Annotated[ServeConfig, Parameter(name="*")] = ServeConfig(),  # noqa: B008 - a frozen value
    engine: str = "auto",
    device: str = "auto",
) -> None:
    """Serve trained models over HTTP: an API for programs, a page for people, and Label Studio's ML backend.

    It listens on this machine alone unless told otherwise. SIGTERM and Ctrl-C finish what runs; a second one ends it.

        muybridge serve runs/default-1

    Args:
        runs: Run directories or model folders; the first answers where a request names no model.
        config: How the server is reached, and how much it takes on.
        engine: What computes clips: auto, torch, onnx, openvino or an export by name, as in predict.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
    """
    from muybridge import api

    api.serve(runs, config, engine=engine, device=device)


@app.command
def export(
    run: Path,
    /,
    *,
    to: Literal["onnx", "openvino", "torch"],
    precision: Literal["fp32", "bf16", "int8"] = "fp32",
    streaming: Annotated[bool, Parameter(negative="")] = False,
    force: Annotated[bool, Parameter(negative="")] = False,
    out: Path | None = None,
    clips: int = 128,
    clips_root: Annotated[Path | None, Parameter(("--clips-root", "--data"))] = None,
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Write a run's model for a faster engine, and check it against torch on the run's own clips.

    Predict and evaluate use it with --engine. Refused, with nothing left behind, is what disagrees with torch: in fp32
    by a probability more than 0.001 apart, otherwise by more than 1 point of accuracy on the validation clips.

        muybridge export runs/default-1 --to onnx

    Args:
        run: A run directory of a training.
        to: The engine: onnx (ONNX Runtime) and openvino are extras to install; torch is the model prepared for
            inference.
        precision: What it computes in: fp32, bf16 (torch, openvino), or int8 (onnx, openvino), calibrated on training
            clips.
        streaming: Write next to it stream.onnx or stream.xml, one step of a model that sees past frames only (MoViNet
            with head probe or mean): a frame and the state in, the scores so far and the new state out.
        force: Keep it in spite of a failed check; then only --engine with its full name uses it.
        out: Folder to make; default: exports/ENGINE-PRECISION in the run, where predict looks.
        clips: At most this many training clips are compared, and for int8 observed; all validation clips are.
        clips_root: Folder that holds the run's clips now, where they were moved or renamed.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.export(
        run, to=to, precision=precision, streaming=streaming, force=force, out=out, clips=clips, clips_root=clips_root
    )
    show(result, as_json=as_json)
    if not as_json and out is None:
        suggest(["predict", run, "VIDEO", "--engine", f"{to}-{precision}"])


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
def report(
    runs: list[Path],
    /,
    *,
    clips_root: Path | None = None,
    out: Path | None = None,
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Make one self-contained HTML page of a run, or of several side by side.

        muybridge report runs/default-1 runs/best-1

    Args:
        runs: Run directories of trainings and ensembles, in any mix, of the same classes; the others are compared
            with the first.
        clips_root: Folder that holds the clips of the runs now, where they were moved or renamed.
        out: The file to write; default: report.html in the run, or in the current folder for several.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    file = api.report(runs, clips_root=clips_root, out=out)
    write({"report": str(file), "runs": [str(run) for run in runs]} if as_json else f"report: {file}")
    if not as_json:
        say(f"next: open {file.absolute().as_uri()} in a browser")


@app.command
def sweep(
    recipe: Annotated[str, Parameter("--recipe")],
    clips: Path,
    *,
    over: Annotated[list[str], Parameter(consume_multiple=False)],
    trials: int | None = None,
    folder: Path | None = None,
    prune: bool = True,
    device: str = "auto",
    experiment: Annotated[Recipe, Parameter(name="*")] = Recipe(),  # noqa: B008 - a frozen value
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Train a recipe with some options varied, and compare the trials on the validation part, never on the test part.

    Run the same command again to continue after an interruption, or with more `--trials` to go on.

        muybridge sweep default my_clips --over model.dropout=0.3,0.5

    Args:
        recipe: Name of a recipe that comes with muybridge (default is one), or a YAML file.
        clips: A folder with a sub-folder per class, a CSV, annotations of long videos, or an HMDB-51 or UCF101 folder.
        over: What is varied, once per option. KEY=a,b,c: these values, written as in YAML, lists in brackets:
            model.head_widths=[256,128],[256]. KEY=low..high: anything between; by powers of ten if the ends are
            positive and 10 times apart, or as log:low..high and linear:low..high say.
        trials: How many trainings in all; default: every combination of values, or 20 where there is a range.
        folder: The sweep's folder, made or continued; default: runs/sweeps/NAME-OPTIONS.
        prune: Stop trials early that fall behind the median of the others.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        experiment: Every option of the recipe; what is not varied.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    try:
        result = api.sweep(clips, experiment, over=over, trials=trials, folder=folder, prune=prune, device=device)
    except Interrupted as interrupted:
        say(f"\nstopped; what is done is in {interrupted.folder}. Run the same command again to continue.")
        sys.exit(EXIT_INTERRUPTED)
    show(result, as_json=as_json)
    if not as_json:
        suggest(["train", clips, "--recipe", result.folder / "best.yaml"])


@app.command
def ensemble(
    runs: list[Path],
    /,
    *,
    rule: Literal["mean", "logits", "vote", "weighted"] = "mean",
    calibrate: Annotated[bool, Parameter(negative="")] = False,
    run: Path | None = None,
    name: str | None = None,
    clips_root: Path | None = None,
    device: str = "auto",
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Combine finished runs into one model, and measure what it gains on each of them.

    The result is a run: evaluate, predict and report take it as they take that of a training. Members may differ
    in network, frames and size. Refused are members that were fitted on the test clips of another.

        muybridge ensemble runs/default-1 runs/best-1

    Args:
        runs: Run directories made by train, of the same clips, protocol and split seed; or one, with --calibrate.
        rule: mean: average of probabilities, as in the paper; logits: average of logits; vote: majority; weighted:
            average of probabilities with weights fitted on the validation clips.
        calibrate: Give each member a temperature, fitted on the validation clips, so that its scores are as sure as
            it is right.
        run: The run directory to make; default: runs/ensemble-1, -2, ....
        name: Name of the run directory, in runs/; instead of --run.
        clips_root: Folder that holds the clips of the runs now, where they were moved or renamed.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.ensemble(
        runs, rule=rule, calibrate=calibrate, run=run, name=name, clips_root=clips_root, device=device
    )
    show(result, as_json=as_json)
    if not as_json:
        suggest(["predict", result.run, "VIDEO"], ["report", result.run, runs[0]])


@app.command
def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print what lets a shell complete verbs, options and their values with the tab key.

    Install it once, then open a new shell. bash: as below. zsh: the same with zsh and ~/.zshrc, after a line
    'autoload -Uz compinit; compinit'. fish: write it to ~/.config/fish/completions/muybridge.fish.

        echo 'eval "$(muybridge completion bash)"' >> ~/.bashrc

    Args:
        shell: The shell.
    """
    write(app.generate_completion(shell=shell).rstrip())


def _profile(clips: Path | None, experiment: Recipe, *, unused: object, device: str, as_json: bool) -> None:
    from muybridge import api

    if clips is None or unused is not None:
        raise UserError(
            "--profile takes CLIPS, and makes or continues no run; for example: muybridge train my_clips --profile"
        )
    result = api.profile(clips, experiment, device=device)
    show(result, as_json=as_json)


@app.command(name="runs")
def list_runs(folder: Path = Path("runs"), *, as_json: Annotated[Json, Parameter("--json")] = False) -> None:
    """List the trainings, ensembles and sweeps in a folder: data, recipe, protocol, accuracy, when, size.

        muybridge runs --json

    Args:
        folder: Where to look, its sub-folders included.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.list_runs(folder)
    show(result, as_json=as_json)
    measured = [run.path for run in result.runs if run.accuracy and run.kind != "sweep"]
    if measured and not as_json:
        suggest(["report", *measured[-2:]])


@app.command
def cache(
    dataset: str | None = None,
    *,
    clear: Annotated[bool, Parameter(negative="")] = False,
    folder: Path | None = None,
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Say what the cache of decoded frames and features holds, per data set, or clear it.

    Trainings make it again when they need it.

        muybridge cache --clear my_clips

    Args:
        dataset: With --clear: only what is of this data set, by its folder, the folder's name, or unknown.
        clear: Delete it, without a question.
        folder: The cache folder; default: $MUYBRIDGE_CACHE, else ~/.cache/muybridge/frames.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    if dataset is not None and not clear:
        raise UserError(f"{dataset}: what is to happen with it? muybridge cache --clear {dataset} deletes it")
    show(api.clear_cache(dataset, folder=folder) if clear else api.cache_contents(folder=folder), as_json=as_json)
    if not (clear or as_json):
        suggest(["cache", "--clear", "DATASET"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; bad input is one line on standard error and exit code 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    verb = words[0] if words and words[0] not in (*help_screen.HELP, help_screen.HELP_ALL, "--version") else ""
    options = words[: words.index("--")] if "--" in words else words
    asked = {*options} & {*help_screen.HELP, help_screen.HELP_ALL}
    prepare_streams(one_of_many=verb == "train")
    try:
        if verb:
            error_lines.require_verb(app, verb)
        if asked or not words:
            defaults = _default_values() if verb == "train" else {}
            write(help_screen.text(app, verb, everything=help_screen.HELP_ALL in asked, defaults=defaults))
            return
        if verb:
            error_lines.require_options(app, verb, options)
        app(words, exit_on_error=False, print_error=False)
    except (UserError, CycloptsError) as error:
        if isinstance(error, NotSavedError):  # the work is done: its result must not be lost with the disk
            show(error.result, as_json="--json" in options)
        say(f"error: {error_lines.line(error, app, verb, words)}")
        sys.exit(EXIT_USER_ERROR)
    except BrokenPipeError:
        closed_pipe()
    except Exception as error:
        line = error_lines.of_disk(error)
        if line is None:
            raise
        say(f"error: {line}")
        sys.exit(EXIT_USER_ERROR)
