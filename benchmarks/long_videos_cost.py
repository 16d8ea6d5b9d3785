"""What a timeline costs: times real time, processor time in the network, memory; over frame rate, size and length.

python benchmarks/long_videos_cost.py RUN VIDEO [--rows FILE] [--minutes 1 60]

VIDEO is encoded anew at each size (25 frames/s), its first minute for all but the lengths; longer ones repeat it. Each
row is a process of its own. Threads: as torch is told (OMP_NUM_THREADS).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import cv2

from long_videos_making import repeated
from muybridge.files import write_rows
from muybridge.video.steady_reading import SteadyReader

SIZES = ((320, 240), (640, 480), (1280, 720))
RATES = (2.5, 5.0, 10.0)
ONE = """
import json, resource, sys, time
from muybridge.console import STDERR
from muybridge.inference.loading import load
from muybridge.inference.timeline.video_scoring import score_video
from muybridge.inference.timeline.window_scoring import FeatureScorer
from muybridge.recipes.timeline_rules import WindowConfig
from pathlib import Path
model = load(sys.argv[1], device="cpu")
spent, frames, push = 0.0, 0, FeatureScorer.push
def timed(self, frames_THWC):
    global spent, frames
    started = time.perf_counter()
    given = push(self, frames_THWC)
    spent, frames = spent + time.perf_counter() - started, frames + len(frames_THWC)
    return given
FeatureScorer.push = timed
before = resource.getrusage(resource.RUSAGE_SELF)
started = time.perf_counter()
track = score_video(model, Path(sys.argv[2]), windows=WindowConfig(frames_per_second=float(sys.argv[3])))
took = time.perf_counter() - started
after = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "times_real_time": round(track.seconds / took, 1),
    "cpu_seconds_a_minute": round(60 * (after.ru_utime - before.ru_utime) / track.seconds, 2),
    "network_ms_a_frame": round(1000 * spent / frames, 1),
    "peak_mb": after.ru_maxrss // 1024,
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 60])
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cases = [(size, 5.0, 1) for size in SIZES]
        cases += [(SIZES[0], rate, 1) for rate in RATES if rate != 5.0]
        cases += [(SIZES[0], 5.0, minutes) for minutes in options.minutes if minutes != 1]
        for size, rate, minutes in cases:
            path = Path(folder) / f"{size[0]}.mp4"
            if not path.exists():
                encode(options.video, path, size)
            if minutes > 1:
                path = repeated([path], path.with_name(f"{path.stem}-{minutes}.mp4"), seconds=60 * minutes)
            command = [sys.executable, "-c", ONE, str(options.run), str(path), str(rate)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            given = {"width_px": size[0], "height_px": size[1], "frames_per_second": rate, "minutes": minutes}
            rows.append({**given, **found, "load": f"{os.getloadavg()[0]:.1f}"})
            print(rows[-1], flush=True)
    if options.rows:
        write_rows(options.rows, rows)


def encode(source: Path, path: Path, size: tuple[int, int]) -> None:
    """The first minute of a video at another size."""
    with SteadyReader(source, frames_per_second=25) as reader, av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number, image in enumerate(reader):
            if number == 60 * 25:
                break
            frame = av.VideoFrame.from_ndarray(cv2.resize(image, size), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
