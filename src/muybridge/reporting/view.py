"""From the values of one run to what its part of the page shows: pictures, and clips with what was said of them.

Notable: this is where it is decided what a reader gets to see. Mistakes are the most confident ones; the clips of
an ensemble are spread evenly over those that it repaired and broke, so nobody picked the pretty ones.
"""

import base64
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from muybridge.dataset.catalog import Clip
from muybridge.evaluation.comparison import Comparison, compare
from muybridge.evaluation.evaluation import Evaluation
from muybridge.evaluation.metrics import ClassMetrics
from muybridge.evaluation.plots import (
    PANELS,
    Panel,
    plot_curves,
    plot_learning_curve,
    plot_per_class,
    plot_reliability,
)
from muybridge.inference.predictions import Predictions
from muybridge.reporting.differences import flattened
from muybridge.reporting.facts import Fact, facts_of
from muybridge.reporting.matrix import Matrix, matrix_of
from muybridge.reporting.reported import Measured, ReportedEnsemble, ReportedMember, ReportedRun, ReportedTraining
from muybridge.sequences import spread
from muybridge.text import counted, percent

_MISTAKES = 10
_ENSEMBLE_CLIPS = 10


@dataclass(frozen=True)
class Picture:
    """An image as a data URI, the text in its place where it is not seen, and the words that it needs explained."""

    source: str
    text: str
    terms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What a model said of a clip; the class and its score are None if the clip did not decode."""

    predicted: str | None
    score: float | None
    right: bool


@dataclass(frozen=True)
class JudgedClip:
    """A clip with the verdict on it; for an ensemble with that of its best member before."""

    clip: Clip
    verdict: Verdict
    before: Verdict | None = None


@dataclass(frozen=True)
class ClassView:
    """A class with its figures, and the answer that most of its wrong clips got: name and clips; None if none."""

    metrics: ClassMetrics
    taken_for: tuple[str, int] | None


@dataclass(frozen=True)
class ResultsView:
    """Pictures, tables and clips of one evaluation; the classes with the weakest first."""

    evaluation: Evaluation
    matrix: Matrix
    pictures: tuple[Picture, ...]
    classes: tuple[ClassView, ...]
    mistakes: tuple[JudgedClip, ...]


@dataclass(frozen=True)
class EnsembleView:
    """What an ensemble changed.

    Attributes:
        ensemble: its members.
        gains: each member with the gain over it.
        gain: over the best member.
        repaired: clips that the best member had wrong and the ensemble has right.
        broken: the reverse.
        shown: the clips of the film strips; none for a single, calibrated member, whose answers stay the same.
    """

    ensemble: ReportedEnsemble
    gains: tuple[tuple[ReportedMember, Comparison], ...]
    gain: Comparison
    repaired: tuple[JudgedClip, ...]
    broken: tuple[JudgedClip, ...]
    shown: tuple[JudgedClip, ...]


@dataclass(frozen=True)
class RunView:
    """One run as the page shows it: facts for its top; ``recipe`` and ``environment`` as names and values.

    ``learning_curve`` is None where it was not measured.
    """

    run: ReportedRun
    facts: tuple[Fact, ...]
    curves: tuple[Picture, ...]
    learning_curve: Picture | None
    results: ResultsView | None
    ensemble: EnsembleView | None
    recipe: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]

    @property
    def shown_clips(self) -> tuple[Clip, ...]:
        """The clips that are shown as film strips."""
        shown = (*(self.ensemble.shown if self.ensemble else ()), *(self.results.mistakes if self.results else ()))
        return tuple(dict.fromkeys(judged.clip for judged in shown))


def view_run(run: ReportedRun) -> RunView:
    """Draw the pictures of a run and choose its clips; no video is opened."""
    return RunView(
        run=run,
        facts=facts_of(run),
        # One picture each, so that a narrow screen can put them below each other.
        curves=tuple(_curve(run.name, run.training, panel) for panel in PANELS)
        if run.training and run.training.epochs
        else (),
        learning_curve=_learning_curve(run) if run.learning_curve else None,
        results=None if run.measured is None else _results(run, run.measured),
        ensemble=None if run.ensemble is None or run.measured is None else _ensemble(run, run.ensemble, run.measured),
        recipe=tuple(flattened(run.training.recipe)) if run.training else (),
        environment=tuple(flattened(run.environment)),
    )


def _curve(name: str, training: ReportedTraining, panel: Panel) -> Picture:
    figure = {"loss": "Loss", "accuracy": "Accuracy", "rate": "Learning rate"}[panel]
    return _picture(
        lambda file: plot_curves(training.epochs, file, monitor=training.monitor, panels=[panel]),
        f"{figure} of {name} over {counted(len(training.epochs), 'epoch')}",
        ("learning rate",) if panel == "rate" else (panel, "validation") if panel == "loss" else (),
    )


def _learning_curve(run: ReportedRun) -> Picture:
    return _picture(
        lambda file: plot_learning_curve(run.learning_curve, file, protocol=run.split.protocol),
        f"Accuracy of {run.name} over the number of training clips a class; learning_curve.csv has the numbers",
    )


def _results(run: ReportedRun, measured: Measured) -> ResultsView:
    evaluation = measured.evaluation
    pictures = [
        _picture(
            lambda file: plot_per_class(evaluation.per_class, file),
            f"Accuracy of each class with its 95 % range, {run.name}; the table below has the numbers",
            ("Wilson",),
        )
    ]
    error = evaluation.calibration.error
    if error is not None:
        pictures.append(
            _picture(
                lambda file: plot_reliability(evaluation.calibration, file),
                f"Reliability diagram of {run.name}: accuracy against score; expected error {percent(error)}",
                ("score", "expected calibration error"),
            )
        )
    mistakes = tuple(
        JudgedClip(run.clips[mistake.clip_id], Verdict(mistake.predicted, mistake.score, right=False))
        for mistake in evaluation.mistakes[:_MISTAKES]
    )
    return ResultsView(evaluation, matrix_of(evaluation), tuple(pictures), _classes(evaluation), mistakes)


def _classes(evaluation: Evaluation) -> tuple[ClassView, ...]:
    """The classes, the weakest first; those without clips last."""
    most = {pair.label: pair for pair in reversed(evaluation.confusions())}
    views = (
        ClassView(entry, (most[entry.name].predicted, most[entry.name].clips) if entry.name in most else None)
        for entry in evaluation.per_class
    )
    return tuple(sorted(views, key=lambda view: 2.0 if view.metrics.accuracy is None else view.metrics.accuracy))


def _ensemble(run: ReportedRun, ensemble: ReportedEnsemble, measured: Measured) -> EnsembleView:
    gains = tuple((member, compare(member.measured.predictions, measured.predictions)) for member in ensemble.members)
    best, gain = next((member, gain) for member, gain in gains if member.name == ensemble.best)
    before, after = _verdicts(best.measured.predictions), _verdicts(measured.predictions)

    def judged(clip_ids: Sequence[str]) -> tuple[JudgedClip, ...]:
        return tuple(JudgedClip(run.clips[name], after[name], before[name]) for name in clip_ids)

    changed = {*gain.repaired, *gain.broken}
    unchanged = [name for name in sorted(after) if name not in changed]
    shown = choose_clips(gain.repaired, gain.broken, unchanged, count=_ENSEMBLE_CLIPS) if len(gains) > 1 else ()
    return EnsembleView(ensemble, gains, gain, judged(gain.repaired), judged(gain.broken), judged(shown))


def choose_clips(
    repaired: Sequence[str], broken: Sequence[str], unchanged: Sequence[str], *, count: int
) -> tuple[str, ...]:
    """Choose the clips that show what an ensemble does.

    Half of them repaired and half broken ones; where there are too few of one kind, more of the other, and then
    clips on which nothing changed. Of each kind they are spread evenly over the list.

        >>> choose_clips(["a", "b", "c", "d"], ["x"], ["u", "v"], count=4)
        ('a', 'b', 'd', 'x')
    """
    of_broken = min(len(broken), max(count // 2, count - len(repaired)))
    of_repaired = min(len(repaired), count - of_broken)
    rest = count - of_repaired - of_broken
    return (*spread(repaired, of_repaired), *spread(broken, of_broken), *spread(unchanged, rest))


def _verdicts(predictions: Predictions) -> dict[str, Verdict]:
    """The verdict on each clip by the clip's id."""
    verdicts = {}
    for clip, predicted, right in zip(predictions.clips, predictions.predicted_N, predictions.correct_N, strict=True):
        if clip.probabilities is None:
            verdicts[clip.clip_id] = Verdict(None, None, right=False)
        else:
            score = float(clip.probabilities[predicted])
            verdicts[clip.clip_id] = Verdict(predictions.classes[predicted], score, right=bool(right))
    return verdicts


def _picture(draw: Callable[[Path], None], text: str, terms: tuple[str, ...] = ()) -> Picture:
    """Draw a picture as SVG: half the bytes of a PNG even for 51 classes, and sharp at every width."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture.svg"
        draw(file)
        data = base64.b64encode(file.read_bytes()).decode("ascii")
    return Picture(f"data:image/svg+xml;base64,{data}", text, terms)
