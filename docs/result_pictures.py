"""The pictures of docs that are drawn from docs/results; each bears the hash of its data."""

import hashlib
from pathlib import Path

from result_rows import RESULTS, Row, accuracy, read

DATA_KEY = "muybridge-data"
"""Name of the entry in a picture's metadata that holds the hash of what it was drawn from."""


def hash_of(*names: str) -> str:
    """What identifies the data of a picture."""
    return hashlib.sha256(b"".join((RESULTS / name).read_bytes() for name in names)).hexdigest()[:16]


PICTURE_DATA = ("accuracy.csv", "cost.csv", "folds.csv", "answer-cost.csv")


def drawn_from(picture: Path) -> str:
    """The hash in a picture's metadata; nothing if there is none."""
    from PIL import Image

    if not picture.exists():
        return ""
    with Image.open(picture) as image:
        return str(image.info.get(DATA_KEY, ""))


def draw_cost(path: Path) -> None:
    """Accuracy with its interval over the time from file to answer."""
    figure, axes = _new_figure()
    prices = {row["run"]: float(row["file_to_answer_ms"]) for row in read("cost.csv")}
    for run in ("mobilenet-light", "mobilenet-bilstm", "modern", "i3d-bert", "ensemble-two"):
        (row,) = accuracy(f"{run}/test")
        colour, marker = ("#D55E00", "s") if run.startswith("ensemble") else ("#0072B2", "o")
        value, below, above = _bar(row)
        axes.errorbar(prices[run], value, [[below], [above]], fmt=marker, color=colour, capsize=3)
        beside = (6, -12) if run == "mobilenet-light" else (6, 4)  # below, where another name begins
        axes.annotate(run, (prices[run], value), xytext=beside, textcoords="offset points", fontsize=9)
    axes.set_xscale("log")
    axes.margins(x=0.2)  # room for the last name
    axes.set_xlabel("from video file to answer, ms on 2 cores (log scale)")
    _save(figure, path)


def draw_frames(path: Path) -> None:
    """Accuracy with its interval over the number of frames, a line for each sampler."""
    figure, axes = _new_figure()
    counts = (5, 8, 16, 32, 64)
    for number, (kind, colour, marker) in enumerate((("uniform", "#0072B2", "o"), ("dense", "#D55E00", "s"))):
        bars = [_bar(row) for row in accuracy(*(f"frames-{kind}-{count}/test" for count in counts))]
        values, below, above = zip(*bars, strict=True)
        at = [count * (1 + 0.04 * number) for count in counts]  # a little apart, so that both intervals can be seen
        axes.errorbar(at, values, [below, above], fmt=f"{marker}-", color=colour, capsize=3, label=kind)
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("frames of a clip (log scale)")
    axes.legend(title="sampler", loc="lower right")
    _save(figure, path)


def draw_answers(path: Path) -> None:
    """Accuracy by folds with its interval over the processor time of an answer, on J-HMDB's 21 classes."""
    figure, axes = _new_figure()
    for price in read("answer-cost.csv"):
        found = read("folds.csv", data="jhmdb-21", classes="21", recipe=price["recipe"], protocol="5 folds")
        for row in found:
            value, below, above = _bar(row)
            cpu_ms = float(price["cpu_ms"])
            axes.errorbar(cpu_ms, value, [[below], [above]], fmt="o", color="#0072B2", capsize=3)
            axes.annotate(row["recipe"], (cpu_ms, value), xytext=(6, 4), textcoords="offset points", fontsize=9)
    ticks = (30, 60, 100, 200, 500)
    axes.set_xscale("log")
    axes.margins(x=0.2)  # room for the last name
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("from video file to answer, ms of processor time (log scale)")
    _save(figure, path)


def _bar(row: Row) -> tuple[float, float, float]:
    value = 100 * int(row["correct"]) / int(row["clips"])
    return value, value - float(row["wilson_low"]), float(row["wilson_high"]) - value


def _new_figure():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_ylabel("top-1 on new sources, % (bars: 95 %, Wilson)")
    axes.grid(alpha=0.3)
    return figure, axes


def _save(figure, path: Path) -> None:
    figure.savefig(path, dpi=120, metadata={DATA_KEY: hash_of(*PICTURE_DATA), "Software": None})


PICTURES = {"accuracy-cost.png": draw_cost, "accuracy-frames.png": draw_frames, "accuracy-answer.png": draw_answers}
"""What draws each."""
