"""CPU time to read the frames of a clip from its file: ours against what a user would pick instead.

    python benchmarks/decoding.py CLIPS [--mp4-clips N] [--rounds 3] [--size-px N]
        [--torchcodec-python PATH] [--decord-python PATH]

Reads 5, 16 and 32 frames of the AVI and the MP4 files found under CLIPS. Every way gets the same frame indices (those
of the paper's rule), opens each file anew, builds what index it needs inside the timing, and runs one thread where
that can be set. All ways take turns at each file, after it was read once into the system's cache. torchcodec and decord
run in environments of their own, whose interpreters the flags name; without the flag the way is skipped with a word.
Before the timing, ours is compared with decoding in order over all files under CLIPS: not one pixel may differ.

Prints Markdown tables: clips per CPU-second of each way (median over files of the file's median over rounds, and the
10 % and 90 % files), and how many times as fast ours is (median over files of the ratio in the same file).
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import av
import cv2
import numpy as np

from muybridge.sequences import spread
from muybridge.video import decoding
from muybridge.video.container import open_video
from muybridge.video.decoding import read_sampled
from muybridge.video.sampling import UniformSampler

FRAMES = (5, 16, 32)
KINDS = {"AVI, MPEG-4": "*.avi", "MP4, H.264": "*.mp4"}
OURS = "muybridge"
WITHOUT_INDEX = "muybridge, without the index of AVI files"

Way = Callable[[Path, UniformSampler, list[int], int | None], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--mp4-clips", type=int, default=40, help="how many of the MP4 files, evenly spread")
    parser.add_argument("--avi-clips", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size-px", type=int, help="squash each frame to a square; default: native size")
    parser.add_argument("--torchcodec-python", type=Path)
    parser.add_argument("--decord-python", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    counts = {"*.avi": options.avi_clips, "*.mp4": options.mp4_clips}
    files = {kind: sorted(options.clips.rglob(end)) for kind, end in KINDS.items()}

    interpreters = {
        "opencv-all": Path(sys.executable),
        "opencv-grab": Path(sys.executable),
        "torchcodec": options.torchcodec_python,
        "decord": options.decord_python,
    }
    ways: dict[str, Way] = {OURS: time_ours, WITHOUT_INDEX: time_without_index}
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{OURS}: PyAV {av.__version__}, OpenCV {cv2.__version__}")
    for method, interpreter in interpreters.items():
        if interpreter is None:
            print(f"{method}: skipped, --{method}-python names no interpreter")
            continue
        worker = Worker(interpreter, method)
        print(f"{method}: {worker.versions}")
        if worker.is_ready:
            ways[method] = worker.time

    for kind, found in files.items():
        if not found:
            print(f"\n{kind}: no such files")
            continue
        for path in found:
            check(path)
        paths = spread(found, counts[KINDS[kind]])
        print(f"\n### {kind}: {len(paths)} files, {'native size' if not options.size_px else f'{options.size_px} px'}")
        print(f"Same pixels as in order in each of {len(found)} files, for 5, 16 and 32 frames.\n")
        print("| way | " + " | ".join(f"{n} frames | ours is" for n in FRAMES) + " |")
        print("|---" * (1 + 2 * len(FRAMES)) + "|")
        seconds = {n: measure(ways, paths, n, options.rounds, options.size_px) for n in FRAMES}
        for way in ways:
            cells = [cell for n in FRAMES for cell in compare(seconds[n][way], seconds[n][OURS])]
            print(f"| {way} | " + " | ".join(cells) + " |")
        floors = [floor_ms(path) for path in paths]
        print(f"\nDecoding every frame without converting any: {statistics.median(floors):.3f} CPU ms a frame (median)")


def check(path: Path) -> None:
    for n in FRAMES:
        sampler = UniformSampler(frames=n, rule="paper")
        ours, in_order = (read_sampled(path, sampler, strategy=strategy) for strategy in ("auto", "sequential"))
        if not (
            np.array_equal(ours.frames_THWC, in_order.frames_THWC)
            and np.array_equal(ours.timestamps_seconds, in_order.timestamps_seconds)
        ):
            sys.exit(f"{path}: {n} frames differ from decoding in order")


def measure(
    ways: dict[str, Way], paths: list[Path], frames: int, rounds: int, size_px: int | None
) -> dict[str, list[float]]:
    """CPU seconds of each way for each file: the median of rounds in which the ways take turns."""
    sampler = UniformSampler(frames=frames, rule="paper")
    found: dict[str, list[float]] = {way: [] for way in ways}
    for path in paths:
        path.read_bytes()
        indices = read_sampled(path, sampler).indices.tolist()
        times: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(rounds):
            order = list(ways)
            for way in order[number % len(order) :] + order[: number % len(order)]:
                times[way].append(ways[way](path, sampler, indices, size_px))
        for way in ways:
            found[way].append(statistics.median(times[way]))
    return found


def time_ours(path: Path, sampler: UniformSampler, indices: list[int], size_px: int | None) -> float:
    began = time.process_time()
    read_sampled(path, sampler, size_px=size_px)
    return time.process_time() - began


def time_without_index(path: Path, sampler: UniformSampler, indices: list[int], size_px: int | None) -> float:
    """Ours as it was before it read the index that an AVI file has."""
    with mock.patch.object(decoding, "index_avi", return_value=None):
        return time_ours(path, sampler, indices, size_px)


def compare(seconds: list[float], ours: list[float]) -> tuple[str, str]:
    """Clips per CPU-second with spread, and how many times as fast ours is, with spread."""
    low, middle, high = np.percentile([1 / each for each in seconds], [10, 50, 90])
    ratios = np.percentile([other / own for other, own in zip(seconds, ours, strict=True)], [10, 50, 90])
    return f"{middle:.0f} ({low:.0f}-{high:.0f})", f"{ratios[1]:.2f}x ({ratios[0]:.2f}-{ratios[2]:.2f})"


def floor_ms(path: Path) -> float:
    """CPU milliseconds per frame to decode all of a file and convert none."""
    with open_video(path) as (container, stream):
        began = time.process_time()
        count = sum(1 for _ in container.decode(stream))
        return 1000 * (time.process_time() - began) / count


class Worker:
    """`decoding_worker.py` in another environment, kept running; started only once."""

    def __init__(self, interpreter: Path, method: str) -> None:
        self.is_ready = False
        command = [str(interpreter), str(Path(__file__).with_name("decoding_worker.py")), method]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except OSError as error:
            self.versions = f"skipped, {interpreter}: {error.strerror}"
            return
        line = self._process.stdout.readline()
        if not line:
            last = self._process.stderr.read().strip().splitlines()[-1:]
            self.versions = f"skipped, it does not start in {interpreter}: {' '.join(last)}"
            return
        self.versions = json.loads(line)["versions"]
        self.is_ready = True

    def time(self, path: Path, sampler: UniformSampler, indices: list[int], size_px: int | None) -> float:
        """CPU seconds of the worker for one file."""
        self._process.stdin.write(json.dumps({"path": str(path), "indices": indices, "size_px": size_px}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit(f"{path}: the worker ended: {self._process.stderr.read()}")
        result = json.loads(answer)
        if result["shape"][0] != len(indices):
            sys.exit(f"{path}: {result['shape'][0]} frames instead of {len(indices)}")
        return float(result["cpu_seconds"])


if __name__ == "__main__":
    main()
