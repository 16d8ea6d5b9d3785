"""Resident memory of a training, epoch by epoch, all its processes together.

    python benchmarks/memory.py CLIPS [--epochs 20] [-- any flags of muybridge train]

Starts ``muybridge train`` and, while it runs, reads the resident memory of the process and its loader processes from
/proc (Linux). Prints the largest value seen in each epoch, and the growth from the first epoch to the last.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    options, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "muybridge", "train", str(options.clips), "--run", str(run)]
        command += ["--training.epochs", str(options.epochs), "--training.patience", "0"]
        command += [flag for flag in flags if flag != "--"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peaks: dict[int, float] = {}
        while process.poll() is None and finished_epochs(run) < options.epochs:
            epoch = finished_epochs(run) + 1
            if (run / "undecodable.json").exists():  # written when decoding is over and training begins
                peaks[epoch] = max(peaks.get(epoch, 0.0), resident_mb(process.pid))
            time.sleep(0.05)
        if process.wait():
            sys.exit(f"training failed: {' '.join(command)}")
    for epoch, peak in peaks.items():
        print(f"epoch {epoch:>3}: {peak:7.1f} MB")
    values = [peaks[epoch] for epoch in sorted(peaks)]
    print(f"growth from the first epoch to the last: {100 * (values[-1] / values[0] - 1):+.1f} %")
    print(f"growth from the first epoch to the largest: {100 * (max(values) / values[0] - 1):+.1f} %")


def finished_epochs(run: Path) -> int:
    try:
        with (run / "metrics.csv").open() as file:
            return sum(1 for _ in csv.DictReader(file))
    except FileNotFoundError:
        return 0


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its children; pages shared between them are counted once (PSS)."""
    total = 0.0
    for number in [pid, *children(pid)]:
        try:
            text = Path(f"/proc/{number}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between the look and the read
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024
    return total


def children(pid: int) -> list[int]:
    try:
        direct = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [number for child in direct for number in (child, *children(child))]


if __name__ == "__main__":
    main()
