"""File to answer: how long one file takes from its path to its class, for runs and their exports.

    python benchmarks/latency.py RUN... CLIPS [--files 40] [--threads 2] [--engines all|torch|...] [--out FILE.csv]

What stands for RUN may also be the name of a recipe: its network then has its first weights, an untrained head and
21 classes, which answers as fast as a trained one.

Everything in one process, one file after the other; models are loaded before. The files (evenly spread over CLIPS) are
read once before the timing, so that they are in the system's memory, and the first ``--warm-up`` answers of each model
are left out. Models take turns at each file, so that what else the machine does hits all alike. Rows are CSV, one for
each run and engine: medians over files, with 10 % and 90 %, in milliseconds. ``decode`` is reading the frames that the
model sees, by the clock; ``network`` the rest; ``cpu`` the processor time of the whole, which other work disturbs less.
"""

import argparse
import csv
import sys
import time
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np
import torch

from muybridge.dataset.catalog import Clip
from muybridge.dataset.naming_videos import find_videos
from muybridge.errors import UserError, VideoError
from muybridge.inference.engines.exports import find_exports
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.views import AS_TRAINED
from muybridge.models.network import build
from muybridge.recipes.store import load_recipe
from muybridge.sequences import spread
from muybridge.system import processor_name

UNTRAINED_CLASSES = 21

COLUMNS = (
    "run",
    "engine",
    "frames",
    "size_px",
    "files",
    "threads",
    "median_ms",
    "p10_ms",
    "p90_ms",
    "decode_ms",
    "network_ms",
    "cpu_ms",
    "processor",
    "torch",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run, or the name of a recipe")
    parser.add_argument("clips", type=Path, metavar="CLIPS", help="folder of video files")
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--engines", nargs="+", default=["all"], help="all: torch and every export of a run")
    parser.add_argument("--out", type=Path, help="CSV file; default: standard output")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    paths = spread(find_videos([str(options.clips)]), options.files + options.warm_up)
    if len(paths) <= options.warm_up:
        sys.exit(f"{options.clips} has {len(paths)} video files; --warm-up alone takes {options.warm_up}")
    for path in paths:
        path.read_bytes()
    models = open_models(options.runs, options.engines)
    times: dict[tuple[str, str], list[tuple[float, float, float]]] = {name: [] for name in models}
    for number, path in enumerate(paths):
        order = list(models)
        for name in order[number % len(order) :] + order[: number % len(order)]:
            found = time_one(models[name], path)
            if number >= options.warm_up:
                times[name].append(found)
    if options.out is None:
        write(sys.stdout, models, times, options.threads)
    else:
        with options.out.open("w", newline="", encoding="utf-8") as file:
            write(file, models, times, options.threads)


def open_models(runs: list[Path], engines: list[str]) -> dict[tuple[str, str], Recognizer | Ensemble]:
    """Each run with each engine asked for."""
    models = {}
    for run in runs:
        try:
            if not run.exists():
                models[run.name, "torch"] = untrained(run.name)
                continue
            for engine in ("torch", *find_exports(run)) if engines == ["all"] else engines:
                models[run.name, engine] = load(run, device="cpu", engine=engine)
        except UserError as error:
            sys.exit(str(error))
    return models


def untrained(name: str) -> Recognizer:
    """The model of a recipe before its training."""
    recipe = load_recipe(name)
    return Recognizer(
        build(recipe.model, UNTRAINED_CLASSES).eval(),
        classes=[str(number) for number in range(UNTRAINED_CLASSES)],
        sampler=recipe.sampler.build(),
        size_px=recipe.size_px,
        fit=recipe.fit,
        device="cpu",
    )


def time_one(model: Recognizer | Ensemble, path: Path) -> tuple[float, float, float]:
    """Milliseconds of the whole and of decoding by the clock, and of the whole by processor time."""
    decoding = 0.0
    if isinstance(model, Recognizer):
        started = time.perf_counter()
        read = model.read(Clip(path=path, label="", group=""), views=AS_TRAINED)
        decoding = time.perf_counter() - started
        if isinstance(read, VideoError):
            sys.exit(str(read))
    started, started_cpu = time.perf_counter(), time.process_time()
    model.predict(path)
    return tuple(1000 * each for each in (time.perf_counter() - started, decoding, time.process_time() - started_cpu))


def write(
    file: TextIO,
    models: dict[tuple[str, str], Recognizer | Ensemble],
    times: dict[tuple[str, str], list[tuple[float, float, float]]],
    threads: int,
) -> None:
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    for (run, engine), model in models.items():
        whole, decoding, cpu = np.array(times[run, engine]).T
        low, median, high = np.percentile(whole, [10, 50, 90])
        is_one = isinstance(model, Recognizer)
        writer.writerow(
            {
                "run": run,
                "engine": engine,
                "frames": getattr(model.sampler, "frames", "") if is_one else "",
                "size_px": model.size_px if is_one else "",
                "files": len(whole),
                "threads": threads,
                "median_ms": f"{median:.1f}",
                "p10_ms": f"{low:.1f}",
                "p90_ms": f"{high:.1f}",
                "decode_ms": f"{np.median(decoding):.1f}" if is_one else "",
                "network_ms": f"{np.median(whole - decoding):.1f}" if is_one else "",
                "cpu_ms": f"{np.median(cpu):.1f}",
                "processor": processor_name(),
                "torch": torch.__version__,
            }
        )


if __name__ == "__main__":
    main()
