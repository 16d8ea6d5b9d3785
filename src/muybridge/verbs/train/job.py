"""Training on a folder of clips, then measuring on the clips that were held out."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from rich.console import Console

from muybridge.console import STDERR, say
from muybridge.dataset.catalog import Clip
from muybridge.dataset.locating import exists
from muybridge.dataset.run_clips import require_files, split_of
from muybridge.experiment.complete import TrainResult, complete
from muybridge.experiment.dividing import divide
from muybridge.experiment.learning_curve import check_curve
from muybridge.experiment.prepare import prepare, reopen
from muybridge.recipes.options import Options, option_values, recipe_with
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import parse_recipe
from muybridge.remote_runs import local_run, uploaded_run
from muybridge.runs import RunFolder, chosen_folder
from muybridge.training.loggers import LoggerName, check_logger
from muybridge.verbs.train.calls import Call, Processes, Where
from muybridge.verbs.train.default_recipe import FIRST, available_recipe
from muybridge.verbs.train.processes import announce, in_processes, own_device


def train(
    clips: str | Path,
    recipe: Recipe | str | Path | None = None,
    *,
    run: str | Path | None = None,
    name: str | None = None,
    device: str = "auto",
    from_run: str | Path | None = None,
    clips_root: str | Path | None = None,
    learning_curve: bool = False,
    device_count: int | None = None,
    node_count: int = 1,
    on: Where = "local",
    logger: LoggerName = "csv",
    console: Console = STDERR,
    **options: Unpack[Options],
) -> TrainResult:
    """Train on a folder of clips, then measure on the clips that were held out.

    Args:
        clips: A folder with a sub-folder per class, a CSV, annotations of long videos, or an HMDB-51 or UCF101 folder.
        recipe: A recipe, the name of one that comes with muybridge, or a YAML file; default: ``default``, or if its
            weights are missing, a recipe whose weights are available.
        run: The run directory to make, or its URL, such as ``s3://bucket/runs/first``; default:
            ``runs/<recipe>-<encoder>-<head>-<n>``.
        name: Name of the run directory, in ``runs/``; instead of ``run``.
        device: Where it computes: ``auto``, a GPU if there is one; ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        from_run: A run to go on from with more clips or classes: its clips are used besides the new ones, and its
            recipe if none is named. What is kept of its clips in the cache is not computed again.
        clips_root: Folder that holds the clips of ``from_run`` now, where they were moved or renamed.
        learning_curve: Whether to measure how accuracy grows with the number of clips a class; head ``probe`` only.
        device_count: Processes on this machine, each with a GPU of its own (or sharing the CPU). Default: as many as
            torchrun or SLURM started, else one.
        node_count: Machines; see docs/how-to/many-gpus.md.
        on: ``ray``: the processes are started by Ray Train, on the cluster that it finds.
        logger: Who gets the figures of every epoch besides metrics.csv: ``tensorboard``, ``wandb`` or ``mlflow``.
        console: Where progress is printed.
        options: What differs from the recipe, by the names of flags and keys: ``epochs=2, encoder="i3d"``; an option
            without a short name goes into its section: ``model={"head_widths": [128, 64]}``.

    Returns:
        The run directory and the test result.

    Raises:
        UserError: For clips or options that make no sense, before anything is written.
        Interrupted: On Ctrl-C; ``resume`` continues, and the best epoch so far is a model to use.
    """
    call: dict[str, Any] = {
        "clips": clips,
        "recipe": recipe,
        "run": run,
        "name": name,
        "device": device,
        "from_run": from_run,
        "clips_root": clips_root,
        "learning_curve": learning_curve,
        "logger": logger,
        **options,
    }
    return in_processes(
        partial(_train, console=console, **call),
        Call(train, call),
        Processes(device_count, node_count, on),
        device=device,
    )


def _train(
    clips: str | Path,
    recipe: Recipe | str | Path | None,
    *,
    run: str | Path | None,
    name: str | None,
    device: str,
    from_run: str | Path | None,
    clips_root: str | Path | None,
    learning_curve: bool,
    logger: LoggerName,
    console: Console,
    **options: Any,
) -> TrainResult:
    """What ``train`` does in the first of its processes."""
    chosen_device = own_device(device)
    check_logger(logger)
    folder = chosen_folder(run, name)
    others: tuple[Clip, ...] = ()
    if from_run is not None:
        before = RunFolder.trained(local_run(Path(from_run), announce=partial(say, console)))
        others = _clips_of(before, clips_root)
        recipe = before.recipe if recipe is None else recipe
    recipe = _recipe(clips, recipe, options, console)
    if learning_curve:
        check_curve(recipe)
    divided = divide(
        clips,
        recipe.data,
        validates=recipe.model.head != "probe",
        others=others,
        cache=recipe.cache,
        console=console,
    )
    divided.announce(console)
    with uploaded_run(folder, announce=partial(say, console)) as place:
        experiment = prepare(divided, recipe, run=place, device=chosen_device, logger=logger, console=console)
        announce(experiment.folder.path, chosen_device, console)
        result = complete(experiment, curve=learning_curve, console=console)
    return result if folder is None else replace(result, run=folder)


def recipe_of(run: str | Path) -> Path:
    """The file of a run's recipe.

    Raises:
        UserError: If there is no run.
    """
    return RunFolder.trained(local_run(Path(run))).recipe


def _clips_of(run: RunFolder, clips_root: str | Path | None) -> tuple[Clip, ...]:
    """The clips of a run.

    Raises:
        UserError: If one of their files is gone.
    """
    clips = split_of(run, clips_root).clips
    require_files(clips, run=run.path)
    return clips


def _recipe(
    clips: str | Path, recipe: Recipe | str | Path | None, options: Mapping[str, Any], console: Console
) -> Recipe:
    """The recipe to train, chosen as on the command line where none is named."""
    given = option_values(options, verb="train")
    if recipe is None:
        recipe = FIRST
        # Whoever names an encoder or its weights has left nothing to choose; and without clips nothing is downloaded.
        if exists(Path(clips)) and not given.get("model", {}).keys() & {"encoder", "weights"}:
            values, source = available_recipe(partial(say, console))
            return parse_recipe(values, source=source, first=(given, "the options of train"))
    return recipe_with(recipe, options, verb="train")


def resume(
    run: str | Path,
    *,
    device: str = "auto",
    device_count: int | None = None,
    node_count: int = 1,
    on: Where = "local",
    logger: LoggerName = "csv",
    clips_root: str | Path | None = None,
    console: Console = STDERR,
) -> TrainResult:
    """Continue an interrupted training; the result is the one it would have had.

    Args:
        run: The run directory.
        device: Where it computes, as in ``train``; it may be another than before.
        device_count: As in ``train``; it may be another number than before.
        node_count: As in ``train``.
        on: As in ``train``.
        logger: As in ``train``.
        clips_root: Folder that holds the run's clips now, where they were moved or renamed; the run remembers it.
        console: Where progress is printed.

    Raises:
        UserError: If there is no run, or it is damaged.
        Interrupted: On Ctrl-C.
    """
    call: dict[str, Any] = {"run": run, "device": device, "logger": logger, "clips_root": clips_root}
    return in_processes(
        partial(_resume, console=console, **call),
        Call(resume, call),
        Processes(device_count, node_count, on),
        device=device,
    )


def _resume(
    run: str | Path, *, device: str, logger: LoggerName, clips_root: str | Path | None, console: Console
) -> TrainResult:
    """What ``resume`` does in the first of its processes."""
    chosen_device = own_device(device)
    check_logger(logger)
    with uploaded_run(Path(run), resumes=True, announce=partial(say, console)) as place:
        assert place is not None
        experiment = reopen(place, device=chosen_device, logger=logger, clips_root=clips_root, console=console)
        announce(experiment.folder.path, chosen_device, console)
        return replace(complete(experiment, console=console), run=Path(run))
