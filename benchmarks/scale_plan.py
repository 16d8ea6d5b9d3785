"""What 10^4, 10^6 and 10^9 clips will cost, and which knob helps: by the simulation, from measured costs of a clip.

    python benchmarks/scale_plan.py docs/results/stage-costs.csv [--latency-ms 30] [--core-hour-usd 0.04] ... [--out .]

The costs are those that stage_costs.py measured on single cores. Machines are taken to be so many of these cores that
do not slow each other down, storage to serve all machines alike, and a GPU to encode as fast as it is told: all of that
is extrapolated or assumed. Machines read, decode and encode at the same time, with a buffer between.
"""

import argparse
import csv
import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scale_model import CORE, Stage, Step, Storage, decoding, simulate

CLIPS = (10**4, 10**6, 10**9)
GPU_BATCH = 32


@dataclass(frozen=True)
class Prices:
    """Assumptions in US dollars, written down on 27 November 2026: round, and from nobody's price list. Give yours."""

    core_hour_usd: float = 0.04
    gpu_hour_usd: float = 3.00
    bucket_gb_month_usd: float = 0.023
    disk_gb_month_usd: float = 0.08
    thousand_requests_usd: float = 0.0004


@dataclass(frozen=True)
class Machine:
    """A kind of machine.

    Attributes:
        cores: How many.
        gpus: How many; with one, it encodes, else the cores do.
        threads_a_core: That read and decode; more than one hide the waiting for storage.
        bits_per_second: To storage.
    """

    cores: int
    gpus: int = 0
    threads_a_core: int = 4
    bits_per_second: float = 10e9

    def __str__(self) -> str:
        return f"{self.cores} cores" + (f", {self.gpus} GPU" if self.gpus else "")


@dataclass(frozen=True)
class Costs:
    """What a clip costs: seconds of a core, bytes, and what is assumed of a GPU and of storage."""

    decode_seconds: float
    variation: float
    encode_seconds: float
    probe_seconds: float
    client_seconds: float
    clip_bytes: float
    frames_bytes: float
    features_bytes: float
    gpu_clips_per_second: float
    latency_seconds: float

    @classmethod
    def read(cls, file: Path, *, data: str, gpu_clips_per_second: float, latency_seconds: float, walks: int) -> "Costs":
        """The rows of one data set."""
        with file.open(encoding="utf-8", newline="") as rows:
            found = {row["stage"]: row for row in csv.DictReader(rows) if row["data"] == data}
        seconds = {name: float(row["core_ms_a_clip"]) / 1000 for name, row in found.items()}
        size = {name: 1000 * float(row["kilobytes_a_clip"] or 0) for name, row in found.items()}
        return cls(
            decode_seconds=seconds["decode"] + seconds["write frames"],
            variation=float(found["decode"]["variation"]),
            encode_seconds=seconds["read frames"] + seconds["encode, two at once"],
            probe_seconds=walks * seconds["probe, a walk"],
            client_seconds=seconds["fetch from S3"],
            clip_bytes=size["hash"],
            frames_bytes=size["write frames"],
            features_bytes=size["encode"],
            gpu_clips_per_second=gpu_clips_per_second,
            latency_seconds=latency_seconds,
        )


def throughput(machine: Machine, costs: Costs) -> tuple[float, str]:
    """Clips per second of one machine, and what limits it: cores, GPU, wire, or latency where nothing is busy."""
    storage = Storage(
        requests=1,
        latency_seconds=costs.latency_seconds,
        connections=10_000,
        size_bytes=costs.clip_bytes,
        bytes_per_second=machine.bits_per_second / 8,
        client_seconds=costs.client_seconds,
    )
    threads = machine.cores * machine.threads_a_core
    decode = decoding(
        storage, threads=threads, decode_seconds=costs.decode_seconds, variation=costs.variation, buffer=4 * threads
    )
    if machine.gpus:
        steps = (Step(GPU_BATCH / costs.gpu_clips_per_second, ("GPU",)),)
        encode = Stage("encode", machine.gpus, steps, batch=GPU_BATCH)
    else:
        encode = Stage("encode", machine.cores, (Step(costs.encode_seconds, (CORE,)),))
    places = {CORE: machine.cores, **storage.places(), **({"GPU": machine.gpus} if machine.gpus else {})}
    outcome = simulate([decode, encode], places, clips=max(4000, 40 * threads))
    limits = {name: outcome.busy[name] for name in (CORE, "wire", "GPU") if name in outcome.busy}
    most = max(limits, key=lambda name: limits[name])
    return outcome.clips_per_second, {CORE: "cores"}.get(most, most) if limits[most] > 0.9 else "latency"


