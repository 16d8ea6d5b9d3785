"""What a run's own measurement says of it, as it is kept in the run."""

from dataclasses import dataclass
from typing import Literal

from muybridge.evaluation.floors import Floors
from muybridge.evaluation.intervals import Interval, wilson
from muybridge.evaluation.phrases import span
from muybridge.models.description import model_state
from muybridge.run_schemas import RUN_WROTE, EvaluationFile
from muybridge.runs import RunFolder
from muybridge.schemas import read
from muybridge.text import percent

EVALUATION_FILE = "evaluation.json"
"""In the run."""


@dataclass(frozen=True)
class RunAccuracy:
    """How many clips a run gets right.

    Attributes:
        correct: Clips that are right.
        clips: All of them.
        part: Which clips: of the test part, or for a sweep of the validation part.
        floors: What answers that know no action get right of the same clips; None where nobody looked.
    """

    correct: int
    clips: int
    part: Literal["test", "validation"]
    floors: Floors | None = None

    @property
    def value(self) -> float:
        """The accuracy, 0..1."""
        return self.correct / self.clips

    @property
    def interval(self) -> Interval:
        """Its 95 % interval by Wilson."""
        return wilson(self.correct, self.clips)

    def __str__(self) -> str:
        text = f"{percent(self.value)} ({span(self.interval)}; {self.correct} of {self.clips})"
        return text if self.part == "test" else f"{text} on validation"


def unfinished(run: RunFolder) -> str:
    """What the model of a run says of an interruption of its training; empty where there was none.

    Raises:
        UserError: There is no model, or it is damaged.
    """
    return model_state(run.model).unfinished


def kept_accuracy(run: RunFolder) -> RunAccuracy | None:
    """What a run's own measurement says; None where there is none, or its model is that of an interrupted training.

    Raises:
        UserError: A file of it is damaged.
    """
    file = run.path / EVALUATION_FILE
    if not file.is_file() or unfinished(run):
        return None
    found = read(file, EvaluationFile, hint=RUN_WROTE)
    floors = None if found.floors is None else Floors.of_values(found.floors)
    return RunAccuracy(found.top1.correct, found.top1.clips, "test", floors)
