"""Pieces computed on a Ray cluster: Ray Data streams batches through actors that decode and actors that compute.

With GPUs there is one of the first kind for each core and one of the second for each GPU; else each core's does both.

Notable: batches, not pieces, go through the cluster, so a piece may hold more than any machine has memory for. What is
computed comes back here and is put together, and this process alone writes; so a worker that dies, and whose batches
Ray gives to another, can leave nothing half-done behind. Clips and runs must be where every machine finds them under
the same path; credentials are those of each machine.
"""

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from muybridge.errors import UserError
from muybridge.pieces.planning import Batch, Piece
from muybridge.pieces.working import Cost, MakeWork, Meter, Row, Work, answered, decoded_or_reason, timed
from muybridge.ray_cluster import cluster_for, require_ray
from muybridge.text import one_line

Decoded = tuple[Batch, list[Any], Cost]
"""A batch, of each clip what decoding gave, and what that took."""
_BATCHES_A_BLOCK, _MOST_BLOCKS = 2, 20_000


def run_on_ray(
    pieces: Sequence[Piece], make: MakeWork, *, device: str, threads: int
) -> Iterator[tuple[Piece, list[Row], Cost]]:
    """The rows of each piece, in any order, as they are done.

    Args:
        pieces: What is to be computed.
        make: Makes the work.
        device: Where it computes; ``auto`` takes the cluster's GPUs where there are any.
        threads: How many decode for each core.

    Raises:
        UserError: If Ray is not installed, or gives up.
    """
    ray = require_ray("ray.data")
    cluster = cluster_for(device, quiet=True)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    common = {"make": make, "folder": str(Path.cwd())}
    blocks = _blocks(pieces)
    data = ray.data.from_items(blocks, override_num_blocks=min(_MOST_BLOCKS, -(-len(blocks) // _BATCHES_A_BLOCK)))
    pool = ray.data.ActorPoolStrategy
    if cluster.gpus:
        decoding = {**common, "threads": threads}
        data = data.map(_Decoder, fn_constructor_kwargs=decoding, compute=pool(size=cluster.cores), num_cpus=1.0)
        computing = {**common, "device": device}
        alone = {"num_cpus": 0.0, "num_gpus": 1.0}
        data = data.map(_Computer, fn_constructor_kwargs=computing, compute=pool(size=cluster.gpus), **alone)
    else:
        # Each process costs some seconds of a core to begin with, so one does both: a batch decodes while one computes.
        both = {**common, "device": device, "threads": threads}
        overlapping = {"max_concurrent_calls_per_actor": 2, "enable_true_multi_threading": True}
        workers = pool(size=cluster.cores, **overlapping)
        data = data.map(_Worker, fn_constructor_kwargs=both, compute=workers, num_cpus=0.95)
    try:
        yield from _together(data.iter_rows(), {piece.number: piece for piece in pieces})
    except ray.exceptions.RayError as error:
        raise UserError(
            f"Ray ended the job: {one_line(error)[:300]}; what is done is kept, run the same command again"
        ) from error


def _blocks(pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    return [
        {"piece": piece.number, "batch": number, "data": pickle.dumps(batch)}
        for piece in pieces
        for number, batch in enumerate(piece.batches)
    ]


def _together(rows: Iterator[dict[str, Any]], pieces: dict[int, Piece]) -> Iterator[tuple[Piece, list[Row], Cost]]:
    """Pieces whose batches have all come."""
    waiting: dict[int, dict[int, list[Row]]] = {}
    costs: dict[int, Cost] = {}
    for row in rows:
        if row["failure"]:
            raise UserError(row["failure"])
        piece = pieces[row["piece"]]
        batches = waiting.setdefault(piece.number, {})
        if row["batch"] in batches:
            continue
        batches[row["batch"]], cost = pickle.loads(row["data"])
        costs.setdefault(piece.number, Cost()).__iadd__(cost)
        if len(batches) == len(piece.batches):
            del waiting[piece.number]
            yield piece, [each for number in sorted(batches) for each in batches[number]], costs.pop(piece.number)
    if waiting:
        raise UserError("Ray ended before all clips were done; what is done is kept, run the same command again")


class _Actor:
    """What both kinds of actors are: a process that makes the work once, and passes on what went wrong."""

    def __init__(self, make: MakeWork, folder: str, device: str) -> None:
        os.chdir(folder)
        self._failure = ""
        try:
            self._work = make(device)
        except UserError as error:
            self._failure = str(error)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        failure = self._failure or row.get("failure", "")
        data = b""
        if not failure:
            try:
                data = pickle.dumps(self._done(pickle.loads(row["data"])), protocol=5)
            except UserError as error:
                failure = str(error)
        return {"piece": row["piece"], "batch": row["batch"], "data": data, "failure": failure}

    def _done(self, given: Any) -> Any:
        raise NotImplementedError


class _Decoder(_Actor):
    """Decodes batches."""

    def __init__(self, make: MakeWork, folder: str, threads: int, device: str = "cpu") -> None:
        super().__init__(make, folder, device)
        self._pool = ThreadPoolExecutor(threads)
        self._meter = Meter()

    def _done(self, given: Batch) -> Any:
        return self._decoded(given)

    def _decoded(self, given: Batch) -> Decoded:
        for item in given:
            item.remember()
        found = list(self._pool.map(lambda item: timed(decoded_or_reason, self._work, item), given))
        cost = self._meter.read()
        cost.decoding += sum(took for _, took in found)
        return given, [each for each, _ in found], cost


class _Computer(_Actor):
    """Computes what is decoded."""

    def _done(self, given: Decoded) -> tuple[list[Row], Cost]:
        return _computed(self._work, given)


class _Worker(_Decoder):
    """Decodes a batch while it computes the one before: two threads call it."""

    def __init__(self, make: MakeWork, folder: str, threads: int, device: str) -> None:
        super().__init__(make, folder, threads, device)
        self._decoding, self._computing = Lock(), Lock()

    def _done(self, given: Batch) -> tuple[list[Row], Cost]:
        with self._decoding:
            decoded = self._decoded(given)
        with self._computing:
            return _computed(self._work, decoded)


def _computed(work: Work, decoded: Decoded) -> tuple[list[Row], Cost]:
    batch, found, cost = decoded
    rows, seconds = timed(answered, work, batch, found)
    cost.computing += seconds
    return rows, cost
