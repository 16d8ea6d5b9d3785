"""Shards in a bucket with latency: read from front to back against read at random; and clips of their own by threads.

    python benchmarks/shard_reading.py CLIPS [--clips 1200] [--latency-ms 50] [--rounds 3] [--threads 2] [--out FOLDER]

Run it at the root of a checkout: the S3 server is that of the tests. Packs copies of CLIPS into shards of 16 MB and
uploads them, and some as files of their own. Then, in turns:

1. At random: some of the clips, in an order drawn over all shards, each read by its range, by --threads threads.
   (A quarter of them, so that little of what is read is still in memory from before, as with shards of a terabyte.)
2. Streaming, an epoch: the order of a training, pieces fetched ahead, a cache of 1 GB, empty in each round.
   Both decode the clips, and then only read their bytes, which shows what storage allows.
3. `FrameCache.build` of the files with 2, 4, 8, 16 and 32 threads.

Prints the median of clips per second over the rounds, and for 1 and 2 the requests a clip, and how many
bytes were fetched for one byte of clips.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from muybridge import api
from muybridge.dataset.catalog import Clip
from muybridge.dataset.cutting import drawn
from muybridge.dataset.layouts import read_catalog
from muybridge.file_parts import open_bytes, status_of
from muybridge.files import write_rows
from muybridge.pipeline.frame_cache import FrameCache, place_in_shard
from muybridge.pipeline.frame_stream import FrameStream
from muybridge.pipeline.stream_order import StreamOrder
from muybridge.ranks import Place
from muybridge.recipes.cache import CacheConfig
from muybridge.storage import remote_reading
from muybridge.storage.remote_files import traffic, upload
from muybridge.video.sampling import UniformSampler

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.helpers.s3_server import Bucket

SAMPLER = UniformSampler(frames=16)
SIZE_PX = 172
FILES = 96
THREADS = (2, 4, 8, 16, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--clips", dest="count", type=int, default=1200)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="folder for shard-reading.csv")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muybridge-shards-") as temporary:
        folder, bucket = Path(temporary), Bucket()
        try:
            os.environ |= bucket.environment
            filled(bucket.url, options.clips, options.count, folder)
            bucket.faults(latency_seconds=options.latency_ms / 1000)
            found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
            for number in range(options.rounds):
                cache = folder / f"cache-{number}"
                for what in ("decoded", "read"):
                    found[f"{what} at random"].append(at_random(f"{bucket.url}/shards", options.threads, what, number))
                    found[f"{what}, streaming"].append(
                        streaming(f"{bucket.url}/shards", options.threads, what, cache / what, number)
                    )
                for threads in THREADS:
                    found[f"files, {threads} threads"].append(files(f"{bucket.url}/files", threads, cache))
                shutil.rmtree(cache)
        finally:
            bucket.close()
    rows = []
    for name, values in found.items():
        rate, requests, share = (statistics.median(column) for column in zip(*values, strict=True))
        rows.append(
            {
                "way": name,
                "clips_per_second": f"{rate:.1f}",
                "requests_a_clip": f"{requests:.2f}",
                "bytes_for_a_byte": f"{share:.2f}",
            }
        )
        print("  ".join(f"{value:<22}" for value in rows[-1].values()))
    if options.out:
        write_rows(options.out / "shard-reading.csv", rows)


def filled(url: str, clips: Path, count: int, folder: Path) -> None:
    """Upload copies of clips, in shards, and some as they are."""
    known = read_catalog(clips).by_id
    chosen = [known[id] for id in drawn(known, seed=0)]
    for number in range(count):
        clip = chosen[number % len(chosen)]
        place = folder / "copies" / clip.label / f"{number:05}{clip.path.suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip.path, place)
        if number < FILES:
            upload(place, f"{url}/files/{clip.label}/{place.name}")
    packed = api.pack(folder / "copies", folder / "shards", shard_size_gb=0.016).folder
    shutil.rmtree(folder / "copies")
    for file in sorted(packed.iterdir()):
        if not file.name.startswith("."):
            upload(file, f"{url}/shards/{file.name}")
    shutil.rmtree(packed)


def measured(began: float, before: tuple[int, int], clips: int, clip_bytes: int) -> tuple[float, float, float]:
    seconds = time.perf_counter() - began
    requests, size_bytes = traffic.requests - before[0], traffic.size_bytes - before[1]
    return clips / seconds, requests / clips, size_bytes / clip_bytes


def at_random(shards: str, threads: int, what: str, seed: int) -> tuple[float, float, float]:
    """Clips as an epoch without a cache would read them."""
    known = read_catalog(Path(shards)).by_id
    clips = [known[id] for id in drawn(known, seed=seed)[: len(known) // 4]]
    cache = FrameCache(CacheConfig(folder="nothing is written"), sampler=SAMPLER, views=1, size_px=SIZE_PX)
    remote_reading.forget_blocks()
    before, began = (traffic.requests, traffic.size_bytes), time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(cache.decoded if what == "decoded" else read, clips))
    return measured(began, before, len(clips), sum(clip.size_bytes or 0 for clip in clips))


def read(clip: Clip) -> None:
    """Read a clip's bytes."""
    with open_bytes(clip.path) as file:
        assert len(file.read()) == clip.size_bytes


def streaming(shards: str, threads: int, what: str, folder: Path, epoch: int) -> tuple[float, float, float]:
    """Clips as an epoch streams them."""
    clips = sorted(read_catalog(Path(shards)).clips, key=place_in_shard)
    config = CacheConfig(folder=str(folder), shards_gb=1.0)
    stream = FrameStream(config, sampler=SAMPLER, views=1, size_px=SIZE_PX, fit="squash", buffer_clips=256)
    order = StreamOrder(
        clips, shuffle=True, seed=0, batch_size=8, buffer_clips=256, place=Place(), pieces=stream.pieces
    )
    order.set_epoch(epoch)

    def take(index: int) -> None:
        if what == "decoded":
            stream.entry(clips[index])
            return
        with stream.pieces.serving():
            read(clips[index])

    before, began = (traffic.requests, traffic.size_bytes), time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for position, _ in enumerate(pool.map(take, [index for _, index in order])):
            order.reached(position + 2 * threads)
    order.close()
    return measured(began, before, len(clips), sum(clip.size_bytes or 0 for clip in clips))


def files(url: str, threads: int, folder: Path) -> tuple[float, float, float]:
    """Filling the frame cache from files of their own."""
    clips = read_catalog(Path(url)).clips
    config = CacheConfig(folder=str(folder / str(threads)))
    cache = FrameCache(config, sampler=SAMPLER, views=1, size_px=SIZE_PX)
    remote_reading.forget_blocks()
    before, began = (traffic.requests, traffic.size_bytes), time.perf_counter()
    assert cache.build(clips, workers=threads).built == FILES
    sizes = sum(status_of(clip.path).st_size for clip in clips)
    return measured(began, before, len(clips), sizes)


if __name__ == "__main__":
    main()
