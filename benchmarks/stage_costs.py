"""What a clip costs at each stage, and whether scale_model.py foretells how fast the real stages run.

    python benchmarks/stage_costs.py ucf101-10=CLIPS jhmdb-21=CLIPS [--clips 48] [--rounds 5] [--out FOLDER]

Run it at the root of a checkout: the S3 server is that of the tests (extras test, benchmarks). For each data set:

1. Costs, with one thread, in milliseconds of a core: hashing a file, fetching it from S3, decoding its frames and
   making them small, writing them to the cache, encoding by the default recipe's MoViNet-A0, a walk of the probe.
2. Runs: `FrameCache.build`, which is what `train` does first, with 1 and 2 threads (8 where storage is slow), from a
   folder, from shards and from S3 with 0, 50 and 200 ms of latency; and the encoding that follows, with 1 and 2.
   Beside each its simulation, which knows the costs of 1. and, since others use the machine, too, what share of the
   cores the run's threads got when they could run (Linux keeps count; waiting for each other is in it, so the queue
   for cores is not what is checked here). Nothing else is taken from the runs.

Every figure is the median over the rounds, in which costs and runs take turns. Each run has an empty cache.
"""

import argparse
import csv
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from muybridge import api
from muybridge.dataset.catalog import Clip
from muybridge.dataset.cutting import drawn
from muybridge.dataset.layouts import read_catalog
from muybridge.experiment.frame_source import frame_cache
from muybridge.file_parts import open_bytes
from muybridge.files import content_hash
from muybridge.models.network import build
from muybridge.pipeline.activations import ActivationDataset
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.pipeline.frame_entries import read_entry, read_frames_at, write_entry
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.store import load_recipe
from muybridge.storage.remote_files import upload
from muybridge.system import processor_name
from muybridge.training.encoding import FrozenPart
from muybridge.training.precision import encodes_in_bf16
from muybridge.training.probe_solving import descend
from muybridge.video.decoding import read_sampled
from scale_model import CORE, Stage, Step, Storage, decoding, simulate

sys.path.insert(0, str(Path.cwd()))
from tests.helpers.s3_server import Bucket

RUNS = (
    *(("folder", 0, threads) for threads in (1, 2)),
    *(("shards", 0, threads) for threads in (1, 2)),
    *(("S3", latency_ms, threads) for latency_ms in (0, 50, 200) for threads in (1, 2)),
    ("S3", 200, 8),
    ("encode", 0, 1),
    ("encode", 0, 2),
)
"""Where clips lie, how slow that is in milliseconds, and how many threads work."""
TWO_AT_ONCE = "encode, two at once"
STAGES = (
    *("hash", "fetch from S3", "serve S3", "decode", "write frames", "read frames", "encode", TWO_AT_ONCE),
    "probe, a walk",
)
PROBE_CLIPS, PROBE_CLASSES = 2000, 51
CORES = 2

Samples = dict[str, list[float]]


