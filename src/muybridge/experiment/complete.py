"""A whole training: fit, measure on the clips that were held out, fit the final model, write the page.

Notable: a model is measured by the path that ``predict`` uses, from the files and not from the cache, unless the final
fit needs the test clips encoded, too: then, and by folds, it is measured on what is kept of each clip.
"""

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from muybridge import notebook
from muybridge.console import say
from muybridge.disk_errors import disk_error, in_one_line, keeping_result
from muybridge.errors import Interrupted, NotSavedError, UserError
from muybridge.evaluation.evaluation import Evaluation
from muybridge.evaluation.plots import plot_curves
from muybridge.experiment.cross_validate import cross_validate
from muybridge.experiment.fit import fit_experiment, keep_best
from muybridge.experiment.held_out import predict_kept
from muybridge.experiment.learning_curve import measure_curve
from muybridge.experiment.measure import measure_test_part
from muybridge.experiment.prepare import Experiment
from muybridge.experiment.provenance import session
from muybridge.experiment.refit import parts_to_refit, refit, wants_refit
from muybridge.files import copy_folder, write_json
from muybridge.models.description import METADATA_FILE, model_state
from muybridge.reporting.job import report
from muybridge.runs import RunFolder
from muybridge.storage.urls import written
from muybridge.text import counted
from muybridge.training.encoding import encodes_once
from muybridge.training.leaving_classes_out import UnknownFigures

REFITTED = "the model was then fitted again on all {clips} clips; the accuracy is that of models that had not seen them"
"""What every result says where the model is not the one that was measured."""


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        run: The run directory.
        evaluation: Accuracy on the test part, or None when the split has no test clips.
        rows: One row of figures per epoch; none for cross-validation, whose folds.csv has a row per fold.
        unknown: How well clips of unknown classes are told from those of known ones; None where it was not tried.
        refitted: How many clips the final model was fitted on after another was measured; 0: the model is the one
            that was measured.
        curve: The rows of the learning curve, if it was asked for.
        saved: Whether all files of the run are written; not so in a `NotSavedError` alone.
    """

    run: Path
    evaluation: Evaluation | None
    rows: list[dict[str, Any]]
    unknown: UnknownFigures | None = None
    refitted: int = 0
    curve: list[dict[str, Any]] | None = None
    saved: bool = True

    def __str__(self) -> str:
        lines = [*self.evaluation.details()] if self.evaluation else [f"run: {written(self.run)}"]
        if self.unknown is not None:
            lines.append(str(self.unknown))
        if self.refitted:
            lines.append(REFITTED.format(clips=self.refitted))
        if self.evaluation is not None and self.saved:
            lines.append(f"report: {written(RunFolder(self.run).report)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The result in a notebook."""
        title = f"run {written(self.run)}"
        facts = notebook.facts({"epochs": len(self.rows), "report": RunFolder(self.run).report})
        return notebook.card(title, facts, *(self.evaluation.html_parts() if self.evaluation else ()))

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "run": written(self.run),
            "report": written(RunFolder(self.run).report),
            "epochs": len(self.rows),
            "test": self.evaluation.to_dict() if self.evaluation else None,
            "none_of_these": self.unknown.to_dict() if self.unknown else None,
            "refitted_on": self.refitted,
            "learning_curve": self.curve,
        }


def complete(experiment: Experiment, *, curve: bool = False, console: Console) -> TrainResult:
    """Fit a prepared experiment, measure its model on the test part, fit the final model and write the page.

    Args:
        experiment: What to train.
        curve: Whether to measure a learning curve, too.
        console: Where progress is printed.

    Raises:
        UserError: If its clips cannot be read.
        Interrupted: On Ctrl-C. The run can be resumed, and the model of its best epoch so far can be used; on a
            second Ctrl-C everything stays as it is.
    """
    folder = experiment.folder
    try:
        with resumable(folder), keeping_result() as kept:
            with session(folder.environment):
                result = (_by_folds if experiment.folds else _by_parts)(experiment, console=console)
                kept.result = replace(result, saved=False)
                if result.unknown is not None:
                    write_json(folder.none_of_these, result.unknown.to_dict())
                if curve:
                    result = replace(result, curve=measure_curve(experiment, console=console))
                    kept.result = replace(result, saved=False)
            report([folder.path], console=console)
    except Interrupted as interrupted:
        if interrupted.at_once:
            raise
        raise _usable(experiment) from None
    except NotSavedError as error:
        raise NotSavedError(f"{error}; then complete the run with: {_resume(folder)}", error.result) from None
    except Exception as error:
        found = disk_error(error)
        if found is None:
            raise
        raise UserError(f"{in_one_line(found)}; what is done is kept, continue with: {_resume(folder)}") from error
    finally:
        experiment.release()
    return result


