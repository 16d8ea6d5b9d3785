"""A job from its plan to its last file: exactly one row a clip, however often it was killed on the way."""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from rich.console import Console

from muybridge.console import progress_on, say
from muybridge.dataset.shard_index import arrow
from muybridge.errors import UserError
from muybridge.file_parts import is_remote
from muybridge.pieces.answer_place import SUCCESS_FILE, AnswerPlace, PartFacts
from muybridge.pieces.local_run import run_locally
from muybridge.pieces.planning import Piece, Plan
from muybridge.pieces.ray_run import run_on_ray
from muybridge.pieces.working import Cost, MakeWork, Row
from muybridge.ray_cluster import require_ray
from muybridge.storage.reaching import reaching
from muybridge.storage.remote_reading import THREADS_A_CORE
from muybridge.system import available_cores
from muybridge.text import counted, did_you_mean

On = Literal["local", "ray"]
_WRITTEN_AT_ONCE = 4


@dataclass(frozen=True)
class ManyResult:
    """Answers for many clips, and what they took.

    Attributes:
        out: The folder or URL that holds them.
        kind: What they are: predictions or features.
        clips: How many clips have a row.
        undecodable: How many of these rows have a reason in place of an answer.
        parts: In how many files they are.
        kept: How many of these files an earlier call had written.
        computed: How many clips were computed now.
        seconds: What that took.
        ready_seconds: How long it took until the first file was computed: a cluster has to start.
        cost: Where the time went.
        notes: What a user should know, one line each.
    """

    out: str
    kind: str
    clips: int
    undecodable: int
    parts: int
    kept: int
    computed: int
    seconds: float
    ready_seconds: float
    cost: Cost = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def storage_share(self) -> float:
        """The share of the time of decoding that was spent waiting for storage."""
        return self.cost.storage / self.cost.decoding if self.cost.decoding else 0.0

    def __str__(self) -> str:
        kept = f", {self.kept} of them from before" if self.kept else ""
        lines = [f"note: {note}" for note in self.notes]
        lines.append(f"{self.kind}: {counted(self.clips, 'clip')} in {counted(self.parts, 'file')}{kept}")
        if self.undecodable:
            lines.append(f"{counted(self.undecodable, 'clip')} could not be decoded; the column error says why")
        if self.computed:
            lines.append(
                f"computed now: {counted(self.computed, 'clip')} in {self.seconds:.1f} s, "
                f"{self.computed / self.seconds:.1f} a second; decoding {self.cost.decoding:.1f} s, of which waiting "
                f"for storage {100 * self.storage_share:.0f} %, network {self.cost.computing:.1f} s (over all threads)"
            )
        lines.append(f"saved: {self.out}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            **vars(self),
            "seconds": round(self.seconds, 3),
            "ready_seconds": round(self.ready_seconds, 3),
            "cost": self.cost.to_dict(),
            "storage_share": round(self.storage_share, 4),
            "notes": list(self.notes),
        }


def check_on(on: str) -> None:
    """Refuse a place that is none, or an extra that is missing.

    Raises:
        UserError: With what to do.
    """
    if on not in get_args(On):
        raise UserError(f"unknown place {on!r} to compute on{did_you_mean(on, get_args(On))}")
    arrow()
    if on == "ray":
        require_ray("ray.data")


def answer_all(
    plan: Plan,
    place: AnswerPlace,
    make: MakeWork,
    *,
    schema: Any,
    on: On,
    device: str,
    threads: int | None = None,
    console: Console,
) -> ManyResult:
    """Compute what is not there yet of a plan, and write it.

    Args:
        plan: What is to be computed.
        place: Where it is written.
        make: Makes what computes.
        schema: The columns.
        on: ``local``: this process computes; ``ray``: a Ray cluster does.
        device: Where torch computes.
        threads: How many decode (on Ray: for each core); default: one per core, four where clips are in a bucket.
        console: Where progress is printed.

    Raises:
        UserError: The place is that of something else, or storage cannot be reached; what is done stays.
    """
    begun = time.perf_counter()
    kind = str(plan.about["kind"])
    with reaching(place.url, "what is done is kept, run the same command again"), place.held():
        place.take(plan)
        facts = place.done(plan)
        kept, cost, ready = len(facts), Cost(), 0.0
        todo = [piece for piece in plan.pieces if piece.name not in facts]
        if kept:
            say(console, f"{counted(kept, 'file')} of {len(plan.pieces)} from before")
        run = run_on_ray if on == "ray" else run_locally
        faster = THREADS_A_CORE if any(is_remote(item.clip.path) for piece in todo[:1] for item in piece.items) else 1
        threads = threads or faster * (1 if on == "ray" else available_cores())
        with progress_on(console) as progress, _writing(place, plan, schema, facts) as write:
            task = progress.add_task(kind, total=plan.clip_count)
            progress.update(task, completed=plan.clip_count - sum(map(len, todo)))
            for piece, rows, more in run(todo, make, device=device, threads=threads) if todo else ():
                ready = ready or time.perf_counter() - begun
                write(piece, rows)
                cost += more
                progress.advance(task, len(piece))
        _finish(place, plan, facts)
    return ManyResult(
        out=str(place),
        kind=kind,
        clips=plan.clip_count,
        undecodable=sum(each.undecodable for each in facts.values()),
        parts=len(plan.pieces),
        kept=kept,
        computed=sum(map(len, todo)),
        seconds=time.perf_counter() - begun,
        ready_seconds=ready,
        cost=cost,
    )


@contextmanager
def _writing(
    place: AnswerPlace, plan: Plan, schema: Any, facts: dict[str, PartFacts]
) -> Iterator[Callable[[Piece, list[Row]], None]]:
    """Writes in threads, a few pieces at once; an error ends the work, and all that was begun is written."""
    waiting: deque[tuple[Piece, Future[PartFacts]]] = deque()

    def settle(most: int) -> None:
        while len(waiting) > most:
            piece, future = waiting.popleft()
            facts[piece.name] = future.result()

    with ThreadPoolExecutor(_WRITTEN_AT_ONCE) as pool:

        def write(piece: Piece, rows: list[Row]) -> None:
            waiting.append((piece, pool.submit(place.write_part, plan, piece, rows, schema)))
            settle(2 * _WRITTEN_AT_ONCE)

        yield write
        settle(0)


def _finish(place: AnswerPlace, plan: Plan, facts: Mapping[str, PartFacts]) -> None:
    """Say that all is there."""
    parts = {piece.name: vars(facts[piece.name]) for piece in plan.pieces}
    listed = {name: {"rows": fact["rows"], "undecodable": fact["undecodable"]} for name, fact in parts.items()}
    text = json.dumps({"plan": plan.hash, **plan.about, "clips": plan.clip_count, "parts": listed}, indent=1)
    place.write(SUCCESS_FILE, text.encode(), replace=True)
