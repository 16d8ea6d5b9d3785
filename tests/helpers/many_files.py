"""Small clips in number, and the rows that are written of them."""

from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq

from muybridge.pieces.answer_place import AnswerPlace
from tests.helpers.clips import write_clip


def write_many(folder: Path) -> Path:
    """40 small clips of different lengths, one that is no video, one that is empty, one that ends early."""
    for number in range(40):
        write_clip(folder / f"c{number:02}.avi", level=60 + 3 * number, seed=number, frames=6 + number % 7)
    (folder / "text.avi").write_text("no video")
    (folder / "empty.avi").write_bytes(b"")
    (folder / "torn.avi").write_bytes((folder / "c03.avi").read_bytes()[:200])
    return folder


def rows_in(out: str | Path) -> list[dict]:
    """The rows of all parts, in the order of their files."""
    place = AnswerPlace(out)
    names = sorted(name for name in place.names() if name.startswith("part-"))
    return [row for name in names for row in pq.read_table(BytesIO(place.read(name))).to_pylist()]
