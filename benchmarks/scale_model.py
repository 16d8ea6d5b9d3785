"""What many clips will cost: a small simulation of storage, decoders and networks that wait for each other.

    python benchmarks/scale_model.py COSTS.csv [--latency-ms 30] [--deadline-hours 24] [--core-hour-usd 0.04] ...

COSTS.csv is what benchmarks/stage_costs.py measured. Prints, for 10^4, 10^6 and 10^9 clips on three kinds of machine,
how many machines meet the deadline, what each clip waits for, and gigabytes and money. Needs simpy (extra benchmarks).

A clip goes through stages, each with workers that take one clip (or a batch) at a time, through the steps of the stage.
A step holds a place of each resource that it uses: cores, connections to storage, the wire, a GPU; what has no place
waits in line. Between stages are buffers; a worker whose buffer is full waits. Cores are shared in time slices.
A thread that reads, decodes and keeps one clip after the other is one stage. `muybridge train` decodes all clips, then
encodes them all: two simulations, one after the other. Encoding while others are decoded is one, of two stages.
"""

import argparse
import csv
import dataclasses
import math
import random
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import simpy

SLICE_SECONDS = 0.004
"""How long a step holds a core before others have a turn."""
CORE = "core"


@dataclass(frozen=True)
class Step:
    """Part of a worker's task.

    Attributes:
        seconds: How long it takes, once it has its places.
        uses: The resources of which it holds a place each; none: a delay, of which any number pass at once.
        variation: Standard deviation by mean (gamma distributed); 0: always the same.
    """

    seconds: float
    uses: tuple[str, ...] = ()
    variation: float = 0.0


@dataclass(frozen=True)
class Stage:
    """Workers that do the same.

    Attributes:
        name: What they do.
        workers: How many.
        steps: What each does with a batch, in this order.
        batch: How many clips it takes at once.
        buffer: Places for clips behind it.
    """

    name: str
    workers: int
    steps: tuple[Step, ...]
    batch: int = 1
    buffer: float = math.inf


@dataclass
class Outcome:
    """What a simulation saw.

    Attributes:
        seconds: Until the last clip left.
        clips_per_second: In the middle four fifths of the clips.
        busy: For each resource and each stage, the share of its places or workers that were at work.
        mean_stay_seconds: From a clip's arrival to its leaving.
    """

    seconds: float
    clips_per_second: float
    busy: dict[str, float]
    mean_stay_seconds: float

    @property
    def bottleneck(self) -> str:
        """What is at work most."""
        return max(self.busy, key=lambda name: self.busy[name])


@dataclass
class _Run:
    env: simpy.Environment
    resources: dict[str, simpy.Resource]
    draw: random.Random
    held: dict[str, float]
    arrived: dict[int, float] = field(default_factory=dict)
    left: list[float] = field(default_factory=list)
    stays: list[float] = field(default_factory=list)


def simulate(
    stages: Sequence[Stage],
    places: Mapping[str, int],
    *,
    clips: int,
    seed: int = 0,
    arrivals_per_second: float = math.inf,
) -> Outcome:
    """Send clips through stages.

    Args:
        stages: In order.
        places: How many places each resource has.
        clips: How many; rounded up to whole batches.
        seed: Of all that is drawn.
        arrivals_per_second: Clips come at random (Poisson) at this rate; default: all are there from the start.
    """
    env = simpy.Environment()
    run = _Run(
        env=env,
        resources={name: simpy.Resource(env, count) for name, count in places.items()},
        draw=random.Random(seed),
        held=dict.fromkeys([*places, *(stage.name for stage in stages)], 0.0),
    )
    whole = math.lcm(*(stage.batch for stage in stages))
    clips = math.ceil(clips / whole) * whole
    lines = [simpy.Store(env), *(simpy.Store(env, stage.buffer) for stage in stages[:-1]), simpy.Store(env)]
    done = env.event()
    env.process(_arrive(run, lines[0], clips, arrivals_per_second))
    for stage, source, sink in zip(stages, lines[:-1], lines[1:], strict=True):
        for _ in range(stage.workers):
            env.process(_work(run, stage, source, sink))
    env.process(_leave(run, lines[-1], clips, done))
    env.run(done)
    first, last = clips // 10, clips - clips // 10 - 1
    there = {**places, **{stage.name: stage.workers for stage in stages}}
    return Outcome(
        seconds=env.now,
        clips_per_second=(last - first) / (run.left[last] - run.left[first]),
        busy={name: seconds / env.now / there[name] for name, seconds in run.held.items()},
        mean_stay_seconds=sum(run.stays) / clips,
    )


def _arrive(run: _Run, line: simpy.Store, clips: int, rate: float) -> Generator[Any, Any, None]:
    for number in range(clips):
        if rate < math.inf:
            yield run.env.timeout(run.draw.expovariate(rate))
        run.arrived[number] = run.env.now
        yield line.put(number)