def _resume(folder: RunFolder) -> str:
    return shlex.join(["muybridge", "train", "--resume", str(folder.path)])


def _by_parts(experiment: Experiment, *, console: Console) -> TrainResult:
    """One model, measured on the test part."""
    folder, split, cache = experiment.folder, experiment.split, experiment.recipe.cache
    fitted = fit_experiment(experiment, tries_unknown=True, console=console)
    plot_curves(fitted.rows, folder.curves, monitor=experiment.recipe.training.monitor)
    shutil.rmtree(folder.before_refit, ignore_errors=True)  # of an earlier session
    seen = "test" in parts_to_refit(experiment)
    if not seen and wants_refit(experiment, fitted.outcome):
        model = refit(experiment, fitted.outcome, tries_unknown=False, console=console).recognizer
        evaluation = measure_test_part(folder, split, model, cache=cache, console=console)
        return TrainResult(folder.path, evaluation, fitted.rows, fitted.unknown)
    refits = seen and wants_refit(experiment, fitted.outcome)
    # The final fit needs the test clips encoded, too: measured from that, none is decoded and encoded twice.
    predictions = None
    if refits and split.test and encodes_once(experiment.net, cache):
        predictions = predict_kept(experiment, fitted.recognizer, split.clips_of("test"), console=console)
    evaluation = measure_test_part(
        folder, split, fitted.recognizer, cache=cache, predictions=predictions, console=console
    )
    clips = 0
    if refits:
        with keeping_result() as kept:
            kept.result = evaluation
            refit(experiment, fitted.outcome, tries_unknown=False, console=console)
        clips = len(split.clips)
    return TrainResult(folder.path, evaluation, fitted.rows, fitted.unknown, refitted=clips)


def _by_folds(experiment: Experiment, *, console: Console) -> TrainResult:
    """A model for each fold, and a final one on all clips."""
    folder = experiment.folder
    evaluation, outcome = cross_validate(experiment, console=console)
    with keeping_result() as kept:
        kept.result = evaluation
        if wants_refit(experiment, outcome):
            final = refit(experiment, outcome, tries_unknown=True, console=console)
            return TrainResult(folder.path, evaluation, [], final.unknown, refitted=len(experiment.split.clips))
        say(
            console,
            "the model is that of fold 1, which learned from the other folds; training.refit fits one on all clips",
        )
        copy_folder(folder.fold(1).model, folder.model)
    return TrainResult(folder.path, evaluation, [])


def _usable(experiment: Experiment) -> Interrupted:
    """An interruption with what there is of the training as a model."""
    folder = experiment.folder
    description = folder.model / METADATA_FILE
    if description.is_file() and not model_state(folder.model).unfinished:
        return Interrupted(folder.path, model=folder.model, kept="The model is trained, but the run is not complete.")
    if experiment.folds:
        done = sum(fold.predictions.is_file() for fold in folder.folds(len(experiment.folds)))
        return Interrupted(folder.path, kept=f"{done} of {counted(len(experiment.folds), 'fold')} are measured.")
    if unfinished := keep_best(experiment):
        return Interrupted(folder.path, model=folder.model, kept=f"There is a model to use, {unfinished}.")
    return Interrupted(folder.path, kept="No epoch was finished, so there is no model yet.")


@contextmanager
def resumable(folder: RunFolder) -> Iterator[None]:
    """Ctrl-C while decoding or measuring is an interruption of the run, too."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(folder.path) from None
