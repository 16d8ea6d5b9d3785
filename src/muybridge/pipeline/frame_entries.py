"""Frames of a clip as a file of the cache: raw, or as JPEG images that lie one behind the other.

Axes: T frames, H height, W width, C channels (RGB).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from muybridge.pipeline.affine import Frames
from muybridge.pipeline.cache_file import CacheFile, DamagedEntryError, read_cache_file, write_cache_file
from muybridge.video.picture import to_jpeg

JPEG_QUALITY = 90


class Views(Protocol):
    """What is known of a clip whose frames are to be read."""

    @property
    def frame_count(self) -> int:
        """Frames the clip decodes to (within its start and end, if it has them)."""

    @property
    def views(self) -> Sequence[Sequence[int]]:
        """For each view of the sampler, positions into its frames."""


@dataclass(frozen=True)
class Entry:
    """One cached clip.

    Attributes:
        file: Its cache file.
        frame_count: Frames the clip decodes to (within its start and end, if it has them).
        views: For each view of the sampler, positions into the stored frames.
        offsets: Byte ranges of the JPEG images (T + 1 numbers); empty for raw frames.
    """

    file: CacheFile
    frame_count: int
    views: list[list[int]]
    offsets: list[int]


def write_entry(
    path: Path,
    frames_THWC: Frames,
    *,
    views: Iterable[npt.NDArray[np.int64]],
    frame_count: int,
    format: Literal["raw", "jpeg"],
) -> None:
    """Write one clip's frames, whole or not at all.

    Args:
        path: The cache file.
        frames_THWC: uint8 RGB.
        views: Positions into the frames, for each view.
        frame_count: Frames the clip decodes to.
        format: How frames are stored.
    """
    values = {"frame_count": frame_count, "views": [np.asarray(view).tolist() for view in views], "offsets": []}
    if format == "jpeg":
        images = [to_jpeg(frame, quality=JPEG_QUALITY) for frame in frames_THWC]
        values["offsets"] = [0, *np.cumsum([len(image) for image in images]).tolist()]
        write_cache_file(path, np.frombuffer(b"".join(images), dtype=np.uint8), values)
    else:
        write_cache_file(path, frames_THWC, values)


def read_entry(path: Path) -> Entry:
    """Read and verify one clip's entry.

    Raises:
        DamagedEntryError: If the file is not whole.
        FileNotFoundError: If there is no such file.
    """
    file = read_cache_file(path)
    try:
        return Entry(file, **file.values)
    except TypeError as error:
        raise DamagedEntryError(path) from error


def read_frames_at(entry: Entry, positions: Sequence[int] | npt.NDArray[np.int64]) -> Frames:
    """Copy frames out of a cache file.

    Args:
        entry: The clip's entry.
        positions: Positions into the stored frames.

    Returns:
        frames_THWC, uint8 RGB.
    """
    stored = entry.file.map()
    if not entry.offsets:
        return np.asarray(stored[np.asarray(positions)])
    frames = []
    for position in positions:
        image = stored[entry.offsets[position] : entry.offsets[position + 1]]
        frames.append(np.asarray(cv2.imdecode(image, cv2.IMREAD_COLOR_RGB), dtype=np.uint8))
    return np.stack(frames)
