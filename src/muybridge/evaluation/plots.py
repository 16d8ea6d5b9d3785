"""Pictures of a training and of an evaluation, for people: colour-blind safe, legible with 2 classes and with 1,000.

Figures are built as objects, without pyplot, so nothing global changes and no display is needed. matplotlib
is imported on first use only. Colours are Okabe and Ito's (jfly.uni-koeln.de/color); the maps have one hue
and a monotone lightness. The suffix of a path decides between PNG and SVG.

Legend: K classes.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from muybridge.evaluation.confusion import shown_confusion
from muybridge.evaluation.metrics import Calibration, ClassMetrics
from muybridge.files import replacing
from muybridge.text import abbreviated, percent, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Panel = Literal["loss", "accuracy", "rate"]
PANELS: tuple[Panel, ...] = ("loss", "accuracy", "rate")
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#767676"
_LABEL_CHARACTERS = 24
# Up to this many classes the cells of a confusion matrix have room for their numbers.
_NUMBERED_CLASSES = 20
# Up to this many classes each has its row in the picture of accuracies; of more, so many weak and the best ones.
_CLASS_ROWS, _WEAKEST_ROWS = 60, 45
# Fonts of the common systems for class names that are not in Latin, Greek, Cyrillic or Arabic letters.
_WIDE_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Nirmala UI",
)
_STYLE: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "figure.dpi": 100.0,
    "savefig.dpi": 150.0,
    "svg.fonttype": "none",  # text stays text: small, searchable, and in any script the browser knows
    "svg.hashsalt": "muybridge",  # the same figures make the same bytes
}


def plot_curves(
    metrics_rows: Sequence[Mapping[str, Any]], path: Path, *, monitor: str = "loss", panels: Sequence[Panel] = PANELS
) -> None:
    """Draw loss, accuracy and learning rate over the epochs.

    Args:
        metrics_rows: rows of metrics.csv, with the keys ``epoch``, ``train_loss``, ``train_accuracy``,
            ``validation_loss``, ``validation_accuracy`` and ``learning_rate``; numbers, or their text. A
            value that is absent, None or empty is left out. The epoch whose weights are kept is marked.
        path: ``.png`` or ``.svg`` file to write.
        monitor: the validation figure that chose it, ``"loss"`` (lowest) or ``"accuracy"`` (highest), or ``"last"``.
        panels: which of the three, side by side.

    Raises:
        ValueError: if there are no rows.
    """
    from matplotlib.ticker import MaxNLocator

    if not metrics_rows:
        raise ValueError("no epochs to draw")
    epochs = _column(metrics_rows, "epoch")
    chosen = epochs
    if monitor != "last":
        chosen = _column(metrics_rows, f"validation_{monitor}") * (1 if monitor == "accuracy" else -1)
    kept = int(np.nanargmax(chosen)) if np.isfinite(chosen).any() else None
    with style():
        figure, all_axes = subplots(1, len(panels), size=(3.7 * len(panels), 3.2))
        for panel, axes in zip(panels, all_axes, strict=True):
            if panel == "rate":
                learning_rate = _column(metrics_rows, "learning_rate")
                exponent = _exponent(learning_rate)
                _line(axes, epochs, learning_rate / 10.0**exponent, GREEN, "learning rate")
                axes.set_title(rf"Learning rate, $\times 10^{{{exponent}}}$")
            else:
                scale = 100 if panel == "accuracy" else 1
                for name, colour, label in (("train", BLUE, "training"), ("validation", ORANGE, "validation")):
                    _line(axes, epochs, scale * _column(metrics_rows, f"{name}_{panel}"), colour, label)
                axes.set_title("Accuracy, %" if panel == "accuracy" else "Loss")
            if kept is not None:
                axes.axvline(epochs[kept], color=GREY, linestyle=":", linewidth=1.2, zorder=0)
                if panel == "accuracy":
                    _mark_kept(axes, epochs, 100 * _column(metrics_rows, "validation_accuracy"), kept)
            if panel == "loss" and axes.get_legend_handles_labels()[0]:
                axes.legend()
            axes.set_xlabel("epoch")
            axes.set_xlim(np.nanmin(epochs) - 0.5, np.nanmax(epochs) + 0.5)
            axes.set_ylim(0, 101 if panel == "accuracy" else 1.05 * max(axes.dataLim.y1, 1e-6))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        save(figure, path)


def plot_confusion(matrix: NDArray[np.int64], classes: Sequence[str], path: Path) -> None:
    """Draw a confusion matrix: colour is the share of the true class, numbers (up to 20 classes) are clips.

    The picture stays of a readable size: of very many classes those with the most mistakes are drawn (see
    `shown_confusion`).

    Args:
        matrix: counts, shape (K, K + 1): true class by predicted class, last column undecodable; that column
            is drawn only when it holds a clip.
        classes: the K names.
        path: ``.png`` or ``.svg`` file to write.
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.colors import PowerNorm
    from matplotlib.patches import Rectangle

    shown = shown_confusion(matrix, classes)
    count = len(shown.rows)
    rows = [_label(name) for name in shown.rows]
    columns = [_label(name) for name in shown.columns]
    with style():
        cell = float(np.interp(count, [2, 10, 20, 51, 101], [0.9, 0.55, 0.42, 0.2, 0.145]))
        # The axes are the whole figure, and what is around them is added when it is saved ("tight"): finding
        # their place among 102 labels otherwise takes longer than drawing them.
        width, height = cell * len(columns), cell * count
        figure, (axes,) = subplots(1, 1, size=(width, height), layout=None)
        figure.subplots_adjust(0, 0, 1, 1)
        # The square root keeps a single confused clip visible next to a full diagonal.
        image = axes.imshow(shown.share, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1), interpolation="nearest")
        font = 9.0 if count <= 20 else float(np.interp(count, [20, 51, 101], [9, 7.5, 6]))
        axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=font)
        axes.set_yticks(range(count), rows, fontsize=font)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        # As lines, because a grid of minor ticks takes twice the time for 51 classes.
        axes.vlines(np.arange(1, len(columns)) - 0.5, -0.5, count - 0.5, color="#ededed", linewidth=0.5)
        axes.hlines(np.arange(1, count) - 0.5, -0.5, len(columns) - 0.5, color="#ededed", linewidth=0.5)
        diagonal = [Rectangle((number - 0.5, number - 0.5), 1, 1) for number in range(count)]
        outline = PatchCollection(diagonal, facecolor="none", edgecolor=ORANGE, linewidth=min(1.2, 4 * cell))
        axes.add_collection(outline, autolim=False)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        if not shown.is_whole:
            axes.set_title(f"The {count} of {shown.of_classes} classes with the most mistakes")
        tall = min(height, 4.0)
        place = figure.add_axes((1 + 0.2 / width, 1 - tall / height, 0.18 / width, tall / height))
        bar = figure.colorbar(image, cax=place, ticks=[0, 0.05, 0.25, 0.5, 1])
        bar.ax.set_yticklabels(["0", "5", "25", "50", "100"])
        bar.set_label("% of the clips of the true class")
        if count <= _NUMBERED_CLASSES:
            for (row, column), clips in np.ndenumerate(shown.counts):
                if clips:
                    colour = "white" if shown.share[row, column] > 0.35 else "#333333"
                    axes.text(column, row, str(clips), ha="center", va="center", color=colour, fontsize=font)
        save(figure, path, box="tight")


