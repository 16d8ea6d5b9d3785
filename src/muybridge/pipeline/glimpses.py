"""A glimpse of a clip: a few tiny frames, enough to tell its colours and its scene, kept in the frame cache.

Notable: what looks at whole data sets (the colour look-up, the search for look-alikes) reads glimpses, so that each
clip is decoded for it once, whatever looks at it and however often.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from muybridge.dataset.catalog import Clip
from muybridge.pipeline.affine import Frames
from muybridge.pipeline.cache_folder import GLIMPSES_SUFFIX
from muybridge.pipeline.cache_records import record_entries
from muybridge.pipeline.frame_cache import FrameCache, reading_threads
from muybridge.recipes.cache import CacheConfig
from muybridge.system import available_cores
from muybridge.video.sampling import UniformSampler

FRAMES = 6
SIZE_PX = 48


@dataclass(frozen=True)
class Seen:
    """What was made of the glimpses of some clips.

    Attributes:
        values: Clip id to value.
        failed: Clip id to reason, for clips that do not decode or are gone.
    """

    values: Mapping[str, npt.NDArray[Any]]
    failed: Mapping[str, str]


def look_at(
    clips: Sequence[Clip],
    make: Callable[[Frames], npt.NDArray[Any]],
    *,
    cache: CacheConfig,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Seen:
    """Make something small of the glimpse of each clip: `FRAMES` frames over all of it, `SIZE_PX` square.

    Args:
        clips: Clips of distinct ids.
        make: What to make of frames_THWC, uint8 RGB.
        cache: Where glimpses are kept.
        on_progress: Called with (done, total) while clips are decoded.

    Raises:
        UserError: If the cache cannot be written, or is too small.
    """
    frames = FrameCache(
        replace(cache, format="raw"),
        sampler=UniformSampler(frames=FRAMES),
        views=1,
        size_px=SIZE_PX,
        suffix=GLIMPSES_SUFFIX,
    )
    threads = reading_threads(clips, available_cores())
    failed = frames.build(clips, workers=threads, on_progress=on_progress).failed
    decoded = [clip for clip in clips if clip.id not in failed]
    if decoded:
        record_entries(frames.folder, decoded[0].root, frames.paths)
    values = {clip.id: make(frames.read(clip, frames.entry(clip).views[0])) for clip in decoded}
    return Seen(values, failed)
