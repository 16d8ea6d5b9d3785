"""Pieces computed by this process: threads decode ahead, others compute side by side, and others write."""

from collections.abc import Iterator, Sequence
from itertools import islice

from muybridge.errors import VideoError
from muybridge.pieces.planning import BATCH_CLIPS, Batch, Item, Piece
from muybridge.pieces.working import Cost, MakeWork, Meter, Row, answered, decoded_or_reason, timed
from muybridge.threads import read_ahead, side_by_side


def run_locally(
    pieces: Sequence[Piece], make: MakeWork, *, device: str, threads: int
) -> Iterator[tuple[Piece, list[Row], Cost]]:
    """The rows of each piece, in order, as they are done.

    Args:
        pieces: What is to be computed.
        make: Makes the work.
        device: Where it computes.
        threads: How many decode.
    """
    work = make(device)
    meter = Meter()

    def read(item: Item) -> tuple[object | VideoError, float]:
        return timed(decoded_or_reason, work, item)

    def compute(given: tuple[Batch, list[tuple[object | VideoError, float]]]) -> tuple[list[Row], Cost]:
        batch, decoded = given
        answers, seconds = timed(answered, work, batch, [each for each, _ in decoded])
        return answers, Cost(decoding=sum(took for _, took in decoded), computing=seconds)

    items = [item for piece in pieces for item in piece.items]
    found = read_ahead(items, read, workers=threads, ahead=BATCH_CLIPS * work.workers)
    batches = ((batch, [next(found) for _ in batch]) for piece in pieces for batch in piece.batches)
    computed = side_by_side(batches, compute, workers=work.workers)
    for piece in pieces:
        rows: list[Row] = []
        cost = Cost()
        for answers, spent in islice(computed, len(piece.batches)):
            rows += answers
            cost += spent
        cost += meter.read()
        yield piece, rows, cost
