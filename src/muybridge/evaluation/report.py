"""One HTML file that tells the whole story of a run, for a colleague without this program.

It needs no network and no other file: pictures are embedded, the style is inline, there is no script.
Everything that comes from file names, recipes or error texts is escaped by the template.
"""

import base64
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.evaluation.evaluation import Accuracy, Evaluation, MeanClassAccuracy
from muybridge.evaluation.intervals import Interval
from muybridge.evaluation.plots import plot_confusion, plot_curves, plot_per_class, plot_reliability
from muybridge.files import write_text

# Longer tables are cut here, and say so; predictions.csv has every row.
_TABLE_ROWS = 20


@dataclass(frozen=True)
class _Picture:
    """An image as a data URI, with the text that stands for it where it is not seen."""

    source: str
    text: str


@dataclass(frozen=True)
class _Section:
    """One evaluation with its pictures."""

    evaluation: Evaluation
    pictures: tuple[_Picture, ...]
    confusion: _Picture


def write_report(
    path: Path,
    *,
    title: str,
    evaluations: Sequence[Evaluation],
    metrics_rows: Sequence[Mapping[str, Any]],
    monitor: str = "loss",
    recipe: Mapping[str, Any],
    split_notes: Sequence[str],
    environment: Mapping[str, Any],
    command: str,
) -> None:
    """Write report.html, whole or not at all.

    Args:
        path: the file to write.
        title: name of the run.
        evaluations: at least one; the first is the headline, several are compared side by side.
        metrics_rows: rows of metrics.csv for the training curves (see `plot_curves`); empty when there are
            none.
        monitor: the validation figure that chose the weights, ``"loss"`` or ``"accuracy"``.
        recipe: the complete recipe, nested mappings allowed.
        split_notes: sentences on how the clips were divided: counts, leak, hash.
        environment: versions and hardware, nested mappings allowed.
        command: the command line that makes this run again.

    Raises:
        ValueError: without an evaluation.
    """
    if not evaluations:
        raise ValueError("a report needs at least one evaluation")
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("muybridge.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(percent=_percent, span=_span, by_group=_by_group)
    curves = None
    if metrics_rows:
        curves = _picture(
            lambda file: plot_curves(metrics_rows, file, monitor=monitor),
            f"Loss, accuracy and learning rate, {len(metrics_rows)} epochs",
        )
    html = templates.get_template("report.html.j2").render(
        title=title,
        sections=[_section(evaluation) for evaluation in evaluations],
        curves=curves,
        recipe=list(_flat(recipe)),
        split_notes=split_notes,
        environment=list(_flat(environment)),
        command=command,
        table_rows=_TABLE_ROWS,
    )
    write_text(path, html)


def _section(evaluation: Evaluation) -> _Section:
    name = f"protocol {evaluation.protocol}"
    pictures = [_picture(lambda file: plot_per_class(evaluation.per_class, file), f"Accuracy of each class, {name}")]
    if evaluation.calibration.error is not None:
        pictures.append(_picture(lambda file: plot_reliability(evaluation.calibration, file), f"Calibration, {name}"))
    confusion = _picture(
        lambda file: plot_confusion(evaluation.confusion, evaluation.classes, file),
        f"Confusion matrix, {name}",
    )
    return _Section(evaluation, tuple(pictures), confusion)


def _picture(draw: Callable[[Path], None], text: str) -> _Picture:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture.svg"
        draw(file)
        data = base64.b64encode(file.read_bytes()).decode("ascii")
    return _Picture(f"data:image/svg+xml;base64,{data}", text)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested mappings as rows ``("model.width", 0.5)``."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _span(interval: Interval | None) -> str:
    return "–" if interval is None else f"{100 * interval.low:.1f}–{100 * interval.high:.1f} %"


def _by_group(result: Accuracy | MeanClassAccuracy) -> str:
    by_group = result.by_group
    if by_group.interval is None:
        return f"none: {by_group.reason}"
    return f"{_span(by_group.interval)} ({by_group.groups} groups)"
