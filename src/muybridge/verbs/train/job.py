"""Training on a folder of clips, then measuring on the clips that were held out."""

from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR
from muybridge.experiment.complete import TrainResult, complete
from muybridge.experiment.prepare import divide, prepare, reopen
from muybridge.recipes.recipe import Recipe


def train(
    clips: str | Path,
    recipe: Recipe | None = None,
    *,
    run: str | Path | None = None,
    console: Console = STDERR,
) -> TrainResult:
    """Train on a folder of clips, then measure on the clips that were held out.

    Args:
        clips: A folder with a sub-folder per class, a CSV, or an HMDB-51 or UCF101 folder.
        recipe: The experiment; default: the default recipe.
        run: The run directory to make; default: ``runs/<recipe>-<n>``.
        console: Where progress is printed.

    Returns:
        The run directory and the test result.

    Raises:
        UserError: For clips or options that make no sense, before anything is written.
        Interrupted: On Ctrl-C; ``resume`` continues.
    """
    recipe = recipe or Recipe()
    divided = divide(clips, recipe.data)
    divided.announce(console)
    return complete(prepare(divided, recipe, run=Path(run) if run else None, console=console), console=console)


def resume(run: str | Path, *, console: Console = STDERR) -> TrainResult:
    """Continue an interrupted training; the result is the one it would have had.

    Args:
        run: The run directory.
        console: Where progress is printed.

    Raises:
        UserError: If there is no run, or it is damaged.
        Interrupted: On Ctrl-C.
    """
    return complete(reopen(Path(run)), console=console)
