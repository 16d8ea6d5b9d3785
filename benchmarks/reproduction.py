"""The paper's experiments on your own clips, under its protocol and without its leak: runs them and prints the table.

python benchmarks/reproduction.py CLIPS [--out FOLDER] [--print]

Runs that FOLDER (default: runs/reproduction) holds already are not repeated; --print only shows the table of these.
CLIPS are ten UCF101 classes with the source groups g08-g25; g08-g12 are the test part under ``grouped``.
"""

import argparse
import csv
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from muybridge.dataset.split import Split
from muybridge.evaluation.intervals import wilson
from muybridge.files import read_json

PROTOCOLS = {
    "random": ["--protocol", "random"],
    "grouped": ["--protocol", "grouped", "--data.test-groups", "g08", "g09", "g10", "g11", "g12"],
}
# One thread, so that sums are added in the same order on any number of cores; the loader in the same process.
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}
PATIENCE_10 = ("--training.patience", "10")


@dataclass(frozen=True)
class Training:
    """One training under one or both protocols; ``reported`` is what the paper says of it on HMDB-51."""

    name: str
    title: str
    recipe: str
    flags: tuple[str, ...] = PATIENCE_10
    protocols: tuple[str, ...] = ("random", "grouped")
    reported: str = "not stated"

    def command(self, protocol: str, clips: str, out: Path) -> list[str]:
        """The command line that makes this run."""
        run = str(out / f"{self.name}-{protocol}")
        return [
            *("muybridge", "train", clips, "--recipe", self.recipe, *PROTOCOLS[protocol], "--run", run),
            *("--training.workers", "0", *self.flags),
        ]


@dataclass(frozen=True)
class Ensemble:
    """An ensemble of the trainings named, of the same protocol."""

    name: str
    title: str
    members: tuple[str, ...]
    flags: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ("random", "grouped")
    reported: str = "not stated"

    def command(self, protocol: str, clips: str, out: Path) -> list[str]:
        """The command line that makes this run; its members must exist."""
        members = [str(out / f"{member}-{protocol}") for member in self.members]
        return ["muybridge", "ensemble", *members, *self.flags, "--run", str(out / f"{self.name}-{protocol}")]


Experiment = Training | Ensemble
EXPERIMENTS: tuple[Experiment, ...] = (
    Training(
        "small-4",
        "MobileNet, last 15 layers, 3 BiLSTM; 4 classes",
        "report-mobilenet-small",
        (*PATIENCE_10, "--class-count", "4"),
    ),
    Training("small-9", "the same; 9 classes", "report-mobilenet-small", (*PATIENCE_10, "--class-count", "9")),
    Training("small-10", "the same; all 10 classes", "report-mobilenet-small", reported="85 % validation (25 classes)"),
    Training(
        "frozen-10", "the same, encoder frozen", "report-mobilenet-small", (*PATIENCE_10, "--model.trainable", "none")
    ),
    Training("small-4-p30", "4 classes, patience 30 in place of 10", "report-mobilenet-small", ("--class-count", "4")),
    Training(
        "mobilenet-10",
        "MobileNet, all layers, 2 BiLSTM, L2 0.001",
        "report-mobilenet",
        reported="about 70 % (51 classes)",
    ),
    Training("alexnet-10", "AlexNet, otherwise the same", "report-alexnet", reported="55 % (51 classes)"),
    Ensemble(
        "ensemble-10",
        "mean of small-10 and alexnet-10",
        ("small-10", "alexnet-10"),
        reported="72-74 % (51 classes)",
    ),
    Training("mobilenet-bilstm", "as its recipe says", "mobilenet-bilstm", (), ("grouped",), "-"),
    Training("modern-alexnet", "modern, AlexNet", "modern", ("--model.encoder", "alexnet"), ("grouped",), "-"),
    Ensemble("ensemble-modern", "mean of the last two", ("mobilenet-bilstm", "modern-alexnet"), (), ("grouped",), "-"),
    Ensemble(
        "ensemble-calibrated",
        "the same, each calibrated on validation",
        ("mobilenet-bilstm", "modern-alexnet"),
        ("--calibrate",),
        ("grouped",),
        "-",
    ),
    Ensemble(
        "ensemble-weighted",
        "the same, calibrated, weights fitted on validation",
        ("mobilenet-bilstm", "modern-alexnet"),
        ("--rule", "weighted", "--calibrate"),
        ("grouped",),
        "-",
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips")
    parser.add_argument("--out", type=Path, default=Path("runs/reproduction"))
    parser.add_argument("--print", action="store_true", dest="only_print")
    arguments = parser.parse_args()
    if not arguments.only_print:
        for experiment in EXPERIMENTS:
            for protocol in experiment.protocols:
                if not (arguments.out / f"{experiment.name}-{protocol}" / "evaluation.json").exists():
                    command = experiment.command(protocol, arguments.clips, arguments.out)
                    print(shlex.join(command), flush=True)
                    subprocess.run(command, check=True, env={**os.environ, **ENVIRONMENT})
    print(table(arguments.out))


def table(out: Path) -> str:
    """All results as a Markdown table; a run that is missing shows as such."""
    lines = [
        "| run | experiment | reported (HMDB-51, random) "
        "| random: validation | random: test | grouped: validation | grouped: test |",
        "|---|---|---|---|---|---|---|",
    ]
    for experiment in EXPERIMENTS:
        cells = [f"`{experiment.name}`", experiment.title, experiment.reported]
        for protocol in PROTOCOLS:
            run = out / f"{experiment.name}-{protocol}"
            if protocol not in experiment.protocols:
                cells += ["", ""]
            elif not (run / "evaluation.json").exists():
                cells += ["not run", "not run"]
            else:
                cells += [validation(run), test(run)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def validation(run: Path) -> str:
    """Validation accuracy at the kept epoch; that of an ensemble is not part of this table."""
    if not (run / "metrics.csv").exists():
        return ""
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    # All these recipes keep the epoch of the lowest validation loss.
    kept = min(rows, key=lambda row: float(row["validation_loss"]))
    clips = len(Split.load(run / "split.json").validation)
    correct = round(float(kept["validation_accuracy"]) * clips)
    interval = wilson(correct, clips)
    return (
        f"{100 * correct / clips:.1f} % ({correct}/{clips}; {100 * interval.low:.1f}-{100 * interval.high:.1f}); "
        f"epoch {kept['epoch']} of {len(rows)}"
    )


def test(run: Path) -> str:
    """Test accuracy with both intervals and the leak."""
    evaluation = read_json(run / "evaluation.json")
    top1 = evaluation["top1"]
    wilson_, grouped = top1["wilson"], top1["by_group"]
    by_group = "none" if grouped is None else f"{100 * grouped['low']:.1f}-{100 * grouped['high']:.1f}"
    return (
        f"**{100 * top1['value']:.1f} %** ({top1['correct']}/{top1['clips']}; {100 * wilson_['low']:.1f}-"
        f"{100 * wilson_['high']:.1f}; by group {by_group}); {evaluation['leak'].split(' test clips')[0]} leak"
    )


if __name__ == "__main__":
    main()