def plot_per_class(metrics: Sequence[ClassMetrics], path: Path) -> None:
    """Draw the accuracy of each class with its Wilson interval, the best on top, and its number of clips.

    The picture stays of a readable size: of very many classes the weakest are drawn, and some of the best.
    """
    shown = sorted((entry for entry in metrics if entry.clips), key=lambda entry: entry.accuracy or 0.0)
    if not shown:
        raise ValueError("no class has clips to draw")
    title = "Accuracy per class (clips)"
    if len(shown) > _CLASS_ROWS:
        title = f"The {_WEAKEST_ROWS} weakest and {_CLASS_ROWS - _WEAKEST_ROWS} best of {len(shown)} classes (clips)"
        shown = [*shown[:_WEAKEST_ROWS], *shown[_WEAKEST_ROWS - _CLASS_ROWS :]]
    with style():
        figure, (axes,) = subplots(1, 1, size=(4.8, 1.1 + max(0.17, min(0.3, 8 / len(shown))) * len(shown)))
        position = np.arange(len(shown))
        accuracy = np.array([100 * (entry.accuracy or 0.0) for entry in shown])
        low = np.array([100 * entry.interval.low for entry in shown if entry.interval])
        high = np.array([100 * entry.interval.high for entry in shown if entry.interval])
        axes.hlines(position, low, high, color=BLUE, alpha=0.35, linewidth=4)
        axes.plot(accuracy, position, "o", color=BLUE, markersize=5, clip_on=False)
        axes.set_yticks(position, [f"{_label(entry.name)} ({entry.clips})" for entry in shown])
        axes.set_ylim(-0.7, len(shown) - 0.3)
        axes.set_xlim(0, 100)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("accuracy, % (bar: Wilson interval)")
        axes.set_title(title)
        save(figure, path)


