"""The place of a job's answers: a folder, or a prefix of a bucket, in which every file is written once and whole.

`_plan.json` says what is computed, and takes the place for it; a `part-NNNNNN.parquet` is there when its piece is
done; `_SUCCESS`, written last, lists all parts. Names that begin with `_` are left out by what reads a folder of
Parquet files as one table (Arrow, DuckDB, Spark).
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from muybridge.dataset.shard_index import arrow
from muybridge.disk_errors import naming
from muybridge.errors import UserError
from muybridge.files import replacing, require_writable
from muybridge.locks import Lock
from muybridge.pieces.planning import Piece, Plan
from muybridge.storage.remote_files import names_in, read_remote, write_remote
from muybridge.storage.urls import url_at
from muybridge.temporaries import remove_dead
from muybridge.text import one_line

PLAN_FILE = "_plan.json"
SUCCESS_FILE = "_SUCCESS"
KEY = b"muybridge"
_AT_ONCE = 16


@dataclass(frozen=True)
class PartFacts:
    """What the file of a piece says of itself.

    Attributes:
        plan: The hash of the plan that it is a part of.
        piece: Which part.
        rows: One a clip.
        undecodable: How many of them have no answer.
    """

    plan: str
    piece: int
    rows: int
    undecodable: int


class AnswerPlace:
    """A folder of this machine or of a bucket.

    Args:
        out: By path or URL.
    """

    def __init__(self, out: str | Path) -> None:
        self.url = url_at(out)
        self.folder = Path(out) if self.url is not None else Path(out).absolute()
        if self.url is not None and self.url.startswith("hf://"):
            raise UserError(f"{self.url}: answers are written to a folder or a bucket")

    def __str__(self) -> str:
        return self.url or str(self.folder)

    @contextmanager
    def held(self) -> Iterator[None]:
        """While this lasts, no other process of this machine works on the folder."""
        if self.url is not None:  # each of several who compute a piece writes the same rows, and the first is taken
            yield
            return
        require_writable(self.folder)
        with Lock(self.folder / ".lock", what=self.folder).held():
            remove_dead(self.folder)
            yield

    def take(self, plan: Plan) -> None:
        """Make the place that of a plan, or make sure that it is.

        Raises:
            UserError: It is that of something else.
        """
        known = self.read(PLAN_FILE)
        if known is None:
            if others := sorted(name for name in self.names() if not name.startswith(".")):
                raise UserError(f"{self} holds other files, such as {others[0]}; name a folder that is new or empty")
            about = {"plan": plan.hash, "pieces": len(plan.pieces), "clips": plan.clip_count, **plan.about}
            self.write(PLAN_FILE, json.dumps(about, indent=1).encode())
            known = self.read(PLAN_FILE)
        try:
            found = json.loads(known or b"")["plan"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self}/{PLAN_FILE} is damaged ({one_line(error)}); delete {self} and begin again"
            ) from None
        if found != plan.hash:
            raise UserError(
                f"{self} was begun with other clips, another model or other options, or clips changed since; name "
                "another folder, or delete it"
            )

    def done(self, plan: Plan) -> dict[str, PartFacts]:
        """The parts of a plan that are there and whole."""
        there = self.names()
        pieces = [piece for piece in plan.pieces if piece.name in there]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            facts = zip(pieces, pool.map(lambda piece: self._facts(piece.name), pieces), strict=True)
            return {
                piece.name: found
                for piece, found in facts
                if found is not None and (found.plan, found.piece, found.rows) == (plan.hash, piece.number, len(piece))
            }

    def _facts(self, name: str) -> PartFacts | None:
        """What a part says of itself; None for one that is damaged."""
        data = self.read(name)
        pa = arrow()
        try:
            table = pa.parquet.read_table(BytesIO(data or b""), page_checksum_verification=True)
            about = json.loads(table.schema.metadata[KEY])
            return PartFacts(about["plan"], about["piece"], table.num_rows, about["undecodable"])
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
            return None  # it is computed anew

    def write_part(self, plan: Plan, piece: Piece, rows: list[dict[str, Any]], schema: Any) -> PartFacts:
        """Write the rows of a piece.

        Raises:
            OSError: They cannot be written.
        """
        pa = arrow()
        undecodable = sum(row["error"] is not None for row in rows)
        about = {"plan": plan.hash, "piece": piece.number, "undecodable": undecodable, **plan.about}
        table = pa.Table.from_pylist(rows, schema=schema).replace_schema_metadata({KEY: json.dumps(about).encode()})
        buffer = BytesIO()
        pa.parquet.write_table(table, buffer, compression="zstd", write_page_checksum=True)
        self.write(piece.name, buffer.getvalue(), replace=True)  # one that was there was found damaged
        return PartFacts(plan.hash, piece.number, len(rows), undecodable)

    def names(self) -> set[str]:
        """The names of the files that are there."""
        try:
            if self.url is not None:
                return {name for name, is_folder in names_in(self.url).items() if not is_folder}
            return {path.name for path in self.folder.iterdir()}
        except FileNotFoundError:
            return set()

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None where there is none."""
        try:
            if self.url is not None:
                return read_remote(f"{self.url}/{name}")
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes, *, replace: bool = False) -> None:
        """Write a file, whole or not at all; in a bucket, one that is there stays unless it is to be replaced.

        Raises:
            OSError: It cannot be written.
        """
        if self.url is None:
            with naming(self.folder / name), replacing(self.folder / name) as temporary:
                temporary.write_bytes(data)
            return
        try:
            write_remote(f"{self.url}/{name}", data, only_new=not replace)
        except FileExistsError:
            return  # of another who is at the same job, or of a request of ours whose answer was lost
