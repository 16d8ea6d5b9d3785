"""The command line: one verb per job, thin.

Notable: only parsing happens at import. torch, PyAV and OpenCV are imported inside the verbs, so that ``--help``
answers at once. Results go to standard output (with ``--json`` as JSON), everything else to standard error.
"""

import glob
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter
from cyclopts.argument import ArgumentCollection
from rich.console import Console
from rich.markup import escape

from muybridge.errors import UserError
from muybridge.recipes.loading import LIST_STYLE, read_values, recipe_config
from muybridge.recipes.recipe import DataConfig, Recipe

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130

STDERR = Console(stderr=True)

Json = Annotated[bool, Parameter(negative="")]


def _recipe_values(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Let the recipe named by --recipe fill in what no flag says."""
    for argument in arguments:
        if argument.name == "--recipe" and argument.tokens:
            recipe_config(*read_values(argument.tokens[0].value))(app, commands, arguments)


app = App(
    name="muybridge",
    help="Action recognition from video: a clip goes in, 'cartwheel, 0.93' comes out.",
    help_epilogue="Start with 'muybridge demo', then 'muybridge train CLIPS' on a folder with a sub-folder per class.",
    config=[_recipe_values],
    suppress_keyboard_interrupt=False,
    result_action="return_value",
    default_parameter=LIST_STYLE,
    help_format="markdown",
)


@app.command
def demo(
    folder: Path = Path("muybridge-demo"),
    *,
    seed: int = 0,
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Render clips of moving figures, train on them, measure, and predict one. No download, a few minutes.

    Args:
        folder: Where clips and runs go.
        seed: Seed of the clips and of the training.
        as_json: Print the result as JSON.
    """
    from muybridge.demo.running import run_demo

    result = run_demo(folder, seed=seed, console=STDERR)
    _print(result.to_dict() if as_json else str(result))


@app.command
def check(
    clips: Path,
    *,
    out: Path | None = None,
    workers: int = -1,
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Decode every clip fully and say what is wrong: bad files, lying headers, duplicates, leaks between sources.

    Args:
        clips: A folder with a sub-folder per class, a CSV (path, label, ...), or an HMDB-51 or UCF101 folder.
        out: Folder for check.json and check.csv; default: CLIPS-check in the current folder.
        workers: Processes that decode; -1: one per core.
        as_json: Print the result as JSON.
    """
    from rich.progress import Progress

    from muybridge.dataset.layouts import read_catalog
    from muybridge.pipeline.check_summary import summarise
    from muybridge.pipeline.checking import check_catalog

    catalog = read_catalog(clips)
    with Progress(console=STDERR, transient=True, disable=not STDERR.is_terminal) as progress:
        task = progress.add_task("decoding", total=len(catalog.clips))
        report = check_catalog(
            catalog,
            workers=None if workers < 0 else workers,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    folder = out or Path(f"{clips.resolve().stem}-check")
    report.save(folder)
    _print(
        report.to_dict() if as_json else f"{summarise(report)}\nsaved: {folder / 'check.json'}, {folder / 'check.csv'}"
    )


@app.command
def train(
    clips: Path | None = None,
    *,
    recipe: Annotated[str, Parameter("--recipe")] = "",
    run: Path | None = None,
    resume: Path | None = None,
    experiment: Annotated[Recipe, Parameter(name="*")] = Recipe(),  # noqa: B008 - a frozen value
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Train on a folder of clips, measure on clips held out, and write a report.

    Args:
        clips: A folder with a sub-folder per class, a CSV (path, label and optional group, split, start, end), or
            an HMDB-51 or UCF101 folder.
        recipe: Name of a recipe that comes with muybridge, or a YAML file. Flags go before its values.
        run: The run directory to make; default: runs/NAME-1, -2, ....
        resume: Continue this run where it was interrupted; no other option goes with it.
        experiment: Every option of the recipe.
        as_json: Print the result as JSON.
    """
    from muybridge import api
    from muybridge.training.fitting import Interrupted

    if (clips is None) == (resume is None):
        raise UserError("train takes either CLIPS or --resume RUN; for example: muybridge train my_clips")
    if resume is not None and (recipe or run is not None or experiment != Recipe()):
        raise UserError(f"--resume {resume} continues with the run's own recipe; leave the other options out")
    try:
        if resume is not None:
            result = api.resume(resume, console=STDERR)
        else:
            assert clips is not None
            result = api.train(clips, experiment, run=run, console=STDERR)
    except Interrupted as interrupted:
        STDERR.print(
            f"\nstopped; everything up to the last finished epoch is saved. Continue with:\n"
            f"  muybridge train --resume {interrupted}",
            highlight=False,
            soft_wrap=True,
        )
        sys.exit(EXIT_INTERRUPTED)
    _print(result.to_dict() if as_json else str(result))


@app.command
def evaluate(
    run: Path,
    clips: Path | None = None,
    *,
    views: int | None = None,
    out: Path | None = None,
    data: Annotated[DataConfig, Parameter(name="*")] = DataConfig(),  # noqa: B008 - a frozen value
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Measure a run on its own test clips, or on other labelled clips (classes are matched by name).

    Args:
        run: A run directory, or a model folder together with CLIPS.
        clips: Other labelled clips: a folder, a CSV, or an HMDB-51 or UCF101 folder.
        views: How many samplings of each clip to combine; default: as the model was trained to be used.
        out: Folder for the result files; default: evaluations/ in the run.
        data: Which of the other clips.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    evaluation = api.evaluate(run, clips, views=views, out=out, data=data, console=STDERR)
    _print(evaluation.to_dict() if as_json else "\n".join(evaluation.details()))


@app.command
def predict(
    model: Path,
    videos: list[str],
    /,
    *,
    top: int = 3,
    views: int | None = None,
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Name the action in video files.

    Args:
        model: A run directory or a model folder.
        videos: Files, folders or glob patterns ('clips/*.avi').
        top: How many classes to print.
        views: How many samplings of each clip to combine; default: as the model was trained to be used.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    if top < 1:
        raise UserError(f"--top is {top}; give 1 or more")
    paths = find_videos(videos)
    recognizer = api.load(model)
    found = []
    for prediction in recognizer.predict_files(paths, views=views):
        if prediction.error is not None:
            STDERR.print(
                f"skipped {prediction.path}: {prediction.error}",
                highlight=False,
                soft_wrap=True,
                markup=False,
            )
        elif not as_json:
            _print(prediction.describe(top))
        found.append(prediction)
    if as_json:
        _print([prediction.to_dict(top) for prediction in found])
    if all(prediction.error is not None for prediction in found):
        raise UserError(f"none of {len(found)} files could be decoded")


def find_videos(patterns: Sequence[str]) -> list[Path]:
    """Files, folders and glob patterns as a list of files.

    Raises:
        UserError: If one of them names nothing.
    """
    from muybridge.dataset.layouts import VIDEO_SUFFIXES

    paths: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file())
            if not found:
                raise UserError(f"no video files in {path}")
        elif path.exists():
            found = [path]
        else:
            found = sorted(Path(name) for name in glob.glob(pattern, recursive=True) if Path(name).is_file())
            if not found:
                raise UserError(f"no such file, folder or pattern: {pattern}")
        paths += found
    return paths


def _print(result: Any) -> None:
    """Print a result: text as it is, anything else as JSON."""
    sys.stdout.write((result if isinstance(result, str) else json.dumps(result, indent=2)) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; bad input is one line on standard error and exit code 2."""
    try:
        app(arguments, exit_on_error=False, print_error=False)
    except (UserError, CycloptsError) as error:
        message = " ".join(str(error).split())
        STDERR.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
        sys.exit(EXIT_USER_ERROR)
