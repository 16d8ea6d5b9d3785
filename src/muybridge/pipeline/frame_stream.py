"""Frames of clips in shards, decoded when they are asked for: for data sets whose frames no disk holds.

Notable: it stands where a `FrameCache` does. Nothing of the frames is kept but the clip that a thread read last, so
that variants of it come from one decoding. Clips are sorted as they lie in shards, and whoever reads them in this
order, or in that of a `StreamOrder`, reads each shard from front to back.

Axes: T frames, H height, W width, C channels (RGB).
"""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError
from muybridge.pipeline.affine import Frames
from muybridge.pipeline.frame_cache import BuildResult, FrameCache, place_in_shard
from muybridge.pipeline.shard_pieces import AHEAD_PIECES, PIECE_BYTES
from muybridge.pipeline.stream_order import lane_count
from muybridge.recipes.cache import CacheConfig
from muybridge.storage.urls import url_at
from muybridge.text import size_text
from muybridge.threads import pool_of
from muybridge.video.decoding import SampledFrames
from muybridge.video.fit_names import Fit
from muybridge.video.hardware import Decoder
from muybridge.video.sampler import Sampler


@dataclass(frozen=True, eq=False)
class HeldClip:
    """The clip that a thread decoded last.

    Attributes:
        id: Its name.
        sampled: Its frames.
    """

    id: str
    sampled: SampledFrames

    @property
    def frame_count(self) -> int:
        """Frames the clip decodes to."""
        return self.sampled.frame_count

    @property
    def views(self) -> Sequence[Sequence[int]]:
        """For each view of the sampler, positions into its frames."""
        return [view.tolist() for view in self.sampled.views]


class FrameStream(FrameCache):
    """Sampled frames of clips in shards, none of which is kept.

    Args:
        config: Where pieces of remote shards are kept meanwhile, and features.
        sampler: Which frames of a clip.
        views: How many views of the sampler.
        size_px: Side of the square frames.
        fit: How a picture becomes one.
        buffer_clips: How many clips the shuffle buffer holds.
        decoder: What decodes.
    """

    def __init__(
        self,
        config: CacheConfig,
        *,
        sampler: Sampler,
        views: int,
        size_px: int,
        fit: Fit,
        buffer_clips: int,
        decoder: Decoder = "cpu",
    ) -> None:
        super().__init__(config, sampler=sampler, views=views, size_px=size_px, fit=fit, decoder=decoder)
        self.buffer_clips = buffer_clips
        self._last = threading.local()

    def __getstate__(self) -> dict[str, Any]:
        """As it goes to another process: without what threads hold."""
        return {name: value for name, value in vars(self).items() if name != "_last"}

    def __setstate__(self, values: Mapping[str, Any]) -> None:
        """As it comes from another process."""
        vars(self).update(values)
        self._last = threading.local()

    def build(
        self,
        clips: Sequence[Clip],
        *,
        workers: int,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> BuildResult:
        """Decode every clip once, from front to back, to know which of them can be; see `FrameCache.build`."""
        self.require_folder()
        result = BuildResult()
        ordered = sorted(clips, key=place_in_shard)
        with pool_of(workers) as pool:
            self._read_all(ordered, self.decoded, pool, result, total=len(clips), on_progress=on_progress)
        return result

    def key_of(self, clip: Clip) -> str | None:
        """What names a clip; see `FrameCache.key_of`."""
        return self.key(clip)

    def key(self, clip: Clip) -> str:
        """What names a clip, whether or not it was seen before."""
        return self._key(clip, clip.sha256 or "")

    def expect(self, keys: Mapping[str, str]) -> None:
        """Nothing: a clip's key is made when it is asked for."""

    @property
    def paths(self) -> Collection[Path]:
        """None: no frames are kept."""
        return ()

    def entry(self, clip: Clip) -> HeldClip:
        """A clip, decoded now.

        Raises:
            VideoError: It does not decode.
        """
        held: HeldClip | None = getattr(self._last, "clip", None)
        if held is None or held.id != clip.id:
            with self.pieces.serving():
                held = HeldClip(clip.id, self.decoded(clip))
            self._last.clip = held
        return held

    def read(self, clip: Clip, positions: Sequence[int] | npt.NDArray[np.int64]) -> Frames:
        """Frames of a clip; see `FrameCache.read`."""
        return np.asarray(self.entry(clip).sampled.frames_THWC[np.asarray(positions)])

    def require_space(self, clips: Sequence[Clip], *, batch_size: int) -> None:
        """Make sure that the pieces that are needed at once have room.

        Args:
            clips: All clips.
            batch_size: Clips per batch, over all processes.

        Raises:
            UserError: They have not.
        """
        places = [place for clip in clips if (place := clip.shard_place) is not None]
        if not places or url_at(places[0][0]) is None:
            return
        held = self.buffer_clips * sum(size for _, _, size in places) // len(places)
        # Of each lane the piece that is read, those ahead, and one that the buffer begins with.
        needed = held + lane_count(batch_size, 1) * (AHEAD_PIECES + 2) * PIECE_BYTES
        if needed > self.pieces.budget_bytes:
            raise UserError(
                f"a shuffle buffer of {self.buffer_clips} clips and what is read ahead take about "
                f"{size_text(needed)} of shards, and cache.shards_gb allows {size_text(self.pieces.budget_bytes)}; "
                "raise cache.shards_gb, or lower data.shuffle_buffer"
            )
