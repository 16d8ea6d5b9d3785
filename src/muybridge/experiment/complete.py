"""A whole training: fit, measure on the clips that were held out, write the page.

Notable: the saved model is measured by the path that ``predict`` uses, from the files and not from the cache.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from muybridge import notebook
from muybridge.errors import Interrupted
from muybridge.evaluation.evaluation import Evaluation
from muybridge.experiment.fit import fit_experiment, keep_best
from muybridge.experiment.measure import measure_test_part
from muybridge.experiment.prepare import Experiment
from muybridge.experiment.provenance import session
from muybridge.reporting.job import report
from muybridge.runs import RunFolder


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        run: The run directory.
        evaluation: Accuracy on the test part, or None when the split has no test clips.
        rows: One row of figures per epoch.
    """

    run: Path
    evaluation: Evaluation | None
    rows: list[dict[str, Any]]

    def __str__(self) -> str:
        if self.evaluation is None:
            return f"run: {self.run}"
        return "\n".join([*self.evaluation.details(), f"report: {RunFolder(self.run).report}"])

    def _repr_html_(self) -> str:
        """The result in a notebook."""
        title = f"run {self.run}"
        facts = notebook.facts({"epochs": len(self.rows), "report": RunFolder(self.run).report})
        return notebook.card(title, facts, *(self.evaluation.html_parts() if self.evaluation else ()))

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "run": str(self.run),
            "report": str(RunFolder(self.run).report),
            "epochs": len(self.rows),
            "test": self.evaluation.to_dict() if self.evaluation else None,
        }


def complete(experiment: Experiment, *, console: Console) -> TrainResult:
    """Fit a prepared experiment, measure its model on the test part and write the page.

    Raises:
        UserError: If its clips cannot be read.
        Interrupted: On Ctrl-C. The run can be resumed, and the model of its best epoch so far can be used; on a
            second Ctrl-C everything stays as it is.
    """
    folder = experiment.folder
    fitted = None
    try:
        with resumable(folder):
            with session(folder.environment):
                fitted = fit_experiment(experiment, console=console)
                evaluation = measure_test_part(folder, experiment.split, fitted.recognizer, console=console)
            report([folder.path], console=console)
    except Interrupted as interrupted:
        if interrupted.at_once:
            raise
        raise _usable(experiment, trained=fitted is not None) from None
    return TrainResult(folder.path, evaluation, fitted.rows)


def _usable(experiment: Experiment, *, trained: bool) -> Interrupted:
    """An interruption with what there is of the training as a model."""
    folder = experiment.folder
    if trained:
        return Interrupted(folder.path, model=folder.model, kept="The model is trained, but not measured.")
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
