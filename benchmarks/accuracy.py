"""Accuracy against cost on your own clips: trains the recipes, measures what they cost, prints the table, draws it.

python benchmarks/accuracy.py CLIPS [--out FOLDER] [--print] [--only NAME ...] [--picture FILE] [--frames-picture FILE]

Runs that FOLDER (default: runs/accuracy) holds already are not repeated; --print only shows the table of these.
CLIPS are ten UCF101 classes with the source groups g08-g25; g08-g12 are the test part. Latency is from a video file to
the answer, decoding included, one clip at a time, the median over 20 training clips after two to warm up.
"""

import argparse
import shlex
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cost import measure_cost
from muybridge.dataset.split import Split
from muybridge.files import read_json, write_json
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.views import AS_TRAINED
from reproduction import PROTOCOLS, Ensemble, test, validation

PROTOCOL = "grouped"
FROZEN_MOBILENET = (
    *("--recipe", "mobilenet-bilstm", "--model.trainable", "none", "--size-px", "112", "--epochs", "20"),
    *("--cache.variants", "1", "--training.precision", "bf16"),
)
SAMPLERS = {"uniform": ("#0072B2", "o"), "dense": ("#D55E00", "s")}
"""Colour and marker of each in the picture."""
FRAMES = (5, 8, 16, 32, 64)
TIMED_CLIPS = 20


@dataclass(frozen=True)
class Training:
    """One training; ``flags`` are those of ``muybridge train``."""

    name: str
    title: str
    flags: tuple[str, ...]

    def command(self, protocol: str, clips: str, out: Path) -> list[str]:
        """The command line that makes this run."""
        return ["muybridge", "train", clips, *PROTOCOLS[protocol], "--run", str(folder(out, self)), *self.flags]


def frames_curve() -> list[Training]:
    """More frames, for both samplers, on a frozen encoder."""
    return [
        Training(
            f"frames-{kind}-{frames}",
            f"frozen MobileNet + BiLSTM, {frames} frames of 112 px, {kind}",
            (*FROZEN_MOBILENET, "--sampler.kind", kind, "--frames", str(frames)),
        )
        for kind in SAMPLERS
        for frames in FRAMES
    ]


