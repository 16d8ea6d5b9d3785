"""Time and memory of a catalog of a million clips: read, duplicates found, divided by source group, classes counted.

    python benchmarks/catalog_size.py [--clips 1000000] [--folder FOLDER]

Writes the index of so many clips in shards that are sparse files of the size it says (no disk is taken), 400 classes,
20 clips a source group, one clip in a hundred the same bytes as another. Then a fresh process does what a training does
before it opens a video, and prints for each step its seconds and the largest resident memory up to its end (Linux).
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

CLASSES, IN_GROUP, IN_SHARD, TWINS = 400, 20, 2000, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the index is made, or was made before")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read is not None:
        read(options.read)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "shards"
        if not (folder / "index.parquet").exists():
            write(folder, options.clips)
        subprocess.run([sys.executable, __file__, "--read", str(folder)], check=True)


def write(folder: Path, count: int) -> None:
    """Write the index of so many clips, and sparse shards."""
    from muybridge.dataset.shard_index import table_of, write_index

    folder.mkdir(parents=True, exist_ok=True)
    sizes = [20_000 + (number - number % TWINS) % 1_000_003 for number in range(count)]
    rows, shards, offset, shard = [], {}, 0, ""
    for number in range(count):
        if number % IN_SHARD == 0:
            shard, offset = f"shard-{number // IN_SHARD:06}.tar", 0
        # The first two of each hundred hold the same.
        content = number - number % TWINS if number % TWINS < 2 else number
        size = sizes[content]
        label, name = f"class {number // IN_GROUP % CLASSES:03}", f"clip{number:08}"
        video = f"{label}/video {number // IN_GROUP}"
        rows.append(
            (f"{video}/{name}.mp4", f"{video}/{name}.mp4", label, video, True, None, None, None, shard,
             f"{number:08}-{name}.mp4", offset + 512, size, hashlib.sha256(str(content).encode()).hexdigest(), None)
        )  # fmt: skip
        offset += size + 1536
        shards[shard] = offset
    for name, size in shards.items():
        with (folder / name).open("wb") as file:
            file.truncate(size)
    names = (
        "id", "file", "label", "group", "group_known", "split", "start_seconds", "end_seconds", "shard", "member",
        "offset", "size_bytes", "sha256", "source_sha256",
    )  # fmt: skip
    write_index(folder, table_of(dict(zip(names, zip(*rows, strict=True), strict=True))), kind="clips", shards=shards)


def read(folder: Path) -> None:
    """Do what a training does with a catalog, and say what each step takes."""
    begun = last = time.perf_counter()
    last_busy = time.process_time()
    print(f"{'step':<32} {'time':>8} {'of a processor':>10} {'memory':>8}")

    def lap(step: str) -> None:
        nonlocal last, last_busy
        now = time.perf_counter()
        megabytes = int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 1000
        busy = time.process_time()
        print(f"{step:<32} {now - last:6.1f} s   {busy - last_busy:6.1f} s   {megabytes:7.0f} MB", flush=True)
        last, last_busy = now, busy

    from muybridge.dataset.layouts import read_catalog
    from muybridge.dataset.protocols import make_split

    lap("import")
    catalog = read_catalog(folder)
    lap(f"read {len(catalog.clips)} clips")
    twins = catalog.duplicates
    lap(f"{len(twins)} sets of duplicates")
    wrong = catalog.contradictions
    lap(f"{len(wrong)} sets under two labels")
    split = make_split(catalog, protocol="grouped")
    lap("split by source group")
    classes = Counter(clip.label for clip in catalog.clips)
    lap(f"{len(classes)} classes counted")
    leak = split.leak(catalog)
    lap(f"leak: {leak.test_shared} of {leak.test_clips}")
    print(f"in all {time.perf_counter() - begun:.1f} s, {time.process_time():.1f} s of a processor")


if __name__ == "__main__":
    main()
