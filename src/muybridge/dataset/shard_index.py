"""The index of a folder of shards: an Arrow table with a row a clip, kept as ``index.parquet`` beside the shards.

It says of each clip what a catalog says, and where its bytes lie, with their size and SHA-256; so nothing has to be
opened or hashed to know a million clips. With it goes, in the file's own metadata, what was packed, and how large each
shard is. It is written last: a folder without it is not packed to the end.

Notable: it may come from a stranger. Columns, types and ranges are checked before a path is made of anything.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from muybridge.dataset.locating import is_regular
from muybridge.errors import UserError
from muybridge.file_parts import is_there, open_bytes, size_of
from muybridge.files import replacing
from muybridge.text import one_line, shortened

Table = Any
"""A table of pyarrow, which is an extra."""

INDEX_FILE = "index.parquet"
PLAN_FILE = "shards.json"
VERSION = 1
Kind = Literal["clips", "jpeg", "avif", "tfrecord", "features"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What a clip is in a shard: the video as it was, its frames as JPEG or AVIF images, a record of TensorFlow's, or what
a frozen encoder makes of it."""
FEATURE_SUFFIX = ".npy"
FEATURE_COLUMNS = {"feature_name": "string", "frame_count": "int64"}
"""More columns where features are packed: the name under which a training looks for them, and of how many frames."""

_KEY = b"muybridge"
_SHARD = re.compile(r"shard-\d{6,}\.(tar|tfrecord)")
_AGAIN = "copy the shards again, or pack the clips again"
_MOST_ROWS = 100_000_000
_COLUMNS = {
    "id": "string",
    "file": "string",
    "label": "string",
    "group": "string",
    "group_known": "bool",
    "split": "string",
    "start_seconds": "double",
    "end_seconds": "double",
    "shard": "string",
    "member": "string",
    "offset": "int64",
    "size_bytes": "int64",
    "sha256": "string",
    "source_sha256": "string",
}
"""The columns and their Arrow types. ``file`` is the name of the video below the root of the data set, ``member`` its
name in the shard. ``split`` and the times may be empty; so is ``source_sha256``, but for clips packed as pictures: it
says what the video held that they were taken from."""
_FEW_VALUES = ("label", "group", "split", "shard")
"""Columns that repeat themselves: read as numbers, with the texts once."""
_MAY_BE_EMPTY = {"split", "start_seconds", "end_seconds", "source_sha256"}


@dataclass(frozen=True)
class ShardIndex:
    """The index of a folder of shards.

    Attributes:
        root: The folder.
        kind: What a clip is in them.
        shards: The size of each shard in bytes, by its name.
        table: An Arrow table with the columns of this module, sorted by ``id``.
        encoder: Of features: names what made them.
    """

    root: Path
    kind: Kind
    shards: Mapping[str, int]
    table: Table
    encoder: str = ""

    def require_shards(self) -> None:
        """Make sure that every shard is there and as long as it was, without reading it.

        Raises:
            UserError: One is not.
        """
        for name, size_bytes in self.shards.items():
            path = self.root / name
            if not is_there(path):
                raise UserError(f"{path} is missing; the index names {len(self.shards)} shards; {_AGAIN}")
            if size_of(path) != size_bytes:
                raise UserError(f"{path} has {size_of(path)} bytes, its index says {size_bytes}; {_AGAIN}")


def arrow() -> Any:
    """The package pyarrow.

    Raises:
        UserError: It is not installed.
    """
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(f"shards need pyarrow: pip install 'muybridge[shards]' ({error})") from error
    return pyarrow


def holds_shards(path: Path) -> bool:
    """Whether a folder is one of shards, by the names in it."""
    return is_regular(path / INDEX_FILE) or is_regular(path / PLAN_FILE)


def holds_features(path: Path) -> bool:
    """Whether a folder is one of shards of features.

    Raises:
        UserError: It is one of shards, and damaged.
    """
    return holds_shards(path) and read_index(path).kind == "features"


def table_of(columns: Mapping[str, Sequence[Any]]) -> Table:
    """Columns as the table of an index, sorted by clip."""
    pa = arrow()
    types = {"string": pa.string(), "bool": pa.bool_(), "double": pa.float64(), "int64": pa.int64()}
    used = _COLUMNS | {name: kind for name, kind in FEATURE_COLUMNS.items() if name in columns}
    schema = pa.schema([(name, types[kind]) for name, kind in used.items()])
    return pa.table(dict(columns), schema=schema).sort_by("id")


def column_values(column: Any) -> list[Any]:
    """The cells of a column of an index as Python values."""
    if arrow().types.is_dictionary(column.type):
        column = column.cast("string")  # text by text through a dictionary takes four times as long
    values: list[Any] = column.to_pylist()
    return values


