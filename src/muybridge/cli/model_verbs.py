"""Verbs that use a trained model on videos."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from muybridge.api import SegmentRules, ServeConfig, UserError, WindowConfig
from muybridge.cli.application import Crops, Flip, Isolate, Json, Times, app
from muybridge.terminal import say, show, suggest, write, write_line


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
    engine: str = "torch",
    on: Literal["local", "ray"] = "local",
    device: str = "auto",
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Say what happens when in long videos: segments with a class, a start and an end.

    Each frame is decoded and encoded once, windows slide over its features, and memory does not grow with the video.

        muybridge timeline runs/default-1 game.mp4

    Args:
        run: A run directory of a training or an ensemble, or a model folder; also by URL.
        videos: Files, folders of them, or URLs.
        windows: How the videos are looked at.
        rules: From scores to segments; default: those that were tuned for this run.
        tune: Annotations of validation videos, in any format that train takes: choose the rules on them first, and keep
            them in the run.
        truth: Annotations to measure against: frame accuracy, edit score, F1 at overlaps, mAP, borders, false alarms.
        out: Folder for the files; default: timelines/ in the run.
        formats: What is written there: json, csv, srt, vtt, html, drawn, label-studio, elan, boris, activitynet,
            cvat; default: the first five. drawn: the video with the labels on its pictures.
        resume: Go on where a killed job was, and take scores that are there already.
        engine: What computes: torch encodes each frame once; onnx, openvino or an export by name, as in predict, scores
            whole windows, which overlap by half.
        on: ray: spans of the videos are scored on a Ray cluster (an extra to install).
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
        engine=engine,
        on=on,
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
    engine: str = "torch",
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
        engine: What computes: torch encodes each frame once; onnx, openvino or an export by name, as in predict, scores
            a whole window each half a window.
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
        engine=engine,
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
        run: A run directory of a training, or its URL.
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