def _work(run: _Run, stage: Stage, source: simpy.Store, sink: simpy.Store) -> Generator[Any, Any, None]:
    while True:
        batch = []
        for _ in range(stage.batch):
            batch.append((yield source.get()))
        began = run.env.now
        for step in stage.steps:
            yield from _hold(run, step)
        run.held[stage.name] += run.env.now - began
        for clip in batch:
            yield sink.put(clip)


def _hold(run: _Run, step: Step) -> Generator[Any, Any, None]:
    seconds = step.seconds
    if step.variation and seconds:
        shape = step.variation**-2
        seconds = run.draw.gammavariate(shape, seconds / shape)
    while seconds > 1e-12:
        part = min(seconds, SLICE_SECONDS) if step.uses == (CORE,) else seconds
        requests = []
        for name in step.uses:
            request = run.resources[name].request()
            yield request
            requests.append((name, request))
        yield run.env.timeout(part)
        for name, request in requests:
            run.held[name] += part
            run.resources[name].release(request)
        seconds -= part


def _leave(run: _Run, line: simpy.Store, clips: int, done: simpy.Event) -> Generator[Any, Any, None]:
    for _ in range(clips):
        clip = yield line.get()
        run.left.append(run.env.now)
        run.stays.append(run.env.now - run.arrived[clip])
    done.succeed()


@dataclass(frozen=True)
class Storage:
    """Where clips lie.

    Attributes:
        requests: A clip needs so many.
        latency_seconds: Each waits so long.
        connections: So many requests at once.
        size_bytes: Of a clip.
        bytes_per_second: Of the wire, for all.
        client_seconds: Of a core, for each request.
        server_seconds: Of the one thread of a server on the same cores; 0 for one elsewhere.
    """

    requests: float = 0
    latency_seconds: float = 0.0
    connections: int = 10
    size_bytes: float = 0.0
    bytes_per_second: float = math.inf
    client_seconds: float = 0.0
    server_seconds: float = 0.0

    def steps(self) -> tuple[Step, ...]:
        """Fetching one clip."""
        if not self.requests:
            return ()
        return (
            Step(self.requests * self.client_seconds, (CORE,)),
            Step(self.requests * self.latency_seconds, ("connection",)),
            Step(self.requests * self.server_seconds, ("server", CORE)),
            Step(self.size_bytes / self.bytes_per_second, ("wire",)),
        )

    def places(self) -> dict[str, int]:
        """The resources of these steps."""
        return {"connection": self.connections, "server": 1, "wire": 1} if self.requests else {}


def decoding(
    storage: Storage, *, threads: int, decode_seconds: float, variation: float, buffer: float = math.inf
) -> Stage:
    """Threads that read, decode and keep one clip after the other, as `FrameCache.build` has."""
    steps = (*storage.steps(), Step(decode_seconds, (CORE,), variation))
    return Stage("decoding threads", threads, steps, buffer=buffer)


@dataclass(frozen=True)
class Prices:
    """Assumptions, in US dollars, of 27 November 2026: round figures of the order of public price lists. Give yours."""

    core_hour_usd: float = 0.04
    gpu_hour_usd: float = 3.00
    bucket_gb_month_usd: float = 0.023
    disk_gb_month_usd: float = 0.08
    thousand_requests_usd: float = 0.0004


@dataclass(frozen=True)
class Machine:
    """A kind of machine: decoding threads beyond its cores hide the waiting for storage."""

    name: str
    cores: int
    gpus: int = 0
    bits_per_second: float = 10e9


@dataclass(frozen=True)
class Costs:
    """What a clip costs, as measured: seconds of a core, and bytes; and what was assumed of a GPU."""

    decode_seconds: float
    variation: float
    encode_seconds: float
    probe_walk_seconds: float
    client_seconds: float
    clip_bytes: float
    frames_bytes: float
    features_bytes: float
    gpu_clips_per_second: float

    @classmethod
    def read(cls, file: Path, *, data: str, gpu_clips_per_second: float) -> "Costs":
        """The rows of one data set."""
        with file.open(encoding="utf-8", newline="") as rows:
            found = {row["stage"]: row for row in csv.DictReader(rows) if row["data"] == data}
        seconds = {name: float(row["core_ms_a_clip"] or 0) / 1000 for name, row in found.items()}
        size = {name: 1000 * float(row["kilobytes_a_clip"] or 0) for name, row in found.items()}
        return cls(
            decode_seconds=seconds["hash"] + seconds["decode"] + seconds["write frames"],
            variation=float(found["decode"]["variation"]),
            encode_seconds=seconds["encode"],
            probe_walk_seconds=seconds["probe, a walk"],
            client_seconds=seconds["fetch from S3"],
            clip_bytes=size["hash"],
            frames_bytes=size["write frames"],
            features_bytes=size["encode"],
            gpu_clips_per_second=gpu_clips_per_second,
        )


@dataclass(frozen=True)
class Plan:
    """One line of the table."""

    clips: float
    machine: str
    machines: int
    clips_per_second: float
    bottleneck: str
    hours: float
    core_hours: float
    gpu_hours: float
    clips_gb: float
    frames_gb: float
    features_gb: float
    compute_usd: float
    requests_usd: float
    storage_month_usd: float


