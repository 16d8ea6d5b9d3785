"""Pieces computed by this process: threads decode ahead, the caller's thread computes, other threads write."""

from collections.abc import Iterator, Sequence

from muybridge.errors import VideoError
from muybridge.pieces.planning import BATCH_CLIPS, Item, Piece
from muybridge.pieces.working import Cost, MakeWork, Meter, Row, answered, decoded_or_reason, timed
from muybridge.threads import read_ahead


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

    items = [item for piece in pieces for item in piece.items]
    found = read_ahead(items, read, workers=threads, ahead=BATCH_CLIPS)
    for piece in pieces:
        rows: list[Row] = []
        cost = Cost()
        for batch in piece.batches:
            decoded = [next(found) for _ in batch]
            answers, seconds = timed(answered, work, batch, [each for each, _ in decoded])
            rows += answers
            cost += Cost(decoding=sum(took for _, took in decoded), computing=seconds)
        cost += meter.read()
        yield piece, rows, cost
