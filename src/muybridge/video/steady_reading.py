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

    @property
    def step_count(self) -> int | None:
        """How many frames there are at the steady rate; None for a file that only decoding to its end tells of."""
        length_seconds = self.length_seconds
        return None if length_seconds is None else steps_within(length_seconds, self.frames_per_second)

    @property
    def frame_count(self) -> int | None:
        """How many frames the file has; None as for ``step_count``."""
        return None if self._file.index is None else len(self._file.seconds_N)

    @property
    def length_seconds(self) -> float | None:
        """What ``seconds`` will be; None for a file that only decoding to its end tells of."""
        seconds_N = self._file.seconds_N
        return None if self._file.index is None else _length(float(seconds_N[-1]), len(seconds_N))

    def passed_over(self, first_step: int) -> int:
        """How many frames of a file with an index are decoded before the one that a step shows."""
        assert self._file.index is not None
        first, restarts_N = self._shown_at(first_step), self._file.index.restarts
        return first - int(restarts_N[np.searchsorted(restarts_N, first, side="right") - 1])

    def __iter__(self) -> Iterator[Image]:
        return self.frames_from(self._first_step)

    def frames_from(self, first_step: int) -> Iterator[Image]:
        """The frames from one on; of a file whose ``step_count`` is known as often as one likes."""
        step, shown, last_seconds, count = first_step, None, 0.0, 0
        for number, seconds, frame in self._decoded(first_step):
            # All steps up to this frame's time show the one before it.
            while shown is not None and step / self.frames_per_second + TOLERANCE_SECONDS < seconds:
                yield self._maker.image(shown)
                step += 1
            shown, last_seconds, count = frame, seconds, number + 1
        if shown is None:
            raise self._file.nothing_decodes()
        self.seconds = _length(last_seconds, count)
        for _ in range(step, steps_within(self.seconds, self.frames_per_second)):
            yield self._maker.image(shown)

    def _decoded(self, first_step: int) -> Iterator[tuple[int, float, av.VideoFrame]]:
        """The frames from the one on that the first step shows, with their numbers and times."""
        file = self._file
        if file.restarts is None:
            for number, (seconds, frame) in enumerate(file.frames()):
                yield number, seconds, frame
            return
        for number, frame in file.restarts.in_order(self._shown_at(first_step)):
            yield number, float(file.seconds_N[number]), frame

    def _shown_at(self, step: int) -> int:
        """With an index, the number of the frame that a step shows."""
        wanted = step / self.frames_per_second + TOLERANCE_SECONDS
        return max(0, int(np.searchsorted(self._file.seconds_N, wanted, side="right")) - 1)


def _length(last_seconds: float, count: int) -> float:
    """How long so many frames last: each until the next one comes, the last for as long as the others on average."""
    return last_seconds + last_seconds / max(1, count - 1)