def plan(clips: int, machine: Machine, costs: Costs, prices: Prices, *, deadline_hours: float) -> dict[str, Any]:
    """How many machines of a kind fetch, decode and encode so many clips in time, what is stored, and the money."""
    rate, limit = throughput(machine, costs)
    alone = clips / rate / 3600
    machines = max(1, math.ceil(alone / deadline_hours))
    clips_gb, frames_gb, features_gb = (
        clips * size / 1e9 for size in (costs.clip_bytes, costs.frames_bytes, costs.features_bytes)
    )
    core_hours, gpu_hours = alone * machine.cores, alone * machine.gpus
    probe_core_hours = clips * costs.probe_seconds / 3600
    return {
        "clips": clips,
        "machine": str(machine),
        "machines": machines,
        "hours": alone / machines,
        "limit": limit,
        "core_hours": core_hours,
        "gpu_hours": gpu_hours,
        "probe_core_hours": probe_core_hours,
        "clips_gb": clips_gb,
        "frames_gb": frames_gb,
        "features_gb": features_gb,
        "compute_usd": (core_hours + probe_core_hours) * prices.core_hour_usd + gpu_hours * prices.gpu_hour_usd,
        "requests_usd": clips / 1000 * prices.thousand_requests_usd,
        "bucket_month_usd": (clips_gb + features_gb) * prices.bucket_gb_month_usd,
        "frames_month_usd": frames_gb * prices.disk_gb_month_usd,
    }


def knobs(costs: Costs) -> list[dict[str, Any]]:
    """One machine, and what changing one thing of it does."""
    cpu, gpu = Machine(32), Machine(16, gpus=1)
    far = replace(costs, latency_seconds=0.2)
    large = replace(costs, clip_bytes=10e6)
    cases = [
        (cpu, costs, "as it is"),
        (cpu, replace(costs, encode_seconds=costs.encode_seconds / 2), "encoding at half the price (recipe light)"),
        (cpu, replace(costs, decode_seconds=costs.decode_seconds / 2), "decoding at half the price"),
        (gpu, costs, "as it is"),
        (replace(gpu, cores=8), costs, "half the cores"),
        (replace(gpu, cores=32), costs, "twice the cores"),
        (gpu, replace(costs, gpu_clips_per_second=2 * costs.gpu_clips_per_second), "a GPU twice as fast"),
        (replace(gpu, threads_a_core=1), costs, "1 thread a core"),
        (gpu, far, "latency 200 ms"),
        (replace(gpu, threads_a_core=16), far, "latency 200 ms, 16 threads a core"),
        (gpu, large, "clips of 10 MB"),
        (replace(gpu, bits_per_second=50e9), large, "clips of 10 MB, 50 Gbit/s"),
    ]
    rows = []
    for machine, changed, change in cases:
        rate, limit = throughput(machine, changed)
        rows.append({"machine": str(machine), "change": change, "clips_per_second": rate, "limit": limit})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("costs", type=Path)
    parser.add_argument("--data", default="ucf101-10", help="which rows of it")
    parser.add_argument("--latency-ms", type=float, default=30, help="of a request, without the transfer")
    parser.add_argument("--deadline-hours", type=float, default=24)
    parser.add_argument("--gpu-clips-per-second", type=float, default=500, help="an assumption; nothing measured it")
    parser.add_argument("--walks", type=int, default=50, help="of the probe's solver through all clips")
    for price in dataclasses.fields(Prices):
        parser.add_argument(f"--{price.name.replace('_', '-')}", type=float, default=price.default)
    parser.add_argument("--out", type=Path, help="a folder for scale-plan.csv and scale-knobs.csv")
    options = parser.parse_args()
    prices = Prices(**{price.name: getattr(options, price.name) for price in dataclasses.fields(Prices)})
    costs = Costs.read(
        options.costs,
        data=options.data,
        gpu_clips_per_second=options.gpu_clips_per_second,
        latency_seconds=options.latency_ms / 1000,
        walks=options.walks,
    )
    print(costs, prices, sep="\n")
    machines = (Machine(2), Machine(32), Machine(16, gpus=1))
    plans = [
        plan(clips, machine, costs, prices, deadline_hours=options.deadline_hours)
        for clips in CLIPS
        for machine in machines
    ]
    for name, rows in (("scale-plan", plans), ("scale-knobs", knobs(costs))):
        show(name, rows, out=options.out)


def show(name: str, rows: Sequence[dict[str, Any]], *, out: Path | None) -> None:
    """Print a table, and write it."""
    written = [{key: short(value) for key, value in row.items()} for row in rows]
    print(f"\n{name}")
    for row in written:
        print("  " + ", ".join(f"{key} {value}" for key, value in row.items()))
    if out:
        with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(written[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(written)


def short(value: float | str) -> str:
    """Two digits that mean something, and no more."""
    if isinstance(value, str | int):
        return str(value)
    if value == 0 or value >= 10:
        digits = max(0, len(str(round(value))) - 2)
        return f"{round(value, -digits):.0f}"
    return f"{value:.2g}"


if __name__ == "__main__":
    main()
