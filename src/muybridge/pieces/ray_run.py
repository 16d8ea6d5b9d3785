"""Pieces computed on a Ray cluster: Ray Data streams batches from actors that decode to actors that compute.

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
from typing import Any

from muybridge.errors import UserError
from muybridge.pieces.planning import Batch, Piece
from muybridge.pieces.working import Cost, MakeWork, Meter, Row, answered, decoded_or_reason, timed
from muybridge.text import one_line

_CPU_ONLY = ("cpu", "mps")
_BATCHES_A_BLOCK, _MOST_BLOCKS = 2, 20_000


def require_ray() -> Any:
    """The package Ray.

    Raises:
        UserError: It is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UserError(f"on ray needs Ray Data: pip install 'muybridge[ray]' ({error})") from None
    return ray


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
    ray = require_ray()
    if not ray.is_initialized():
        ray.init(ignore_reinit_error=True, logging_level="ERROR", log_to_driver=False)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    resources = ray.cluster_resources()
    cores, gpus = max(1, int(resources.get("CPU", 1))), int(resources.get("GPU", 0))
    gpus = 0 if device in _CPU_ONLY else gpus
    # The kernel shares a core between one that decodes and one that computes, whichever has more to do.
    share = {"num_cpus": 1.0} if gpus else {"num_cpus": 0.5}
    computing = {"num_cpus": 0.0, "num_gpus": 1.0} if gpus else {"num_cpus": 0.45}
    common = {"make": make, "folder": str(Path.cwd())}
    blocks = _blocks(pieces)
    data = ray.data.from_items(blocks, override_num_blocks=min(_MOST_BLOCKS, -(-len(blocks) // _BATCHES_A_BLOCK)))
    pool = ray.data.ActorPoolStrategy
    data = data.map(_Decoder, fn_constructor_kwargs={**common, "threads": threads}, compute=pool(size=cores), **share)
    data = data.map(
        _Computer, fn_constructor_kwargs={**common, "device": device}, compute=pool(size=gpus or cores), **computing
    )
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

    def __init__(self, make: MakeWork, folder: str, threads: int) -> None:
        super().__init__(make, folder, "cpu")
        self._pool = ThreadPoolExecutor(threads)
        self._meter = Meter()

    def _done(self, given: Batch) -> tuple[Batch, list[Any], Cost]:
        for item in given:
            item.remember()
        found = list(self._pool.map(lambda item: timed(decoded_or_reason, self._work, item), given))
        cost = self._meter.read()
        cost.decoding += sum(took for _, took in found)
        return given, [each for each, _ in found], cost


class _Computer(_Actor):
    """Computes what is decoded."""

    def _done(self, given: tuple[Batch, list[Any], Cost]) -> tuple[list[Row], Cost]:
        batch, decoded, cost = given
        rows, seconds = timed(answered, self._work, batch, decoded)
        cost.computing += seconds
        return rows, cost
