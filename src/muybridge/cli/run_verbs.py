"""Verbs on runs: measuring again, comparing, uploading, and what there is."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from muybridge.api import DataConfig, UserError
from muybridge.cli.application import Crops, Flip, Isolate, Json, Times, app
from muybridge.terminal import say, show, suggest, write


@app.command
def evaluate(
    run: Path,
    clips: Path | None = None,
    *,
    unknown: Path | None = None,
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
        run: A run directory of a training or an ensemble, or a model folder together with CLIPS; also by URL.
        clips: Other labelled clips: a folder, a CSV, annotations of long videos, an HMDB-51 or UCF101 folder, or one
            video in its class folder.
        unknown: Clips of classes that the model does not know, named as CLIPS are: how well it tells them from known
            ones.
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
        unknown=unknown,
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
        runs: Run directories of trainings and ensembles, or their URLs, in any mix, of the same classes; the others
            are compared with the first.
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
        source: A run, also by URL, or a folder that pack made.
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
def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print what lets a shell complete verbs, options and their values with the tab key.

    Install it once, then open a new shell. bash: as below. zsh: the same with zsh and ~/.zshrc, after a line
    'autoload -Uz compinit; compinit'. fish: write it to ~/.config/fish/completions/muybridge.fish.

        echo 'eval "$(muybridge completion bash)"' >> ~/.bashrc

    Args:
        shell: The shell.
    """
    write(app.generate_completion(shell=shell).rstrip())


@app.command(name="runs")
def list_runs(folder: Path = Path("runs"), *, as_json: Annotated[Json, Parameter("--json")] = False) -> None:
    """List the trainings, ensembles and sweeps in a folder: data, recipe, protocol, accuracy, when, size.

        muybridge runs --json

    Args:
        folder: Where to look, its sub-folders included; also by URL, s3://bucket/runs.
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