EXPERIMENTS: tuple[Training | Ensemble, ...] = (
    Training("mobilenet-light", "MobileNet + BiLSTM, 5 frames of 128 px", ("--recipe", "mobilenet-light")),
    Training("mobilenet-bilstm", "MobileNet + BiLSTM, 8 frames of 192 px", ("--recipe", "mobilenet-bilstm")),
    Training("i3d-mean", "I3D frozen, mean over time", ("--recipe", "i3d-bert", "--model.head", "mean")),
    Training("i3d-bilstm", "I3D frozen + BiLSTM", ("--recipe", "i3d-bert", "--model.head", "bilstm")),
    Training("i3d-bert", "`i3d-bert`: I3D frozen + BERT", ("--recipe", "i3d-bert")),
    Ensemble(
        "ensemble-families",
        "I3D-BERT, I3D-BiLSTM and MobileNet-BiLSTM",
        ("i3d-bert", "i3d-bilstm", "mobilenet-bilstm"),
    ),
    Ensemble("ensemble-two", "I3D-BERT and MobileNet-BiLSTM", ("i3d-bert", "mobilenet-bilstm")),
    Ensemble("ensemble-same", "I3D-BERT and I3D-BiLSTM", ("i3d-bert", "i3d-bilstm")),
    Ensemble(
        "ensemble-weighted",
        "the three, calibrated, weights fitted on validation",
        ("i3d-bert", "i3d-bilstm", "mobilenet-bilstm"),
        ("--rule", "weighted", "--calibrate"),
    ),
    *frames_curve(),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips")
    parser.add_argument("--out", type=Path, default=Path("runs/accuracy"))
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--only", nargs="+", default=[experiment.name for experiment in EXPERIMENTS])
    parser.add_argument("--picture", type=Path, help="accuracy over the time from file to answer")
    parser.add_argument("--frames-picture", type=Path, help="accuracy over the number of frames")
    options = parser.parse_args()
    chosen = [experiment for experiment in EXPERIMENTS if experiment.name in options.only]
    if not options.only_print:
        for experiment in chosen:
            run_once(experiment, options.clips, options.out)
    done = [experiment for experiment in chosen if (folder(options.out, experiment) / "evaluation.json").exists()]
    print(table(done, options.out))
    if options.picture:
        draw(done, options.out, options.picture)
    if options.frames_picture:
        draw_frames(options.out, options.frames_picture)


def folder(out: Path, experiment: Training | Ensemble) -> Path:
    """Where its run is."""
    return out / f"{experiment.name}-{PROTOCOL}"


def run_once(experiment: Training | Ensemble, clips: str, out: Path) -> None:
    run = folder(out, experiment)
    if not (run / "evaluation.json").exists():
        command = experiment.command(PROTOCOL, clips, out)
        print(shlex.join(command), flush=True)
        started = time.perf_counter()
        subprocess.run(command, check=True)
        write_json(run / "seconds.json", round(time.perf_counter() - started))
    if not (run / "cost.json").exists():
        write_json(run / "cost.json", cost(run))


def cost(run: Path) -> dict[str, float]:
    """Parameters, multiply-adds of a clip, and seconds from file to answer."""
    model = load(run)
    members = [model] if isinstance(model, Recognizer) else list(model.members.values())
    clips = Split.load(run / "split.json").clips_of("train")[: TIMED_CLIPS + 2]
    costs = [
        measure_cost(member.net, frame_count=len(member.read(clips[0], views=AS_TRAINED)[0]), size_px=member.size_px)
        for member in members
    ]
    seconds = []
    for clip in clips:
        started = time.perf_counter()
        model.predict(clip.path)
        seconds.append(time.perf_counter() - started)
    return {
        "parameters": sum(each.parameters for each in costs),
        "macs": sum(each.macs_per_clip for each in costs),
        "seconds": statistics.median(seconds[2:]),
    }


def table(experiments: list[Training | Ensemble], out: Path) -> str:
    """Accuracy and cost of each run as a Markdown table."""
    lines = [
        "| run | what | validation | test | training | parameters | GFLOPs a clip | file to answer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for experiment in experiments:
        run = folder(out, experiment)
        costs, seconds = read_json(run / "cost.json"), read_json(run / "seconds.json")
        lines.append(
            f"| `{experiment.name}` | {experiment.title} | {validation(run)} | {test(run)} | {seconds / 60:.1f} min "
            f"| {costs['parameters'] / 1e6:.1f} M | {2 * costs['macs'] / 1e9:.1f} | {1000 * costs['seconds']:.0f} ms |"
        )
    return "\n".join(lines)


def draw(experiments: list[Training | Ensemble], out: Path, path: Path) -> None:
    """Accuracy with its interval over the time from file to answer; the series of frame counts is left out."""
    figure, axes = new_figure()
    for experiment in experiments:
        if experiment.name.startswith("frames-"):
            continue
        run = folder(out, experiment)
        costs = read_json(run / "cost.json")
        value, low, high = top1_percent(run)
        colour, marker = ("#D55E00", "s") if isinstance(experiment, Ensemble) else ("#0072B2", "o")
        at = 1000 * costs["seconds"]
        axes.errorbar(at, value, [[value - low], [high - value]], fmt=marker, color=colour, capsize=3)
        axes.annotate(experiment.name, (at, value), xytext=(6, 4), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.15)  # room for the last name
    axes.set_xlabel("from video file to answer, ms on 2 cores (log scale)")
    figure.savefig(path, dpi=120)


def draw_frames(out: Path, path: Path) -> None:
    """Accuracy with its interval over the number of frames, a line for each sampler."""
    figure, axes = new_figure()
    for number, (kind, (colour, marker)) in enumerate(SAMPLERS.items()):
        values, lows, highs = zip(
            *(top1_percent(out / f"frames-{kind}-{frames}-{PROTOCOL}") for frames in FRAMES), strict=True
        )
        # A little apart, so that the intervals of both can be seen.
        at = [frames * (1 + 0.04 * number) for frames in FRAMES]
        errors = [np.subtract(values, lows), np.subtract(highs, values)]
        axes.errorbar(at, values, errors, fmt=f"{marker}-", color=colour, capsize=3, label=kind)
    axes.set_xscale("log")
    axes.set_xticks(FRAMES, [str(frames) for frames in FRAMES])
    axes.minorticks_off()
    axes.set_xlabel("frames of a clip (log scale)")
    axes.legend(title="sampler", loc="lower right")
    figure.savefig(path, dpi=120)


def new_figure() -> tuple[Figure, Axes]:
    """A picture whose y axis is accuracy."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_ylabel("top-1 on new sources, % (bars: 95 %, Wilson)")
    axes.grid(alpha=0.3)
    return figure, axes


def top1_percent(run: Path) -> tuple[float, float, float]:
    """Accuracy and the ends of its interval."""
    top1 = read_json(run / "evaluation.json")["top1"]
    return 100 * top1["value"], 100 * top1["wilson"]["low"], 100 * top1["wilson"]["high"]


if __name__ == "__main__":
    main()
