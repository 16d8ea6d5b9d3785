"""The frames of a long video at a steady rate, one after the other: frame k is the one shown at k / rate seconds.

Each picture is decoded once, and only those that are asked for are converted. A picture counts as shown until the next
one comes, and the last one for as long as the others on average, as for samplers that go by time (`clip_times`).

Legend: H height, W width, C channels (RGB).
"""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from muybridge.errors import VideoError
from muybridge.video.clip_times import TOLERANCE_SECONDS, steps_within
from muybridge.video.fit_names import Fit
from muybridge.video.picture import Image, ImageMaker
from muybridge.video.probing import declared_seconds, nominal_rate
from muybridge.video.whole_reading import OpenedFile


class SteadyReader:
    """Iterates once over the frames of a file at a steady rate; used in a ``with`` statement.

    Args:
        path: A video file.
        frames_per_second: The rate; None: the file's own, of which each ``every``-th frame's time is taken.
        every: With the file's own rate: the distance between frames, in frames.
        size_px: Side of the square that each picture becomes; None keeps the native size.
        fit: How it becomes one, see `picture.to_square`.
        first_step: The first frame wanted; earlier ones are passed over.

    Attributes:
        frames_per_second: The rate.
        expected_seconds: How long the file says it is, for progress; None where it does not say.
        seconds: Once all frames have been read: how long it is, from the first frame until the last is no longer shown.

    Raises:
        VideoError: On entering, or at the first step, if the file is no readable video.
    """

    def __init__(
        self,
        path: Path,
        *,
        frames_per_second: float | None,
        every: int = 1,
        size_px: int | None = None,
        fit: Fit = "squash",
        first_step: int = 0,
    ) -> None:
        self.path = path
        self.frames_per_second = frames_per_second or 0.0
        self.expected_seconds: float | None = None
        self.seconds = 0.0
        self._every = every
        self._first_step = first_step
        self._maker = ImageMaker(size_px, fit, name=path)
        self._file = OpenedFile(path)

    def __enter__(self) -> "SteadyReader":
        file = self._file.__enter__()
        try:
            if not self.frames_per_second:
                rate = nominal_rate(file.container, file.stream)
                if rate is None:
                    raise VideoError(self.path, "its header states no frame rate", "give frames_per_second")
                self.frames_per_second = float(rate) / self._every
            if file.index is not None:
                self.expected_seconds = float(file.seconds_N[-1])
            else:
                self.expected_seconds = declared_seconds(file.container, file.stream)
        except BaseException:
            file.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.__exit__()

    def __iter__(self) -> Iterator[Image]:
        step, shown, last_seconds, count = self._first_step, None, 0.0, 0
        for number, seconds, frame in self._decoded():
            # All steps up to this frame's time show the one before it.
            while shown is not None and step / self.frames_per_second + TOLERANCE_SECONDS < seconds:
                yield self._maker.image(shown)
                step += 1
            shown, last_seconds, count = frame, seconds, number + 1
        if shown is None:
            raise self._file.nothing_decodes()
        self.seconds = last_seconds + last_seconds / max(1, count - 1)
        for _ in range(step, steps_within(self.seconds, self.frames_per_second)):
            yield self._maker.image(shown)

    def _decoded(self) -> Iterator[tuple[int, float, av.VideoFrame]]:
        """The frames from the one on that the first step shows, with their numbers and times."""
        file = self._file
        if file.restarts is None:
            for number, (seconds, frame) in enumerate(file.frames()):
                yield number, seconds, frame
            return
        wanted = self._first_step / self.frames_per_second + TOLERANCE_SECONDS
        first = max(0, int(np.searchsorted(file.seconds_N, wanted, side="right")) - 1)
        for number, frame in file.restarts.in_order(first):
            yield number, float(file.seconds_N[number]), frame