def plan(
    clips: float,
    machine: Machine,
    costs: Costs,
    prices: Prices,
    *,
    latency_seconds: float,
    threads_a_core: int,
    deadline_hours: float,
) -> Plan:
    """How many machines of a kind fetch, decode and encode so many clips in time, and what that costs.

    Decoding and encoding overlap, with a buffer between: what `encode` does on many machines. Machines share nothing
    but the bucket, which is taken to serve them all.
    """
    rate, bottleneck = throughput(machine, costs, latency_seconds=latency_seconds, threads_a_core=threads_a_core)
    alone = clips / rate / 3600
    machines = max(1, math.ceil(alone / deadline_hours))
    hours = alone / machines
    core_hours, gpu_hours = alone * machine.cores, alone * machine.gpus
    gigabytes = {name: clips * getattr(costs, f"{name}_bytes") / 1e9 for name in ("clips", "frames", "features")
                 if name != "clips"} | {"clips": clips * costs.clip_bytes / 1e9}  # fmt: skip
    kept = (gigabytes["clips"] + gigabytes["features"]) * prices.bucket_gb_month_usd
    return Plan(
        clips=clips,
        machine=machine.name,
        machines=machines,
        clips_per_second=rate * machines,
        bottleneck=bottleneck,
        hours=hours,
        core_hours=core_hours,
        gpu_hours=gpu_hours,
        clips_gb=gigabytes["clips"],
        frames_gb=gigabytes["frames"],
        features_gb=gigabytes["features"],
        compute_usd=core_hours * prices.core_hour_usd + gpu_hours * prices.gpu_hour_usd,
        requests_usd=clips / 1000 * prices.thousand_requests_usd,
        storage_month_usd=kept,
    )


def throughput(machine: Machine, costs: Costs, *, latency_seconds: float, threads_a_core: int) -> tuple[float, str]:
    """Clips per second of one machine, and what limits it."""
    storage = Storage(
        requests=1,
        latency_seconds=latency_seconds,
        connections=10_000,
        size_bytes=costs.clip_bytes,
        bytes_per_second=machine.bits_per_second / 8,
        client_seconds=costs.client_seconds,
    )
    threads = machine.cores * threads_a_core
    decode = decoding(
        storage, threads=threads, decode_seconds=costs.decode_seconds, variation=costs.variation, buffer=4 * threads
    )
    if machine.gpus:
        batch = 32
        network = Stage("GPU", machine.gpus, (Step(batch / costs.gpu_clips_per_second),), batch=batch)
    else:
        network = Stage("encoding threads", machine.cores, (Step(costs.encode_seconds, (CORE,)),))
    outcome = simulate(
        [decode, network],
        {CORE: machine.cores, **storage.places()},
        clips=400 * machine.cores,
    )
    # A thread that waits its turn is at work, too; what has places decides.
    shares = {name: outcome.busy[name] for name in (CORE, "wire", *(["GPU"] if machine.gpus else []))}
    largest = max(shares, key=lambda name: shares[name])
    limit = {"core": "cores", "wire": "network", "GPU": "GPU"}[largest] if shares[largest] > 0.9 else "latency"
    return outcome.clips_per_second, limit


MACHINES = (Machine("2 cores", 2), Machine("32 cores", 32), Machine("16 cores, 1 GPU", 16, gpus=1))
CLIPS = (1e4, 1e6, 1e9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("costs", type=Path)
    parser.add_argument("--data", default="ucf101-10", help="which rows of it")
    parser.add_argument("--latency-ms", type=float, default=30)
    parser.add_argument("--threads-a-core", type=int, default=4)
    parser.add_argument("--deadline-hours", type=float, default=24)
    parser.add_argument("--gpu-clips-per-second", type=float, default=500, help="an assumption; nothing measured it")
    for price in dataclasses.fields(Prices):
        parser.add_argument(f"--{price.name.replace('_', '-')}", type=float, default=price.default)
    parser.add_argument("--out", type=Path, help="a CSV for the table, too")
    options = parser.parse_args()
    prices = Prices(**{price.name: getattr(options, price.name) for price in dataclasses.fields(Prices)})
    costs = Costs.read(options.costs, data=options.data, gpu_clips_per_second=options.gpu_clips_per_second)
    rows = [
        plan(
            clips,
            machine,
            costs,
            prices,
            latency_seconds=options.latency_ms / 1000,
            threads_a_core=options.threads_a_core,
            deadline_hours=options.deadline_hours,
        )
        for clips in CLIPS
        for machine in MACHINES
    ]
    print(prices)
    for row in rows:
        print(", ".join(f"{name} {_short(value)}" for name, value in dataclasses.asdict(row).items()))
    if options.out:
        with options.out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(dataclasses.asdict(rows[0])), lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: _short(value) for name, value in dataclasses.asdict(row).items()} for row in rows)


def _short(value: float | str) -> str:
    """Two digits or three that mean something."""
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2g}"


if __name__ == "__main__":
    main()
