"""Features of a frozen encoder in shards: encoded as `encode` does, and then packed.

What `encode` writes lies in a hidden folder inside the one that is packed, until all shards are there; so a call that
was killed goes on where it was, encoding or packing.
"""

import io
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from muybridge.dataset.catalog import Catalog
from muybridge.dataset.cutting import drawn
from muybridge.dataset.shard_index import arrow
from muybridge.errors import UserError, VideoError
from muybridge.experiment.encode_clips import encode_catalog
from muybridge.pieces.answer_place import SUCCESS_FILE, AnswerPlace
from muybridge.recipes.recipe import Recipe
from muybridge.text import one_line
from muybridge.verbs.pack.plan import PlannedSample
from muybridge.verbs.pack.samples import Sample, features_of_clip

ENCODED_FOLDER = ".encoded"
_PARTS_HELD = 4
_AGAIN = "delete it and pack again"


class EncodedClips:
    """The features of a catalog's clips, encoded now where they are not yet.

    Args:
        folder: That is packed.
        catalog: The clips.
        recipe: Whose frozen encoder it is.
        device: Where torch computes.
        console: Where progress is printed.

    Attributes:
        encoder: Names what made them.
    """

    def __init__(self, folder: Path, catalog: Catalog, recipe: Recipe, *, device: str, console: Console) -> None:
        self._place = AnswerPlace(folder / ENCODED_FOLDER)
        encode_catalog(recipe, catalog, self._place, on="local", device=device, console=console)
        about = json.loads(self._place.read(SUCCESS_FILE) or b"{}")
        self.encoder: str = about["encoder"]
        self._parts: list[str] = sorted(about["parts"])
        self._where: dict[str, tuple[str, int]] = {}
        self.table = lru_cache(maxsize=_PARTS_HELD)(self._table)
        for part in self._parts:
            names = arrow().parquet.read_table(self._place.folder / part, columns=["clip"]).column("clip").to_pylist()
            self._where |= {name: (part, row) for row, name in enumerate(names)}

    def order(self, *, seed: int) -> list[str]:
        """The clips in an order in which their parts are read once: drawn, and within each part drawn, too."""
        by_part: dict[str, list[str]] = {part: [] for part in self._parts}
        for name, (part, _) in self._where.items():
            by_part[part].append(name)
        return [name for part in drawn(by_part, seed=seed) for name in drawn(by_part[part], seed=seed)]

    def sample(self, planned: PlannedSample) -> Sample:
        """A clip, ready to be written.

        Raises:
            VideoError: It did not decode.
        """
        [clip] = planned.clips
        row = self._row(clip.id)
        if row["error"] is not None:
            raise VideoError(clip.path, row["error"], "muybridge check says more")
        array = np.asarray(row["features"], dtype=np.float16).reshape(row["shape"])
        data = io.BytesIO()
        np.lib.format.write_array(data, array, allow_pickle=False)
        return features_of_clip(
            planned,
            data.getvalue(),
            {"frame_count": row["frame_count"], "feature_name": row["key"], "encoder": self.encoder},
        )

    def columns_of(self, ids: Sequence[str]) -> dict[str, list[Any]]:
        """What the index says of the features of clips; see `FEATURE_COLUMNS`."""
        facts: dict[str, tuple[Any, Any]] = {}
        for part in self._parts:
            table = arrow().parquet.read_table(self._place.folder / part, columns=["clip", "key", "frame_count"])
            facts |= {row["clip"]: (row["key"], row["frame_count"]) for row in table.to_pylist()}
        return {"feature_name": [facts[id][0] for id in ids], "frame_count": [facts[id][1] for id in ids]}

    def _row(self, id: str) -> dict[str, Any]:
        part, number = self._where[id]
        table = self.table(part)
        row = {name: table.column(name)[number].as_py() for name in ("key", "frame_count", "shape", "error")}
        row["features"] = None if row["error"] is not None else table.column("features")[number].values.to_numpy()
        return row

    def _table(self, part: str) -> Any:
        pa = arrow()
        path = self._place.folder / part
        try:
            return pa.parquet.read_table(path, page_checksum_verification=True).combine_chunks()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UserError(f"{path} is damaged ({one_line(error)}); {_AGAIN}") from error