@dataclass(frozen=True)
class Data:
    """One data set in a temporary folder.

    Attributes:
        name: Of the data set.
        folder: Holds ``clips``, ``shards`` and caches.
        count: How many clips.
        bucket: Where they are put, too.
    """

    name: str
    folder: Path
    count: int
    bucket: Bucket

    def clips(self, where: str, *, turn: str) -> Sequence[Clip]:
        """The clips as nobody has read them yet in this process, whatever is remembered of files and blocks."""
        if where == "S3":
            url = f"{self.bucket.url}/{self.name}/{turn}"
            for path in sorted((self.folder / "clips").rglob("*.*")):
                upload(path, f"{url}/{path.parent.name}/{path.name}")
            return read_catalog(Path(url)).clips
        found = read_catalog(self.folder / where).clips
        for path in (self.folder / where).rglob("*.*"):
            os.utime(path)
        return found

    def cache(self, turn: str) -> FrameCache:
        """An empty one."""
        return frame_cache(load_recipe("default", flags=["--cache.folder", str(self.folder / "caches" / turn)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", metavar="NAME=CLIPS")
    parser.add_argument("--clips", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="a folder for stage-costs.csv and scale-check.csv")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    print(f"{processor_name()}, load {os.getloadavg()[0]:.1f}")
    bucket = Bucket()
    os.environ.update(bucket.environment | {"AWS_ENDPOINT_URL": bucket.direct_endpoint})
    costs, checks = [], []
    try:
        for given in options.data:
            name, _, clips = given.partition("=")
            with tempfile.TemporaryDirectory() as folder:
                data = copied(name, Path(clips), Path(folder), options.clips, bucket)
                samples = measured(data, options.rounds)
            costs += cost_rows(name, samples)
            checks += check_rows(name, samples)
    finally:
        bucket.close()
    print(f"load {os.getloadavg()[0]:.1f}")
    for title, rows in (("stage-costs", costs), ("scale-check", checks)):
        print(f"\n{title}")
        for row in rows:
            print("  " + ", ".join(f"{key} {value}" for key, value in row.items()))
        if options.out:
            with (options.out / f"{title}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)


def copied(name: str, clips: Path, folder: Path, count: int, bucket: Bucket) -> Data:
    """Some clips as a folder of classes, and packed."""
    known = read_catalog(clips).by_id
    for id in drawn(known, seed=0)[:count]:
        target = folder / "clips" / known[id].label / known[id].path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(known[id].path, target)
    api.pack(folder / "clips", folder / "shards")
    (folder / "clips").rename(folder / "folder")
    (folder / "clips").symlink_to("folder")
    return Data(name, folder, count, bucket)


def measured(data: Data, rounds: int) -> Samples:
    """All samples, by what they are of."""
    samples: Samples = defaultdict(list)
    net = build(load_recipe("default").model, len(read_catalog(data.folder / "folder").classes)).eval()
    bf16 = encodes_in_bf16(load_recipe("default").training, torch.device("cpu"))
    frozen = FrozenPart(net, bf16=bf16, device=torch.device("cpu"))
    for number in range(rounds + 1):  # the first warms up
        into: Samples = samples if number else defaultdict(list)
        measure_costs(data, frozen, into, turn=f"costs-{number}")
        for where, latency_ms, threads in RUNS:
            turn = f"{where}-{latency_ms}-{threads}-{number}"
            clips_per_second, share = run(data, frozen, where, latency_ms, threads, turn=turn)
            into[f"run {where} {latency_ms} {threads}"].append(clips_per_second)
            into[f"share {where} {latency_ms} {threads}"].append(share)
            shutil.rmtree(data.folder / "caches" / turn)
    return samples


class Turns:
    """How much of the cores the threads of some processes get when they could run, by Linux's own accounts.

    Args:
        processes: Their numbers.
        main: Whether the main thread of this process counts; where it only waits for the others, it should not.
    """

    def __init__(self, *processes: int, main: bool = False) -> None:
        self._processes = processes
        self._main = main
        self._before = self._read()
        self.share = 1.0

    def look(self, *_: object) -> None:
        """Take stock; threads that are gone later count as of now."""
        ran = waited = 0
        for thread, (running, waiting) in self._read().items():
            ran_before, waited_before = self._before.get(thread, (0, 0))
            ran += running - ran_before
            waited += waiting - waited_before
        self.share = ran / (ran + waited) if ran else 1.0

    def _read(self) -> dict[str, tuple[int, int]]:
        found = {}
        for process in self._processes:
            for thread in Path(f"/proc/{process}/task").iterdir():
                if int(thread.name) == os.getpid() and not self._main:
                    continue
                with suppress(OSError):  # it has just ended
                    running, waiting, _ = (thread / "schedstat").read_text().split()
                    found[thread.name] = int(running), int(waiting)
        return found


def measure_costs(data: Data, frozen: FrozenPart, into: Samples, *, turn: str) -> None:
    """One pass through all clips, stage by stage, in one thread."""
    cache = data.cache(turn)
    cache.folder.mkdir(parents=True)
    sampler, size = cache.sampler, {"size_px": cache.size_px, "fit": cache.fit}
    stage: Samples = defaultdict(list)

    def timed(name: str, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        began = time.process_time()
        made = work(*arguments, **named)
        stage[name].append(time.process_time() - began)
        return made

    clips_BTHWC = []
    for number, clip in enumerate(data.clips("folder", turn=turn)):
        timed("hash", content_hash, clip.path)
        sampled = timed("decode", read_sampled, clip.path, sampler, views=1, **size)
        path = cache.folder / f"{number}.frames"
        how = {"views": sampled.views, "frame_count": sampled.frame_count, "format": "raw"}
        timed("write frames", write_entry, path, sampled.frames_THWC, **how)
        timed("read frames", read_kept, path)
        features = timed("encode", frozen, sampled.frames_THWC[None])
        clips_BTHWC.append(sampled.frames_THWC[None])
        into["bytes hash"].append(clip.path.stat().st_size)
        into["bytes write frames"].append(path.stat().st_size)
        into["bytes encode"].append(features.astype(np.float16).nbytes)
    for name, seconds in stage.items():
        into[f"core {name}"].append(statistics.mean(seconds))
        into[f"variation {name}"].append(statistics.stdev(seconds) / statistics.mean(seconds))
    with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        began = time.process_time()
        list(pool.map(frozen, clips_BTHWC))
        into[f"core {TWO_AT_ONCE}"].append((time.process_time() - began) / len(clips_BTHWC))
    measure_fetching(data, into, turn=turn)
    measure_probe(into, width=features.shape[-1])


def read_kept(path: Path) -> None:
    """All frames of a cache file, which is verified first."""
    entry = read_entry(path)
    read_frames_at(entry, entry.views[0])


def measure_fetching(data: Data, into: Samples, *, turn: str) -> None:
    """What fetching a clip costs this process, the server, and in all, where the server does not wait on purpose."""
    clips = data.clips("S3", turn=turn)
    requests = data.bucket.counts()["requests"]
    turns = Turns(os.getpid(), data.bucket.process_id, main=True)
    began, own, server = time.perf_counter(), time.process_time(), server_seconds(data.bucket)
    for clip in clips:
        with open_bytes(clip.path) as file:
            file.read()
    wall, own, server = (
        time.perf_counter() - began,
        time.process_time() - own,
        server_seconds(data.bucket) - server,
    )
    into["requests"].append((data.bucket.counts()["requests"] - requests) / len(clips))
    into["core fetch from S3"].append(own / len(clips))
    into["core serve S3"].append(server / len(clips))
    turns.look()
    # What is neither this process nor the server at work, nor one of them waiting for a core: going to and fro.
    into["between"].append(max(0.0, wall - (own + server) / turns.share) / len(clips))


def server_seconds(bucket: Bucket) -> float:
    """Seconds of a core that the server has used."""
    fields = Path(f"/proc/{bucket.process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_probe(into: Samples, *, width: int) -> None:
    """The probe's solver on features of that width: seconds of a core for each clip and walk through all."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(PROBE_CLIPS, width, generator=generator, dtype=torch.float64)
    labels = torch.randint(PROBE_CLASSES, (PROBE_CLIPS,), generator=generator)
    walks = 0

    def blocks() -> list[tuple[torch.Tensor, torch.Tensor]]:
        nonlocal walks
        walks += 1
        return [(inputs, labels)]

    began = time.process_time()
    zeros = torch.zeros(PROBE_CLASSES, width, dtype=torch.float64)
    descend(blocks, PROBE_CLIPS, 1e-3, zeros, zeros[:, 0].clone())
    into["core probe, a walk"].append((time.process_time() - began) / walks / PROBE_CLIPS)
    into["walks"].append(walks)


def run(data: Data, frozen: FrozenPart, where: str, latency_ms: int, threads: int, *, turn: str) -> tuple[float, float]:
    """Clips per second of one run of the real thing, and the share of the cores that it got."""
    clips, cache = data.clips("folder" if where == "encode" else where, turn=turn), data.cache(turn)
    if where == "encode":
        return run_encoding(data, clips, cache, frozen, threads)
    data.bucket.faults(latency_seconds=latency_ms / 1000)
    turns = Turns(os.getpid(), *([data.bucket.process_id] if where == "S3" else []))
    began = time.perf_counter()
    result = cache.build(clips, workers=threads, on_progress=turns.look)
    took = time.perf_counter() - began
    data.bucket.faults()
    if result.built != data.count:
        raise RuntimeError(f"{result.built} of {data.count} clips were decoded: {result.failed}")
    return len(clips) / took, turns.share


def run_encoding(
    data: Data, clips: Sequence[Clip], cache: FrameCache, frozen: FrozenPart, threads: int
) -> tuple[float, float]:
    """The same of encoding what was decoded."""
    cache.build(clips, workers=CORES)
    classes = read_catalog(data.folder / "folder").classes
    torch.set_num_threads(threads)
    frozen.workers = threads
    examples = ActivationDataset(
        ClipDataset(cache, clips, classes=classes, augment=None, seed=0), frozen, identity=frozen.identity, variants=1
    )
    turns = Turns(os.getpid(), main=threads == 1)  # which then encodes
    began = time.perf_counter()

    def look(done: int, _total: int) -> None:
        nonlocal began
        if done == 1:  # the first clip is encoded alone, by all threads together
            began = time.perf_counter()
        turns.look()

    examples.build(look)
    took = time.perf_counter() - began
    torch.set_num_threads(1)
    return (len(clips) - 1) / took, turns.share


def cost_rows(name: str, samples: Samples) -> list[dict[str, str]]:
    """The rows of stage-costs.csv."""
    rows = []
    for stage in STAGES:
        milliseconds = [1000 * seconds for seconds in samples[f"core {stage}"]]
        sizes = samples.get(f"bytes {stage}")
        variations = samples.get(f"variation {stage}")
        rows.append(
            {
                "data": name,
                "stage": stage,
                "core_ms_a_clip": f"{statistics.median(milliseconds):.4g}",
                "least": f"{min(milliseconds):.4g}",
                "most": f"{max(milliseconds):.4g}",
                "variation": f"{statistics.median(variations):.2f}" if variations else "",
                "kilobytes_a_clip": f"{statistics.mean(sizes) / 1000:.4g}" if sizes else "",
            }
        )
    print(
        f"{name}: {statistics.median(samples['requests']):.2f} requests a clip, the probe walks "
        f"{statistics.median(samples['walks']):.0f} times"
    )
    return rows


def check_rows(name: str, samples: Samples) -> list[dict[str, str]]:
    """The rows of scale-check.csv: each run beside its simulation."""
    rows = []
    for where, latency_ms, threads in RUNS:
        real = samples[f"run {where} {latency_ms} {threads}"]
        median = statistics.median(real)
        shares = samples[f"share {where} {latency_ms} {threads}"]
        by_round = [simulated(samples, where, latency_ms, threads, share=share) for share in shares]
        ratios = [foretold / clips for foretold, clips in zip(by_round, real, strict=True)]
        rows.append(
            {
                "data": name,
                "clips_from": where,
                "latency_ms": str(latency_ms),
                "threads": str(threads),
                "measured": f"{median:.1f}",
                "least": f"{min(real):.1f}",
                "most": f"{max(real):.1f}",
                "share_of_cores": f"{statistics.median(shares):.2f}",
                "simulated": f"{statistics.median(by_round):.1f}",
                "difference_percent": f"{100 * (statistics.median(ratios) - 1):+.0f}",
            }
        )
    return rows


def simulated(samples: Samples, where: str, latency_ms: int, threads: int, *, share: float) -> float:
    """Clips per second by the simulation, from the costs and the share of the cores alone."""
    core = {key[5:]: statistics.median(values) for key, values in samples.items() if key.startswith("core ")}
    if where == "encode":
        places: dict[str, int] = {}
        encode = core["encode"] if threads == 1 else core[TWO_AT_ONCE]
        stages = [Stage("encoding", threads, (Step((core["read frames"] + encode) / share, (CORE,)),))]
    else:
        storage = Storage()
        decode = core["decode"] + core["write frames"]
        if where == "S3":
            storage = Storage(
                requests=1,
                latency_seconds=latency_ms / 1000 + statistics.median(samples["between"]),
                client_seconds=core["fetch from S3"] / share,
                server_seconds=core["serve S3"] / share,
            )
        else:
            decode += core["hash"]
        variation = statistics.median(samples["variation decode"])
        stages = [decoding(storage, threads=threads, decode_seconds=decode / share, variation=variation)]
        places = storage.places()
    count = len(samples["bytes hash"]) // len(samples["walks"])
    # Threads that wait for each other's cores are in the share already, so here none waits for one.
    places[CORE] = threads + 1
    seconds = [simulate(stages, places, clips=count, seed=seed).seconds for seed in range(20)]
    return count / statistics.mean(seconds)  # as in the run, some are the first and the last


if __name__ == "__main__":
    main()
