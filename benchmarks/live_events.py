"""What watching loses against a timeline: the same videos both ways, held against the same truth.

    python benchmarks/live_events.py FOLDER

FOLDER is what ``benchmarks/long_videos.py --out FOLDER`` left: pairs of classes, each with a model that has not seen
them, and two test videos. Each is watched with ``--pace all`` and timelined, by the default rules. A begin is told by
the stream's own time: how far the stream had come when the line was printed.
"""

import argparse
import csv
import json
import statistics
from pathlib import Path

import muybridge
from muybridge.dataset.segments import Segment
from muybridge.evaluation.segment_metrics import boundary_errors, frame_labels, segment_counts

_RATE = 25.0
_BACKGROUND = "background"


def truth_of(path: Path) -> list[Segment]:
    """The true segments of a test video."""
    with path.with_suffix(".csv").open(newline="") as file:
        return [
            Segment(path, float(row["start"]), float(row["end"]), row["label"])
            for row in csv.DictReader(file)
            if row["label"] != _BACKGROUND
        ]


def f1(found: list[Segment], true: list[Segment], seconds: float) -> float:
    """F1 at 50 % overlap."""
    labels = [frame_labels(each, seconds=seconds, frames_per_second=_RATE) for each in (found, true)]
    return segment_counts(*labels, overlap=0.5).f1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rows, late = [], []
    for video in sorted(folder.glob("pair*/test*.mp4")):
        model, true = video.parent / "model", truth_of(video)
        ends: list[dict] = []

        def note(event: dict, ends: list[dict] = ends) -> None:
            if event["state"] == "end":
                ends.append(event)
            late.extend([event["told_seconds"] - event["start_seconds"]] if event["state"] == "begin" else [])

        muybridge.watch(model, str(video), pace="all", status_seconds=0, emit=note, device="cpu")
        live = [Segment(video, each["start_seconds"], each["end_seconds"], each["label"]) for each in ends]
        (whole,) = muybridge.timeline(
            model, [video], out=video.parent / "default", formats=["csv"], resume=True, device="cpu"
        ).timelines
        found = {"watch": live, "timeline": list(whole.segments)}
        rows.append({way: f1(segments, true, whole.seconds) for way, segments in found.items()})
        for way, segments in found.items():
            errors = boundary_errors(segments, true, seconds=whole.seconds)
            rows[-1][f"{way} border"] = statistics.median(errors)
        print(video.parent.name, video.name, {key: round(value, 3) for key, value in rows[-1].items()}, flush=True)
    means = {key: round(statistics.mean(row[key] for row in rows), 3) for key in rows[0]}
    told = statistics.quantiles(late, n=20)
    print(
        json.dumps(
            {
                "videos": len(rows),
                **means,
                "begins": len(late),
                "told_after_median_seconds": round(statistics.median(late), 2),
                "told_after_p95_seconds": round(told[-1], 2),
            }
        )
    )


if __name__ == "__main__":
    main()