def plot_reliability(calibration: Calibration, path: Path) -> None:
    """Draw accuracy against score (a reliability diagram), and below it how many clips have which score."""
    from matplotlib.ticker import MaxNLocator

    filled = [entry for entry in calibration.bins if entry.clips]
    if not filled:
        raise ValueError("no decoded clip, nothing to draw")
    with style():
        figure, (top, bottom) = subplots(2, 1, size=(4.8, 4.8), heights=(3, 1), share_x=True)
        left = [100 * entry.low for entry in filled]
        width = [100 * (entry.high - entry.low) for entry in filled]
        accuracy = [100 * (entry.accuracy or 0.0) for entry in filled]
        confidence = [100 * (entry.confidence or 0.0) for entry in filled]
        top.bar(left, accuracy, width, align="edge", color=BLUE, alpha=0.55, edgecolor="white", label="accuracy")
        top.plot(confidence, confidence, "D", color=ORANGE, markersize=4, label="mean score")
        top.plot([0, 100], [0, 100], linestyle="--", color=GREY, linewidth=1)
        top.set_ylim(0, 101)
        top.set_ylabel("accuracy, %")
        top.set_title(f"Calibration (expected error {percent(calibration.error or 0.0)})")
        figure.legend(loc="outside lower center", ncols=2)
        bottom.bar(left, [entry.clips for entry in filled], width, align="edge", color=GREY, edgecolor="white")
        bottom.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        bottom.set_ylabel("clips")
        bottom.set_xlabel("score of the predicted class, %")
        bottom.set_xlim(0, 100)
        save(figure, path)


def plot_learning_curve(rows: Sequence[Mapping[str, Any]], path: Path, *, protocol: str) -> None:
    """Draw accuracy over training clips a class, with the interval by source group and the draws' spread.

    Args:
        rows: rows of learning_curve.csv, with the keys ``clips_per_class``, ``accuracy``, ``low``, ``high``, ``worst``
            and ``best``: shares, None where there is no interval.
        path: ``.png`` or ``.svg`` file to write.
        protocol: how the clips were divided.
    """
    from matplotlib.ticker import NullLocator

    sizes = _column(rows, "clips_per_class")
    accuracy, low, high, worst, best = (
        100 * _column(rows, name) for name in ("accuracy", "low", "high", "worst", "best")
    )
    with style():
        figure, (axes,) = subplots(1, 1, size=(5.6, 3.6))
        axes.fill_between(sizes, low, high, color=BLUE, alpha=0.15, linewidth=0, label="95 %, by source group")
        axes.vlines(sizes, worst, best, color=GREY, linewidth=1.2, label="worst and best draw")
        axes.plot(sizes, accuracy, "o-", color=BLUE, markersize=4, label="mean of the draws")
        for size, value in zip(sizes, accuracy, strict=True):
            axes.annotate(
                f"{value:.1f}", (size, value), xytext=(4, -11), textcoords="offset points", color="#444444", fontsize=8
            )
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("training clips a class")
        axes.set_title(f"Accuracy, %, protocol {protocol}")
        axes.set_ylim(max(0.0, float(np.nanmin([*low, *worst])) - 6), 101)
        axes.legend(loc="lower right")
        save(figure, path)


