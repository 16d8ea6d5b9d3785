"""A training that is stopped half-way, as Ctrl-C would."""

from pathlib import Path

from muybridge.console import STDERR
from muybridge.experiment.complete import resumable
from muybridge.experiment.dividing import divide
from muybridge.experiment.fit import Fitted, StopEarly, fit_experiment
from muybridge.experiment.prepare import prepare
from muybridge.recipes.recipe import Recipe
from muybridge.system import resolve_device


def fit_run(clips: Path, recipe: Recipe, *, run: Path, stop_early: StopEarly) -> Fitted:
    """Prepare and fit as ``train`` does, with something to ask after every epoch."""
    experiment = prepare(divide(clips, recipe.data), recipe, run=run, device=resolve_device(), console=STDERR)
    with resumable(experiment.folder):
        return fit_experiment(experiment, stop_early=stop_early, console=STDERR)
