"""A timeline of ten hours: memory over time, times real time, sizes of what is written; killed in the middle, resumed.

python benchmarks/long_videos_hours.py RUN VIDEO... --out FOLDER [--hours 10] [--samples FILE] [--rows FILE]

The videos, of one size and codec, are repeated without encoding until they last so many hours. `muybridge timeline`
runs as a process of its own; its memory (with that of its children, shared pages counted once) is noted each ten
seconds. Half way it is killed (SIGKILL) and goes on with --resume.
"""

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import safe_open

from long_videos_making import repeated, seconds_of
from memory import resident_mb
from muybridge.files import write_rows
from muybridge.recipes.timeline_rules import WindowConfig

EVERY_SECONDS = 10.0
FORMATS = ("json", "csv", "srt", "vtt", "html")


@dataclass
class Watched:
    """A process that was watched until it ended or had scored enough.

    Attributes:
        seconds: How long it ran.
        samples: Elapsed seconds, hours of video scored so far, memory.
    """

    seconds: float = 0.0
    samples: list[tuple[float, float, float]] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="where the video and its timeline go")
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--samples", type=Path, help="a CSV of the memory over time")
    parser.add_argument("--rows", type=Path, help="a CSV of the memory in each hour of the video")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    video = options.out / "hours.mp4"
    if not video.exists():
        repeated(options.videos, video, seconds=3600 * options.hours)
    hours = seconds_of(video) / 3600
    parts = {
        "until the kill": watch(options.run, video, options.out, resume=False, until_hours=hours / 2),
        "resumed": watch(options.run, video, options.out, resume=True),
    }
    if options.samples:
        fields = ("elapsed_seconds", "scored_hours", "resident_mb")
        write_rows(
            options.samples,
            [
                {"part": name, **dict(zip(fields, sample, strict=True))}
                for name, part in parts.items()
                for sample in part.samples
            ],
        )
    sizes = {ending: video.with_suffix(f".{ending}").stat().st_size for ending in (*FORMATS, "scores")}
    figures = {
        "hours": f"{hours:.2f}",
        "video_mb": round(video.stat().st_size / 1e6),
        "minutes_taken": f"{sum(part.seconds for part in parts.values()) / 60:.1f}",
        "times_real_time": f"{3600 * hours / sum(part.seconds for part in parts.values()):.1f}",
        "largest_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
        **{f"{ending}_kb": round(size / 1e3) for ending, size in sizes.items()},
        "load": f"{os.getloadavg()[2]:.1f}",
    }
    print(figures)
    if options.rows:
        write_rows(options.rows, by_hour(parts))


def by_hour(parts: dict[str, Watched]) -> list[dict[str, object]]:
    """For each hour of the video, in each part, the memory while it was scored."""
    rows = []
    for name, part in parts.items():
        for hour in sorted({int(scored) for _, scored, _ in part.samples}):
            memory = [mb for _, scored, mb in part.samples if int(scored) == hour]
            row = {"hour": hour + 1, "part": name, "median_mb": round(statistics.median(memory))}
            rows.append({**row, "most_mb": round(max(memory)), "samples": len(memory)})
    return rows


def watch(run: Path, video: Path, out: Path, *, resume: bool, until_hours: float = float("inf")) -> Watched:
    """Run the command and note its memory; kill it where it has scored so many hours."""
    command = [sys.executable, "-m", "muybridge", "timeline", str(run), str(video), "--out", str(out)]
    process = subprocess.Popen([*command, "--resume"] if resume else command)
    began, found = time.monotonic(), Watched()
    state = out / f"{video.stem}.state"
    while True:
        try:
            process.wait(EVERY_SECONDS)
            break
        except subprocess.TimeoutExpired:
            hours = scored_hours(state)
            found.samples.append((round(time.monotonic() - began, 1), round(hours, 4), resident_mb(process.pid)))
            print(*found.samples[-1], flush=True)
            if hours >= until_hours:
                process.send_signal(signal.SIGKILL)
                process.wait()
                break
    found.seconds = time.monotonic() - began
    if process.returncode not in (0, -signal.SIGKILL):
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return found


def scored_hours(state: Path) -> float:
    """How much of the video is scored and kept."""
    if not state.exists():
        return 0.0
    with safe_open(state, framework="np") as file:
        return int(file.metadata()["count"]) * WindowConfig.hop_seconds / 3600


if __name__ == "__main__":
    main()
