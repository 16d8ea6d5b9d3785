"""Many files from a bucket: a Ray cluster against the plain loop at the same cores, with an actor killed on the way.

    python benchmarks/many_files.py [--clips 2000] [--cores 2] [--latency-ms 20] [--failing 0.0] [--no-kill]

Writes clips of moving noise to an S3 server on this machine, some of them damaged, trains a small model, and predicts
all of them twice: by `predict --out` in this process, and `--on ray` on a cluster of this machine, of which one worker
is killed with -9 after a third of the files. Prints clips per second of both
(whole, and from the first file on, without the start of the cluster), the share of decoding spent waiting for storage,
and whether the rows are equal. Needs the extras ray and s3, and moto.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np

from muybridge import api
from muybridge.pieces.whole_job import ManyResult
from muybridge.storage.remote_files import upload

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.helpers.clips import write_clips
from tests.helpers.descendants import descendants
from tests.helpers.many_files import rows_in
from tests.helpers.s3_server import Bucket

DIFFERENT = 40
"""So many clips are made; the others are copies under other names."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--latency-ms", type=float, default=20.0)
    parser.add_argument("--failing", type=float, default=0.0)
    parser.add_argument("--no-kill", action="store_true")
    options = parser.parse_args()
    import ray

    with tempfile.TemporaryDirectory(prefix="muybridge-many-") as temporary:
        folder, bucket = Path(temporary), Bucket()
        try:
            os.environ |= bucket.environment
            run = small_run(folder)
            fill(bucket.url, options.clips, folder)
            bucket.faults(latency_seconds=options.latency_ms / 1000, failing_share=options.failing)
            here = api.predict_many(run, [f"{bucket.url}/many"], folder / "local", device="cpu")
            show("one process", here)
            ray.init(num_cpus=options.cores, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
            killed: list[str] = []
            killer = threading.Thread(target=kill_in_the_middle, args=(folder / "ray", here.parts // 3, killed))
            if not options.no_kill:
                killer.start()
            there = api.predict_many(run, [f"{bucket.url}/many"], folder / "ray", on="ray", device="cpu")
            show("Ray", there)
            print(f"killed with -9: {', '.join(killed) or 'none'}")
            print(f"Ray / one process: {100 * here.seconds / there.seconds:.0f} %")
            print(f"Ray / one process, from the first file on: {100 * rate(there) / rate(here):.0f} %")
            equal = rows_in(folder / "local") == rows_in(folder / "ray")
            names = [row["clip"] for row in rows_in(folder / "ray")]
            print(
                f"rows: {len(names)}, clips named twice: {len(names) - len(set(names))}, undecodable: "
                f"{there.undecodable}; all equal to those of one process: {equal}"
            )
        finally:
            ray.shutdown()
            bucket.close()


def small_run(folder: Path) -> Path:
    """A run of the default recipe's network, without weights: its cost is that of a trained one."""
    recipe = {"encoder": "mobilenet", "weights": "none", "size_px": 112, "epochs": 1, "frames": 5}
    options = {"training": {"head_epochs": 0}, "cache": {"folder": str(folder / "cache")}}
    clips = write_clips(folder / "training", groups=4, per_group=1)
    api.train(clips, "default", run=folder / "run", device="cpu", **recipe, **options)
    return folder / "run"


def fill(url: str, count: int, folder: Path) -> None:
    """Put clips into the bucket; each hundredth is damaged."""
    made = []
    for number in range(min(count, DIFFERENT)):
        made.append(folder / "made" / f"{number}.mp4")
        write(made[-1], seed=number, frames=40 + 2 * (number % 20))
    broken = folder / "made" / "broken.mp4"
    broken.write_bytes(made[0].read_bytes()[:300])

    def put(number: int) -> None:
        upload(broken if number % 100 == 99 else made[number % len(made)], f"{url}/many/{number:06}.mp4")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(count)))


def write(path: Path, *, seed: int, frames: int) -> None:
    """A clip of 320 x 240 pixels, noise that moves."""
    path.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (300, 400, 3), np.uint8)
    noise = np.repeat(np.repeat(noise[::8, ::8], 8, axis=0), 8, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=25, options={"crf": "28"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for frame in range(frames):
            image = noise[frame % 60 : frame % 60 + 240, frame % 80 : frame % 80 + 320]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode())


def show(name: str, result: ManyResult) -> None:
    """Print what a job took."""
    print(
        f"{name}: {result.clips} clips in {result.parts} files, {result.seconds:.1f} s, "
        f"{result.clips / result.seconds:.1f} clips/s; first file after {result.ready_seconds:.1f} s, from then on "
        f"{rate(result):.1f} clips/s; decoding {result.cost.decoding:.1f} s, of which waiting for storage "
        f"{100 * result.storage_share:.0f} %; network {result.cost.computing:.1f} s; {result.cost.requests} requests"
    )


def rate(result: ManyResult) -> float:
    """Clips per second after the first file."""
    first = result.clips / result.parts
    return (result.clips - first) / (result.seconds - result.ready_seconds)


def kill_in_the_middle(out: Path, after: int, killed: list[str]) -> None:
    """Kill a worker once so many files are there."""
    while len(list(out.glob("part-*"))) < after:
        time.sleep(0.05)
    process, title = next((pid, title) for pid, title in descendants(os.getpid()) if "_Worker" in title)
    os.kill(process, signal.SIGKILL)
    killed.append(f"{title} ({process})")


if __name__ == "__main__":
    main()
