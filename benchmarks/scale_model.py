"""A small simulation of storage, decoders and networks that wait for each other. Needs simpy (extra benchmarks).

stage_costs.py compares it with real runs, scale_plan.py asks it about many clips, tests/benchmarks about theory.

A clip goes through stages, each with workers that take one clip (or a batch) at a time, through the steps of the stage.
A step holds a place of each resource that it uses: cores, connections to storage, the wire, a GPU; what has no place
waits in line. Between stages are buffers; a worker whose buffer is full waits. Cores are shared in time slices.
A thread that reads, decodes and keeps one clip after the other is one stage. `muybridge train` decodes all clips, then
encodes them all: two simulations, one after the other. Encoding while others are decoded is one, of two stages.
"""

import math
import random
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
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
