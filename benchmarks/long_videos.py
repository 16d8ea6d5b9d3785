"""Timelines of long videos made of held-out clips: F1, borders and speed, and the plain way in the same run.

python benchmarks/long_videos.py CLIPS.csv [--out FOLDER] [--test-groups G ...] [--tune-groups G ...] [--rows FILE]
                                 [--join] [--default-only] [--train-flags ...]

CLIPS.csv has path, label and group. Without groups, a quarter of them is drawn for tests and
a sixth for tuning. The classes are drawn into pairs. Each pair in turn is left out: the model learns
the other classes, and the pair's clips are the background of the videos. Of each pair two videos are made of clips of
the test groups, and two of clips of the tuning groups. Rules are tuned on the latter, by a model that saw neither; the
model that is measured learned from all clips but those of the test groups. The plain way names each two seconds of the
video as a clip by itself and takes the best class; "plain, none" takes none of these where the model says so.
"""

import argparse
import csv
import os
import random
import shlex
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from long_videos_making import BACKGROUND, SourceClip, TruePart, make, read_clips, seconds_of
from muybridge.dataset.segments import Segment
from muybridge.evaluation.segment_metrics import (
    boundary_errors,
    edit_score,
    frame_accuracy,
    frame_labels,
    mean_average_precision,
    segment_counts,
)
from muybridge.files import write_rows
from muybridge.inference.answers import Prediction
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.recipes.timeline_rules import SegmentRules
from muybridge.verbs.timeline.job import timeline

PARTS, VIDEOS = 30, 2
FRAMES_PER_SECOND = 25.0
OVERLAPS = (0.3, 0.4, 0.5, 0.6, 0.7)
PLAIN_SECONDS = 2.0
WAYS = ("plain", "plain, none", "default", "tuned")


