"""Film strips: a clip as a row of small still frames, embedded as text, so that a page can show what went wrong.

Notable: a strip never fails. A clip that is gone or does not decode becomes a strip without frames that says why,
because one bad file must not cost the reader the whole page.
"""

import base64
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from muybridge.dataset.catalog import Clip
from muybridge.errors import VideoError
from muybridge.file_parts import is_there
from muybridge.system import available_cores
from muybridge.video.decoding import read_sampled
from muybridge.video.picture import to_jpeg
from muybridge.video.sampling import UniformSampler

# Six frames fit in one row on a wide screen and in two rows of three on a phone.
STRIP_FRAMES = 6
# Sharp at the width that a frame has on a page; one strip is then 20 to 50 KB.
_LONG_SIDE_PX = 200
_JPEG_QUALITY = 78


@dataclass(frozen=True)
class StripFrame:
    """One frame of a strip: a JPEG data URI, its size, and when it is shown."""

    source: str
    width_px: int
    height_px: int
    seconds: float


@dataclass(frozen=True)
class Strip:
    """Frames of a clip in the order of time, or why there are none.

    Attributes:
        frames: up to ``STRIP_FRAMES`` frames, spread evenly; fewer from a very short clip.
        problem: why there are none, in words; None when there are.
    """

    frames: tuple[StripFrame, ...] = ()
    problem: str | None = None


def read_strip(clip: Clip) -> Strip:
    """Read the strip of one clip; the aspect of the picture is kept."""
    try:
        if not is_there(clip.path):
            return Strip(problem="the file is gone")
        sampled = read_sampled(
            clip.path,
            UniformSampler(frames=STRIP_FRAMES, policy="shorter"),
            start_seconds=clip.start_seconds,
            end_seconds=clip.end_seconds,
        )
    except VideoError as error:
        return Strip(problem=f"no frames: {error.reason}")
    except OSError as error:
        return Strip(problem=f"not readable: {error.strerror}")
    start_seconds = clip.start_seconds or 0.0
    return Strip(
        frames=tuple(
            _small_jpeg(image_HWC, seconds - start_seconds)
            for image_HWC, seconds in zip(sampled.frames_THWC, sampled.timestamps_seconds.tolist(), strict=True)
        )
    )


def read_strips(clips: Iterable[Clip]) -> dict[Clip, Strip]:
    """Read the strips of many clips, each once, in a thread per core."""
    distinct = list(dict.fromkeys(clips))
    with ThreadPoolExecutor(available_cores()) as pool:
        return dict(zip(distinct, pool.map(read_strip, distinct), strict=True))


def _small_jpeg(image_HWC: NDArray[np.uint8], seconds: float) -> StripFrame:
    height, width = image_HWC.shape[:2]
    scale = min(1.0, _LONG_SIDE_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small_HWC = cast("NDArray[np.uint8]", cv2.resize(image_HWC, size, interpolation=cv2.INTER_AREA))
    data = to_jpeg(small_HWC, quality=_JPEG_QUALITY)
    return StripFrame(f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}", *size, seconds)
