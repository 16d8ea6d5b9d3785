"""The final model: fitted again on all clips, once the accuracy is measured on clips that were held out.

Notable: an official or given test part stays a test part. There the model is fitted again on training and validation
clips before it is measured, so that the accuracy is its own. Elsewhere it learns from the test clips, too, and the
accuracy is that of the model before it. That one stays with the run, for whatever is decided on clips held out.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from muybridge.console import say
from muybridge.dataset.split import FITTED_PARTS, PARTS, Part, Split
from muybridge.experiment.fit import FitOutcome, Fitted, fit_experiment
from muybridge.experiment.kept_features import draws
from muybridge.experiment.prepare import Experiment
from muybridge.files import copy_folder
from muybridge.models.description import METADATA_FILE, model_state
from muybridge.runs import RunFolder
from muybridge.text import counted
from muybridge.training.encoding import encodes_once

CHEAP_SECONDS = 60
"""A final fit is worth so much without being asked for."""


def parts_to_refit(experiment: Experiment) -> tuple[Part, ...]:
    """The parts that a final model may learn from."""
    fixed = experiment.split.protocol == "given" or experiment.split.protocol.startswith("official")
    return FITTED_PARTS if fixed else PARTS


def parts_seen(model: Path) -> tuple[Part, ...]:
    """The parts that the model in a folder was fitted on after another was measured; none where it was not.

    Raises:
        UserError: If its description is damaged.
    """
    return model_state(model).refitted if (model / METADATA_FILE).is_file() else ()


def wants_refit(experiment: Experiment, outcome: FitOutcome) -> bool:
    """Whether a final model is fitted; its test clips are encoded for their measuring anyway."""
    split = experiment.split
    clips = sum(len(getattr(split, part)) for part in parts_to_refit(experiment))
    before = len((experiment.folds or (split,))[0].train)
    if clips == len(split.train) or experiment.recipe.training.refit is False:
        return False
    if experiment.recipe.training.refit:
        return True
    if draws(experiment.recipe) or not encodes_once(experiment.net, experiment.recipe.cache):
        return False  # every clip would have to be encoded anew, or in every epoch
    return outcome.seconds * clips / before < CHEAP_SECONDS


def refit(experiment: Experiment, outcome: FitOutcome, *, tries_unknown: bool, console: Console) -> Fitted:
    """Fit the final model and put it in the place of the one before it.

    Args:
        experiment: The training.
        outcome: What its fit found.
        tries_unknown: As in `fit_experiment`.
        console: Where progress is printed.
    """
    folder, split, parts = experiment.folder, experiment.split, parts_to_refit(experiment)
    inner = RunFolder(folder.path / "refit")
    shutil.rmtree(inner.path, ignore_errors=True)
    own = replace(experiment.over(_all_in_train(split, parts), inner), resumes=False)
    say(console, f"final model: fitting again on {counted(len(own.split.train), 'clip')}")
    quiet = encodes_once(own.net, own.recipe.cache)
    final = fit_experiment(
        own,
        like=outcome,
        refitted=parts,
        tries_unknown=tries_unknown,
        console=Console(quiet=True) if quiet else console,
    )
    if not experiment.folds:  # their models have folders of their own
        copy_folder(folder.model, folder.before_refit)
    final.recognizer.save(folder.model)
    shutil.rmtree(inner.path)
    return final


def _all_in_train(split: Split, parts: Sequence[Part]) -> Split:
    """The clips of some parts as one training part."""
    ids = tuple(sorted(id for part in parts for id in getattr(split, part)))
    kept = {*ids}
    clips = tuple(clip for clip in split.clips if clip.id in kept)
    return replace(split, train=ids, validation=(), test=(), clips=clips)
