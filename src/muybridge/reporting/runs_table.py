"""Several runs side by side: one row per figure, one column per run, the first run as the one to compare with.

Notable: a gain is there only where both runs were measured on the same test clips, with its paired interval. What
differs between the runs, and whether they can be compared at all, is in ``differences``.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from muybridge.evaluation.comparison import compare
from muybridge.evaluation.evaluation import Evaluation
from muybridge.evaluation.phrases import by_group, gain_span, span
from muybridge.reporting.facts import began, network_name, took
from muybridge.reporting.reported import ModelFacts, ReportedRun
from muybridge.text import number, percent, points


@dataclass(frozen=True)
class Cell:
    """A figure, and below it what is needed to judge it."""

    text: str
    details: tuple[str, ...] = ()


_ABSENT = Cell("–")


@dataclass(frozen=True)
class ComparisonTable:
    """Rows of a name and one cell per run."""

    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def compare_runs(runs: Sequence[ReportedRun]) -> ComparisonTable:
    """Put runs side by side."""
    figures: list[tuple[str, Callable[[ReportedRun], Cell]]] = [
        ("top-1 accuracy", _measured(_top1)),
        ("gain over the first", lambda run: _gain(runs[0], run)),
        ("top-5 accuracy", _measured(_top5)),
        ("mean class accuracy", _measured(lambda evaluation: Cell(percent(evaluation.mean_class.value)))),
        ("calibration error", _measured(lambda evaluation: Cell(percent(evaluation.calibration.error)))),
        ("test clips", lambda run: Cell(str(len(run.split.test)))),
        ("protocol", lambda run: Cell(run.split.protocol)),
        ("leak", lambda run: Cell(run.leak or "unknown")),
        ("recipe", _recipe),
        ("network", lambda run: _of_models(run, network_name)),
        ("frames × pixels", lambda run: _of_models(run, lambda model: f"{model.frames} × {model.size_px} px")),
        ("parameters", lambda run: Cell(number(sum(model.parameters for model in run.models)))),
        ("made", lambda run: Cell(began(run.environment))),
        ("took", lambda run: Cell(took(run))),
        ("epochs", lambda run: Cell(str(len(run.training.epochs))) if run.training else _ABSENT),
        ("seconds per epoch", _seconds_per_epoch),
    ]
    return ComparisonTable(tuple((name, tuple(cell(run) for run in runs)) for name, cell in figures))


def _recipe(run: ReportedRun) -> Cell:
    if run.ensemble is not None:
        return Cell("ensemble", (run.ensemble.rule, *(member.name for member in run.ensemble.members)))
    return Cell(str(run.training.recipe.get("name", "–"))) if run.training else _ABSENT


def _of_models(run: ReportedRun, fact: Callable[[ModelFacts], str]) -> Cell:
    """A fact about the network; for an ensemble each distinct one of its members."""
    return Cell(" + ".join(dict.fromkeys(fact(model) for model in run.models)))


def _measured(cell: Callable[[Evaluation], Cell]) -> Callable[[ReportedRun], Cell]:
    return lambda run: Cell("not measured") if run.measured is None else cell(run.measured.evaluation)


def _top1(evaluation: Evaluation) -> Cell:
    top1 = evaluation.top1
    return Cell(
        percent(top1.value),
        (
            f"{top1.correct} of {top1.clips}",
            f"Wilson {span(top1.wilson)}",
            by_group(top1.by_group),
            *evaluation.floor_lines(),
        ),
    )


def _top5(evaluation: Evaluation) -> Cell:
    return _ABSENT if evaluation.top5 is None else Cell(percent(evaluation.top5.value))


def _gain(first: ReportedRun, run: ReportedRun) -> Cell:
    if run is first or first.measured is None or run.measured is None:
        return _ABSENT
    if first.measured.labels != run.measured.labels:
        return Cell("–", ("other test clips",))
    gain = compare(first.measured.predictions, run.measured.predictions)
    changed = f"{len(gain.repaired)} repaired, {len(gain.broken)} broken"
    return Cell(f"{points(gain.gain)} points", (gain_span(gain.interval), changed))


def _seconds_per_epoch(run: ReportedRun) -> Cell:
    rows = run.training.epochs if run.training else ()
    seconds = [float(row["seconds"]) for row in rows if row.get("seconds") not in (None, "")]
    return Cell(f"{statistics.median(seconds):.1f}", ("median",)) if seconds else _ABSENT
