"""Training on a folder of clips, then measuring on the clips that were held out."""

from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR
from muybridge.experiment.complete import TrainResult, complete
from muybridge.experiment.prepare import divide, prepare, reopen
from muybridge.recipes.recipe import Recipe
from muybridge.runs import chosen_folder
from muybridge.system import check_device_count, resolve_device
from muybridge.training.loggers import LoggerName, check_logger


def train(
    clips: str | Path,
    recipe: Recipe | None = None,
    *,
    run: str | Path | None = None,
    name: str | None = None,
    device: str = "auto",
    device_count: int = 1,
    logger: LoggerName = "csv",
    console: Console = STDERR,
) -> TrainResult:
    """Train on a folder of clips, then measure on the clips that were held out.

    Args:
        clips: A folder with a sub-folder per class, a CSV, or an HMDB-51 or UCF101 folder.
        recipe: The experiment; default: the default recipe.
        run: The run directory to make; default: ``runs/<recipe>-<encoder>-<head>-<n>``.
        name: Name of the run directory, in ``runs/``; instead of ``run``.
        device: Where it computes: ``auto``, a GPU if there is one; ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        device_count: Devices to train on; only 1 so far.
        logger: Who gets the figures of every epoch besides metrics.csv: ``tensorboard``, ``wandb`` or ``mlflow``.
        console: Where progress is printed.

    Returns:
        The run directory and the test result.

    Raises:
        UserError: For clips or options that make no sense, before anything is written.
        Interrupted: On Ctrl-C; ``resume`` continues, and the best epoch so far is a model to use.
    """
    check_device_count(device_count)
    chosen_device = resolve_device(device)
    check_logger(logger)
    folder = chosen_folder(run, name)
    recipe = recipe or Recipe()
    divided = divide(clips, recipe.data)
    divided.announce(console)
    experiment = prepare(divided, recipe, run=folder, device=chosen_device, logger=logger, console=console)
    return complete(experiment, console=console)


def resume(
    run: str | Path,
    *,
    device: str = "auto",
    device_count: int = 1,
    logger: LoggerName = "csv",
    console: Console = STDERR,
) -> TrainResult:
    """Continue an interrupted training; the result is the one it would have had.

    Args:
        run: The run directory.
        device: Where it computes, as in ``train``; it may be another than before.
        device_count: Devices to train on; only 1 so far.
        logger: As in ``train``.
        console: Where progress is printed.

    Raises:
        UserError: If there is no run, or it is damaged.
        Interrupted: On Ctrl-C.
    """
    check_device_count(device_count)
    check_logger(logger)
    return complete(reopen(Path(run), device=resolve_device(device), logger=logger), console=console)
