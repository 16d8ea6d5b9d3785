"""The picture of a sweep: one panel per option, its values against the validation figure of every trial."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muybridge.evaluation.plots import BLUE, GREY, ORANGE, save, style, subplots
from muybridge.text import abbreviated
from muybridge.verbs.sweep.results import SweepResult, SweepTrial
from muybridge.verbs.sweep.space import Choice, Option

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3
_LABEL_CHARACTERS = 16
# More characters than these do not fit below a panel side by side.
_ROW_CHARACTERS = 30
_MARKERS: dict[str, dict[str, Any]] = {
    "finished": {"marker": "o", "color": BLUE, "markersize": 6, "alpha": 0.8},
    "best": {"marker": "o", "color": GREY, "markersize": 12, "markerfacecolor": "none"},
    "stopped early": {"marker": "x", "color": ORANGE, "markersize": 6, "markeredgewidth": 1.6},
    "stopped early, above the axis": {"marker": "^", "color": ORANGE, "markersize": 6},
    "stopped early, below the axis": {"marker": "v", "color": ORANGE, "markersize": 6},
}


def plot_sweep(result: SweepResult, options: Sequence[Option], path: Path) -> None:
    """Draw every trial's validation figure over the values of each option.

    The vertical axis is made for the finished trials; one that was stopped far from them is an arrow at the edge.

    Args:
        result: What the sweep found.
        options: What was varied, one panel each.
        path: ``.png`` or ``.svg`` file to write.
    """
    columns = 2 if len(options) == 4 else min(_COLUMNS, len(options))
    rows = math.ceil(len(options) / columns)
    heights = {trial.number: _height(trial, result.monitor) for trial in result.trials}
    low, high = _limits(result)
    with style():
        figure, panels = subplots(rows, columns, size=(1.4 + 3.4 * columns, 0.8 + 2.9 * rows))
        for number, (panel, option) in enumerate(zip(panels, options, strict=False)):
            _prepare(panel, option)
            panel.set_ylim(low, high)
            if result.monitor == "accuracy":
                ends = 100 * result.interval.low, 100 * result.interval.high
                panel.axhspan(*ends, color=BLUE, alpha=0.08, linewidth=0, label="95 % interval of the best")
            for name, trials in _series(result, low, high).items():
                x = [_place(option, trial, result.trials) for trial in trials]
                y = [min(max(heights[trial.number], low), high) for trial in trials]
                panel.plot(x, y, linestyle="", clip_on=False, label=name, **_MARKERS[name])
            if number % columns == 0:
                panel.set_ylabel("validation loss" if result.monitor == "loss" else "validation accuracy, %")
        for panel in panels[len(options) :]:
            panel.set_visible(False)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=columns + 1)
        save(figure, path)


def _prepare(panel: "Axes", option: Option) -> None:
    panel.set_title(option.key)
    if isinstance(option, Choice):
        labels = [abbreviated(name, _LABEL_CHARACTERS) for name in option.values]
        long = sum(map(len, labels)) > _ROW_CHARACTERS
        panel.set_xticks(range(len(labels)), labels, rotation=30 if long else 0, ha="right" if long else "center")
        panel.set_xlim(-0.5, len(labels) - 0.5)
        panel.grid(visible=False, axis="x")
    elif option.log:
        panel.set_xscale("log")


def _series(result: SweepResult, low: float, high: float) -> dict[str, list[SweepTrial]]:
    """The trials by how they are drawn; those that diverged in their first epoch have no figure and no place."""
    series: dict[str, list[SweepTrial]] = {name: [] for name in _MARKERS}
    for trial in result.trials:
        height = _height(trial, result.monitor)
        if trial.state == "finished":
            series["finished"].append(trial)
        elif math.isfinite(height):
            beyond = ", above the axis" if height > high else ", below the axis" if height < low else ""
            series[f"stopped early{beyond}"].append(trial)
    series["best"].append(result.best)
    return {name: trials for name, trials in series.items() if trials}


def _place(option: Option, trial: SweepTrial, trials: Sequence[SweepTrial]) -> float:
    """Where a trial is on the horizontal axis; those of one choice are side by side."""
    value = trial.values[option.key]
    if not isinstance(option, Choice):
        return float(value)
    alike = [other.number for other in trials if other.values[option.key] == value]
    return list(option.values).index(str(value)) + 0.5 * ((alike.index(trial.number) + 0.5) / len(alike) - 0.5)


def _height(trial: SweepTrial, monitor: str) -> float:
    figure = trial.figure(monitor)
    return math.nan if figure is None else figure if monitor == "loss" else 100 * figure


def _limits(result: SweepResult) -> tuple[float, float]:
    """Ends of the vertical axis: finished trials (and the interval of an accuracy), and stopped ones near them."""
    values = [_height(trial, result.monitor) for trial in result.trials if trial.state == "finished"]
    if result.monitor == "accuracy":
        values += [100 * result.interval.low, 100 * result.interval.high]
    span = max(values) - min(values) or 0.1 * max(values) or 1.0
    lowest, highest = min(values) - span, max(values) + span
    values += [y for trial in result.trials if lowest <= (y := _height(trial, result.monitor)) <= highest]
    return max(0.0, min(values) - 0.08 * span), max(values) + 0.08 * span