def write_index(root: Path, table: Table, *, kind: Kind, shards: Mapping[str, int], encoder: str = "") -> Path:
    """Write the index of a folder, whole or not at all."""
    pa = arrow()
    about = {"version": VERSION, "kind": kind, "shards": dict(shards), **({"encoder": encoder} if encoder else {})}
    table = table.replace_schema_metadata({_KEY: json.dumps(about).encode()})
    with replacing(root / INDEX_FILE) as temporary:
        pa.parquet.write_table(table, temporary, compression="zstd", write_page_checksum=True)
    return root / INDEX_FILE


def read_index(root: Path) -> ShardIndex:
    """Read the index of a folder of shards, and check it against itself.

    Raises:
        UserError: There is none, packing was not finished, or it is damaged.
    """
    path = root / INDEX_FILE
    if not is_regular(path):
        if is_regular(root / PLAN_FILE):
            raise UserError(f"{root} is not packed to the end; run the same muybridge pack again")
        raise UserError(f"{path} does not exist; give a folder that muybridge pack made")
    pa = arrow()
    try:
        file = pa.parquet.ParquetFile(
            open_bytes(path), read_dictionary=list(_FEW_VALUES), page_checksum_verification=True
        )
        about, rows = (file.schema_arrow.metadata or {}).get(_KEY), file.metadata.num_rows
        columns = [*_COLUMNS, *(name for name in FEATURE_COLUMNS if name in file.schema_arrow.names)]
        missing = [name for name in _COLUMNS if name not in file.schema_arrow.names]
        if about is None or missing or rows > _MOST_ROWS:
            raise UserError(f"{path} is no index of muybridge pack; {_AGAIN}")
        table = file.read(columns=columns).unify_dictionaries()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}; {_AGAIN}") from error
    kind, shards, encoder = _about(path, about)
    _check(path, table, shards)
    if kind == "features" and not (encoder and {*FEATURE_COLUMNS} <= {*table.column_names}):
        raise UserError(f"{path} is damaged: it does not say what its features are; {_AGAIN}")
    return ShardIndex(root, kind, shards, table, encoder)


def _about(path: Path, text: bytes) -> tuple[Kind, dict[str, int], str]:
    try:
        values = json.loads(text)
        version, kind, shards = values["version"], values["kind"], values["shards"]
        sizes = {str(name): int(size) for name, size in shards.items()}
        encoder = str(values.get("encoder", ""))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UserError(f"{path} is damaged: its metadata are not those of an index; {_AGAIN}") from error
    if version != VERSION or kind not in KINDS:
        raise UserError(f"{path} is of another version of muybridge ({version!r}, {kind!r}); {_AGAIN}")
    strange = [name for name in sizes if not _SHARD.fullmatch(name)]
    if strange:
        raise UserError(f"{path} is damaged: it names {strange[0]!r}, which is no shard; {_AGAIN}")
    return cast(Kind, kind), sizes, encoder


def _check(path: Path, table: Table, shards: Mapping[str, int]) -> None:
    """Refuse a table whose values cannot be those of an index.

    Raises:
        UserError: With the column.
    """
    pa = arrow()
    compute = pa.compute

    def refuse(what: str) -> UserError:
        return UserError(f"{path} is damaged: {what}; {_AGAIN}")

    for name, kind in (_COLUMNS | FEATURE_COLUMNS).items():
        if name not in table.column_names:  # of features alone
            continue
        column = table.column(name)
        found = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if str(found) != kind:
            raise refuse(f"its column {name} is of type {found}")
        if column.null_count and name not in _MAY_BE_EMPTY:
            raise refuse(f"its column {name} has empty cells")
    strangers = set(compute.unique(table.column("shard")).to_pylist()) - shards.keys()
    if strangers:
        raise refuse(f"a clip lies in {shortened(sorted(strangers))}, which it does not list")
    splits = set(compute.unique(table.column("split")).to_pylist()) - {None, "train", "validation", "test"}
    if splits:
        raise refuse(f"its column split holds {sorted(splits)[0]!r}")
    if table.num_rows:
        ends = compute.add(table.column("offset"), table.column("size_bytes"))
        smallest = min(compute.min(table.column(name)).as_py() for name in ("offset", "size_bytes"))
        if smallest < 0 or compute.max(ends).as_py() > max(shards.values()):
            raise refuse("a clip lies outside its shard")
        if not compute.all(compute.match_substring_regex(table.column("sha256"), "^[0-9a-f]{64}$")).as_py():
            raise refuse("its column sha256 holds what is no SHA-256")
        if not compute.all(compute.match_substring_regex(table.column("member"), r"^[\w-]+\.[a-z0-9]+$")).as_py():
            raise refuse("its column member holds what is no name of a member")
