"""Resident memory of a training, epoch by epoch, all its processes together.

    python benchmarks/memory.py CLIPS [--epochs 20] [--clips 1500] [-- any flags of muybridge train]

With --clips the training is on so many clips: those of CLIPS again and again, under names of their own, so that each
is a clip of its own to training (the frame cache knows that the files are the same); for example
--clips 1500 --epochs 2 --frames 16 --size-px 224.

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

from muybridge.dataset.layouts import read_catalog


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--clips", dest="count", type=int, default=0)
    options, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        clips = repeated(options.clips, Path(folder) / "clips.csv", options.count) if options.count else options.clips
        command = [sys.executable, "-m", "muybridge", "train", str(clips), "--run", str(run)]
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
    print(f"largest: {max(peaks.values()):.1f} MB")
    for epoch, peak in peaks.items():
        print(f"epoch {epoch:>3}: {peak:7.1f} MB")
    values = [peaks[epoch] for epoch in sorted(peaks)]
    print(f"growth from the first epoch to the last: {100 * (values[-1] / values[0] - 1):+.1f} %")
    print(f"growth from the first epoch to the largest: {100 * (max(values) / values[0] - 1):+.1f} %")


def repeated(clips: Path, table: Path, count: int) -> Path:
    """A CSV of ``count`` rows over the clips, each repetition through links of its own."""
    catalog = read_catalog(clips)
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group"])
        for number in range(count):
            clip = catalog.clips[number % len(catalog.clips)]
            link = table.parent / "links" / clip.label / f"{number:05}{clip.path.suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(clip.path.resolve())
            writer.writerow([link.relative_to(table.parent), clip.label, f"{clip.group}"])
    return table


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
