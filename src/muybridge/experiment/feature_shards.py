"""Features in shards, as `pack` writes them: read in the order of the shards, each checked by its SHA-256."""

import hashlib
import io
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from muybridge.dataset.catalog import Clip
from muybridge.dataset.shard_catalog import clips_of
from muybridge.dataset.shard_index import ShardIndex, column_values, read_index
from muybridge.errors import UserError
from muybridge.file_parts import open_bytes
from muybridge.pipeline.frame_cache import FrameCache, place_in_shard
from muybridge.text import one_line

_AGAIN = "copy its shard again, or pack the features again"


def read_feature_index(root: Path) -> ShardIndex:
    """The index of shards of features.

    Raises:
        UserError: They are damaged, incomplete, or hold something else.
    """
    index = read_index(root)
    if index.kind != "features":
        raise UserError(f"{root} holds clips, kind {index.kind}; name shards of kind features")
    index.require_shards()
    return index


def rows_of(index: ShardIndex, wanted: Collection[str], cache: FrameCache) -> Iterator[tuple[str, int, Any]]:
    """The name, the number of frames and the array of those features that are wanted.

    Args:
        index: Of the shards.
        wanted: Names of features.
        cache: Where pieces of remote shards are kept meanwhile.

    Raises:
        UserError: They are damaged.
    """
    names, counts = (column_values(index.table.column(name)) for name in ("feature_name", "frame_count"))
    found = [
        (clip, name, count) for clip, name, count in zip(clips_of(index), names, counts, strict=True) if name in wanted
    ]
    found.sort(key=lambda each: place_in_shard(each[0]))
    clips = [clip for clip, _, _ in found]
    with cache.reading_ahead(clips) as reached:
        for read, (clip, name, count) in enumerate(found):
            reached(read)
            with cache.pieces.serving():
                yield name, count, features_at(clip)


def features_at(clip: Clip) -> npt.NDArray[np.float16]:
    """The features that lie where an index says that a clip lies.

    Raises:
        UserError: They are not what was packed.
    """
    try:
        with open_bytes(clip.path) as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != clip.sha256:
            raise ValueError("its bytes are not those that were packed")
        array = np.load(io.BytesIO(data), allow_pickle=False)
        if array.dtype != np.float16 or array.ndim < 2 or not array.size or not np.isfinite(array).all():
            raise ValueError("it holds no features")
    except (OSError, ValueError) as error:
        raise UserError(f"{clip.path} is damaged ({one_line(error)}); {_AGAIN}") from error
    return np.asarray(array, dtype=np.float16)


def damaged_features(clips: Sequence[Clip]) -> dict[str, str]:
    """Clip id to reason, for those of some clips whose features are not what was packed."""
    found = {}
    for clip in clips:
        try:
            features_at(clip)
        except UserError as error:
            found[clip.id] = str(error)
    return found