def style() -> AbstractContextManager[None]:
    """The look that all pictures share, while the context lasts."""
    import matplotlib as mpl
    from matplotlib.font_manager import fontManager

    # Only installed fonts: matplotlib warns at every text about one that is not.
    installed = {font.name for font in fontManager.ttflist}
    # The last name is for browsers on systems that have none of these.
    families = ["DejaVu Sans", *(name for name in _WIDE_FONTS if name in installed), "sans-serif"]
    settings = {**_STYLE, "font.family": families}
    return cast("Callable[..., AbstractContextManager[None]]", mpl.rc_context)(settings)


def subplots(
    rows: int,
    columns: int,
    *,
    size: tuple[float, float],
    heights: tuple[float, ...] | None = None,
    share_x: bool = False,
    layout: Literal["constrained"] | None = "constrained",
) -> "tuple[Figure, list[Axes]]":
    """A figure of ``size`` inches with its axes row by row, free of pyplot's global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout=layout)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=share_x, height_ratios=heights)
    return figure, list(axes.flat)


def save(figure: "Figure", path: Path, *, box: Literal["tight"] | None = None) -> None:
    """Write a figure, whole or not at all; the suffix of ``path`` says in which format."""
    with replacing(path) as temporary, warnings.catch_warnings():
        # A letter without a font is drawn as a box, which says it where it matters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # Without a date the same figures make the same bytes.
        figure.savefig(
            temporary,
            facecolor="white",
            bbox_inches=box,
            metadata={"Date": None} if path.suffix == ".svg" else None,
        )


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    values = [row.get(name) for row in rows]
    return np.array([np.nan if value is None or value == "" else float(value) for value in values])


def _exponent(values: NDArray[np.float64]) -> int:
    """The power of ten of the largest positive value; 0 if there is none."""
    positive = values[values > 0]
    return int(np.floor(np.log10(positive.max()))) if positive.size else 0


def _line(axes: "Axes", epochs: NDArray[np.float64], values: NDArray[np.float64], colour: str, label: str) -> None:
    known = np.isfinite(values)
    if known.any():
        marker = "o" if known.sum() <= 30 else None
        axes.plot(epochs[known], values[known], color=colour, label=label, marker=marker, markersize=3)


def _mark_kept(axes: "Axes", epochs: NDArray[np.float64], accuracy: NDArray[np.float64], kept: int) -> None:
    axes.plot(epochs[kept], accuracy[kept], "o", markersize=9, markerfacecolor="none", markeredgecolor=ORANGE)
    # Inside the panel, on the side with more room.
    right_half = epochs[kept] > (epochs[0] + epochs[-1]) / 2
    axes.annotate(
        f"kept: epoch {epochs[kept]:g}, {accuracy[kept]:.1f} %",
        (epochs[kept], 4),
        xytext=(-5 if right_half else 5, 0),
        textcoords="offset points",
        ha="right" if right_half else "left",
        color="#444444",
    )


def _label(name: str) -> str:
    # A dollar sign would start matplotlib's mathematics.
    return abbreviated(printable(name), _LABEL_CHARACTERS).replace("$", r"\$")