@dataclass(frozen=True)
class Measured:
    """One video answered in one way."""

    way: str
    unseen: str
    video: str
    seconds: float
    f1_10: float
    f1_25: float
    f1_50: float
    accuracy: float
    edit: float
    mean_ap: float
    borders: tuple[float, ...]
    false_alarms: int
    times_real_time: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/long-videos"))
    parser.add_argument("--test-groups", nargs="+", default=[])
    parser.add_argument("--tune-groups", nargs="+", default=[])
    parser.add_argument("--pairs", type=int, default=5, help="how many pairs of classes are left out in turn")
    parser.add_argument("--rows", type=Path, help="a CSV of the means, as in docs/results")
    parser.add_argument("--join", action="store_true", help="join clips, which are shorter than the parts")
    parser.add_argument("--default-only", action="store_true", help="no tuned rules, and no plain way")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train-flags", default="", help="more options of muybridge train, in quotes")
    options = parser.parse_args()
    clips = read_clips(options.clips)
    labels = sorted({clip.label for clip in clips})
    random.Random(options.seed).shuffle(labels)
    groups = sorted({clip.group for clip in clips})
    random.Random(options.seed).shuffle(groups)
    if not options.test_groups:
        options.test_groups = groups[: len(groups) // 4]
    if not options.tune_groups:
        left = [group for group in groups if group not in options.test_groups]
        options.tune_groups = left[: len(groups) // 6]
    measured: list[Measured] = []
    for number in range(options.pairs):
        unseen = sorted(labels[2 * number : 2 * number + 2])
        new = measure(options, clips, unseen, number)
        measured += new
        for row in new:
            print(f"{row.way:<12} {row.unseen:<28} {row.video} F1@50 {row.f1_50:5.1f}", flush=True)
    rows = [summary(way, own) for way in WAYS if (own := [row for row in measured if row.way == way])]
    for row in rows:
        print(row)
    if options.rows:
        write_rows(options.rows, rows)


def measure(options: argparse.Namespace, clips: list[SourceClip], unseen: list[str], number: int) -> list[Measured]:
    """Train, tune and answer the videos of one pair of left-out classes."""
    folder = options.out / f"pair{number}"
    test, tune = set(options.test_groups), set(options.tune_groups)
    truths: dict[str, list[TruePart]] = {}
    for kind, groups in (("tune", tune), ("test", test)):
        for which in range(VIDEOS):
            name, seed = f"{kind}{which}", 10 * number + which + (1000 if kind == "tune" else 0)
            own = [clip for clip in clips if clip.group in groups]
            truths[name] = make(folder / f"{name}.mp4", own, unseen=unseen, parts=PARTS, seed=seed, join=options.join)
    known = [clip for clip in clips if clip.label not in unseen]
    model = train(folder / "model", [clip for clip in known if clip.group not in test], options)
    rules = {"default": SegmentRules()}
    if not options.default_only:
        deciding = train(folder / "deciding", [clip for clip in known if clip.group not in test | tune], options)
        rules["tuned"] = tuned_rules(deciding, folder, truths)
        print(f"tuned without {', '.join(unseen)}: {rules['tuned']}", flush=True)

    found: list[Measured] = []
    recognizer = load(model, device="cpu")
    assert isinstance(recognizer, Recognizer)
    for which in range(VIDEOS):
        name = f"test{which}"
        path = folder / f"{name}.mp4"
        true = segments(path, truths[name])
        for way, chosen in rules.items():
            result = timeline(model, [path], rules=chosen, out=folder / way, formats=["csv"], device="cpu")
            [answer] = result.timelines
            found.append(figures(way, unseen, path, answer.segments, true, answer.times_real_time or 0.0))
        if options.default_only:
            continue
        started = time.perf_counter()
        answers = list(window_by_window(recognizer, path))
        speed = seconds_of(path) / (time.perf_counter() - started)
        for way in WAYS[:2]:
            plain = joined(path, answers, rejects=way != "plain")
            found.append(figures(way, unseen, path, plain, true, speed))
    return found


def tuned_rules(deciding: Path, folder: Path, truths: dict[str, list[TruePart]]) -> SegmentRules:
    """Rules tuned on the tuning videos of a pair."""
    table = folder / "tune.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "start", "end", "label"])
        for name in (f"tune{which}" for which in range(VIDEOS)):
            writer.writerows([f"{name}.mp4", part.start, part.end, part.label] for part in truths[name])
    return timeline(deciding, tune=table, rules=SegmentRules(), out=folder / "tuning", device="cpu").rules


def train(run: Path, clips: Sequence[SourceClip], options: argparse.Namespace) -> Path:
    """A run of the default recipe on these clips; one that is there is taken."""
    if not (run / "report.html").exists():
        table = run.with_suffix(".csv")
        write_rows(
            table, [{"path": str(clip.path.absolute()), "label": clip.label, "group": clip.group} for clip in clips]
        )
        command = ["muybridge", "train", str(table), "--run", str(run), *shlex.split(options.train_flags)]
        subprocess.run(command, check=True)
    return run


def window_by_window(recognizer: Recognizer, path: Path) -> Iterator[tuple[float, float, Prediction]]:
    """Start, end and answer of each two seconds, as a clip by itself."""
    start, end = 0.0, seconds_of(path)
    while start < end - 0.2:
        stop = min(end, start + PLAIN_SECONDS)
        yield start, stop, recognizer.predict(path, start_seconds=start, end_seconds=stop)
        start = stop


def joined(path: Path, answers: Sequence[tuple[float, float, Prediction]], *, rejects: bool) -> list[Segment]:
    """Neighbours of one class as one segment."""
    found: list[Segment] = []
    for start, stop, answer in answers:
        if rejects and answer.none_of_these:
            continue
        if found and found[-1].label == answer.label and found[-1].end_seconds == start:
            last = found.pop()
            found.append(Segment(path, last.start_seconds, stop, answer.label, max(last.score or 0, answer.score)))
        else:
            found.append(Segment(path, start, stop, answer.label, answer.score))
    return found


def figures(
    way: str, unseen: Sequence[str], path: Path, found: Sequence[Segment], true: Sequence[Segment], speed: float
) -> Measured:
    seconds = seconds_of(path)
    labels, wanted = (
        frame_labels(each, seconds=seconds, frames_per_second=FRAMES_PER_SECOND) for each in (found, true)
    )
    counts = [segment_counts(labels, wanted, overlap=overlap) for overlap in (0.1, 0.25, 0.5)]
    return Measured(
        way,
        "+".join(unseen),
        path.stem,
        seconds,
        *(100 * each.f1 for each in counts),
        100 * frame_accuracy(labels, wanted),
        100 * edit_score(labels, wanted),
        100 * float(mean_average_precision(found, true, overlaps=OVERLAPS).mean()),
        tuple(boundary_errors(found, true, seconds=seconds)),
        counts[0].wrong,
        speed,
    )


def summary(way: str, rows: Sequence[Measured]) -> dict[str, object]:
    """The means over the videos."""
    f1 = [row.f1_50 for row in rows]
    borders = [error for row in rows for error in row.borders]
    hours = sum(row.seconds for row in rows) / 3600
    return {
        "way": way,
        "videos": len(rows),
        "minutes": f"{60 * hours:.1f}",
        "f1_10": f"{statistics.mean(row.f1_10 for row in rows):.1f}",
        "f1_25": f"{statistics.mean(row.f1_25 for row in rows):.1f}",
        "f1_50": f"{statistics.mean(f1):.1f}",
        "f1_50_least": f"{min(f1):.1f}",
        "f1_50_most": f"{max(f1):.1f}",
        "frame_accuracy": f"{statistics.mean(row.accuracy for row in rows):.1f}",
        "edit": f"{statistics.mean(row.edit for row in rows):.1f}",
        "mean_ap": f"{statistics.mean(row.mean_ap for row in rows):.1f}",
        "border_seconds_median": f"{statistics.median(borders):.2f}",
        "false_alarms_an_hour": f"{sum(row.false_alarms for row in rows) / hours:.0f}",
        "times_real_time": f"{statistics.median(row.times_real_time for row in rows):.0f}",
        "load": f"{os.getloadavg()[1]:.1f}",
    }


def segments(path: Path, truth: Sequence[TruePart]) -> list[Segment]:
    return [Segment(path, part.start, part.end, part.label) for part in truth if part.label != BACKGROUND]


if __name__ == "__main__":
    main()
