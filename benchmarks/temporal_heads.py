"""The temporal heads side by side, on the demo's clips, where order alone matters, or on clips of your own.

python benchmarks/temporal_heads.py [--heads mean bilstm ...] [--seeds 0 1 2] [--out FOLDER] [--print]
python benchmarks/temporal_heads.py --clips CLIPS --recipe NAME [--flags="--protocol grouped ..."]

Trains one run per head and seed and prints a Markdown table; runs that FOLDER (default: runs/temporal-heads) holds
already are not repeated, and --print only shows the table of these. On the demo's clips the seed is also that of the
rendering, so that each seed brings its own test clips, and the figures of several are pooled. On clips of your own all
seeds share the test clips: the intervals are then those of the first seed.

For the demo's actions that are each other's mirror in time (sit down and stand up, and so on) the last column says how
often the answer names the right one of the two, given that it names one of them: 50 % is chance.
"""

import argparse
import math
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from muybridge.evaluation.evaluation import Evaluation, evaluate_predictions
from muybridge.evaluation.intervals import wilson
from muybridge.evaluation.phrases import by_group, percent, span
from muybridge.files import read_json
from muybridge.inference.predictions import Predictions
from muybridge.runs import RunFolder
from muybridge.verbs.demo.clips import render_demo
from muybridge.verbs.demo.figures import ACTIONS

CLIPS_PER_CLASS = 48
# One thread, so that sums are added in the same order on any number of cores; the loader in the same process.
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}

# Attention learns order from nothing more slowly. Chosen on validation clips of seed 0: docs/temporal-heads.md.
DEMO_BERT = ("--epochs", "50")


@dataclass(frozen=True)
class Head:
    """A head to compare: its flags, and those that only the demo's recipe needs."""

    title: str
    flags: tuple[str, ...]
    demo_flags: tuple[str, ...] = ()


HEADS = {
    "mean": Head("mean (average pooling)", ("--model.head", "mean")),
    "concat": Head("concatenation", ("--model.head", "concat"), ("--model.head-positions", "10")),
    "lstm": Head("LSTM", ("--model.head", "lstm")),
    "bilstm": Head("BiLSTM", ("--model.head", "bilstm")),
    "bert": Head("BERT", ("--model.head", "bert"), DEMO_BERT),
    "late-bilstm": Head("late fusion, two BiLSTM", ("--model.head", "bilstm", "--model.fusion", "late")),
    "late-bert": Head("late fusion, two BERT", ("--model.head", "bert", "--model.fusion", "late"), DEMO_BERT),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", help="clips of your own; default: the demo's")
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--flags", default="", help="more flags of `muybridge train`, for every head")
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, default=Path("runs/temporal-heads"))
    parser.add_argument("--print", action="store_true", dest="only_print")
    arguments = parser.parse_args()
    if not arguments.only_print:
        for seed in arguments.seeds:
            clips = arguments.clips or render_demo(
                arguments.out / f"clips-{seed}", clips_per_class=CLIPS_PER_CLASS, seed=seed
            )
            for name in arguments.heads:
                flags = [*HEADS[name].flags, *(() if arguments.clips else HEADS[name].demo_flags)]
                flags += shlex.split(arguments.flags)
                train(str(clips), arguments.recipe, seed, arguments.out / f"{name}-{seed}", flags)
    runs = {name: [arguments.out / f"{name}-{seed}" for seed in arguments.seeds] for name in arguments.heads}
    print(table(runs, demo=not arguments.clips))


def train(clips: str, recipe: str, seed: int, run: Path, flags: list[str]) -> None:
    """Train one head, unless its run is there already."""
    if (run / "evaluation.json").exists():
        return
    named = [] if recipe == "default" else ["--recipe", recipe]
    command = ["muybridge", "train", clips, *named, "--seed", str(seed), "--run", str(run), *flags]
    print(shlex.join(command), file=sys.stderr, flush=True)
    loader = ["--training.workers", "0"]
    subprocess.run(
        [sys.executable, "-m", *command, *loader], check=True, env={**os.environ, **ENVIRONMENT}, stdout=sys.stderr
    )


def table(runs: dict[str, list[Path]], *, demo: bool) -> str:
    """One row per head over the runs of all its seeds; a head with a run missing shows as such."""
    columns = ["head", "its parameters", "top-1", "clips", "95 %, Wilson", "95 %, by source group", "each seed"]
    columns += ["right one of a mirrored pair"] if demo else []
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, folders in runs.items():
        if any(not (folder / "evaluation.json").exists() for folder in folders):
            cells = ["not run"] + [""] * (len(columns) - 2)
        else:
            cells = row(folders, demo=demo)
        lines.append(f"| {' | '.join([HEADS[name].title, *cells])} |")
    return "\n".join(lines)


def row(folders: list[Path], *, demo: bool) -> list[str]:
    """The figures of one head: of all its seeds together or of the first, and the accuracy of each."""
    counted = folders if demo else folders[:1]
    predictions = pooled([Predictions.read_csv(folder / "predictions.csv") for folder in counted])
    protocols = {read_json(folder / "evaluation.json")["protocol"] for folder in folders}
    evaluation: Evaluation = evaluate_predictions(predictions, protocol=", ".join(sorted(protocols)), leak=None)
    top1 = evaluation.top1
    each = [read_json(folder / "evaluation.json")["top1"]["value"] for folder in folders]
    return [
        head_parameters(folders[0]),
        f"**{percent(top1.value)}** ({evaluation.protocol})",
        f"{top1.correct} of {top1.clips}",
        span(top1.wilson),
        by_group(top1.by_group),
        ", ".join(f"{100 * value:.1f}" for value in each),
        *([within_pairs(predictions)] if demo else []),
    ]


def pooled(parts: list[Predictions]) -> Predictions:
    """The predictions of several seeds as one set, with clips and source groups named apart."""
    if len(parts) == 1:
        return parts[0]
    clips = [
        replace(clip, clip_id=f"{number}/{clip.clip_id}", group=clip.group and f"{number}/{clip.group}")
        for number, part in enumerate(parts)
        for clip in part.clips
    ]
    return Predictions(parts[0].classes, tuple(clips))


def mirrored() -> dict[str, str]:
    """Each action of the demo that is another one backwards in time, and that other one."""
    return {
        name: other
        for name, action in ACTIONS.items()
        for other, candidate in ACTIONS.items()
        if candidate.motion is action.motion and candidate.backwards != action.backwards
    }


def within_pairs(predictions: Predictions) -> str:
    """How often the right one of a mirrored pair is named, of the clips where one of the two is."""
    pairs = mirrored()
    named = [
        (clip.label, predictions.classes[predicted])
        for clip, predicted in zip(predictions.clips, predictions.predicted_N, strict=True)
        if clip.label in pairs and predictions.classes[predicted] in (clip.label, pairs[clip.label])
    ]
    right = sum(label == predicted for label, predicted in named)
    return f"{percent(right / len(named))} ({right} of {len(named)}; {span(wilson(right, len(named)))})"


def head_parameters(run: Path) -> str:
    """Numbers that the saved head learned."""
    from safetensors import safe_open

    with safe_open(RunFolder(run).model / "model.safetensors", framework="numpy") as tensors:
        names = [name for name in tensors.keys() if name.startswith("head.")]  # noqa: SIM118 - not a mapping
        sizes = [tensors.get_slice(name).get_shape() for name in names]
    return f"{sum(math.prod(shape) for shape in sizes):,}".replace(",", " ")


if __name__ == "__main__":
    main()
