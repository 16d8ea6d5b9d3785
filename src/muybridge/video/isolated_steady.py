"""The frames of a long video at a steady rate, decoded in isolation: a process holds the file open, and sends some.

Used as `SteadyReader`. One process serves one video from its first frame to its last; its limits of memory and
processor time hold for each stretch.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from muybridge.video.fit_names import Fit
from muybridge.video.isolation import Isolation, current
from muybridge.video.picture import Image
from muybridge.video.steady_reading import SteadyReader

_FRAMES_AT_ONCE = 16


class IsolatedSteadyReader:
    """See `SteadyReader`, whose arguments and attributes these are."""

    def __init__(self, isolation: Isolation, path: Path, **arguments: Any) -> None:
        self.frames_per_second = 0.0
        self.expected_seconds: float | None = None
        self.seconds = 0.0
        self._path = path
        self._arguments = arguments
        self._held = isolation.hold()

    def __enter__(self) -> "IsolatedSteadyReader":
        self._held.__enter__()
        try:
            header, _ = self._held.call(self._path, "steady_begin", **self._arguments)
            self.frames_per_second = float(header["frames_per_second"])
            expected = header["expected_seconds"]
            self.expected_seconds = None if expected is None else float(expected)
        except BaseException:
            self._held.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._held.is_ready:  # else it is ended, and its files closed with it
                self._held.call(self._path, "steady_end")
        finally:
            self._held.__exit__()

    def __iter__(self) -> Iterator[Image]:
        while True:
            header, [frames_THWC] = self._held.call(self._path, "steady_next", count=_FRAMES_AT_ONCE)
            yield from frames_THWC
            if header["seconds"] is not None:
                self.seconds = float(header["seconds"])
                return


def steady_reader(
    path: Path,
    *,
    frames_per_second: float | None,
    every: int = 1,
    size_px: int | None = None,
    fit: Fit = "squash",
    first_step: int = 0,
) -> SteadyReader | IsolatedSteadyReader:
    """A `SteadyReader`, in isolation where that holds; arguments as there."""
    asked: dict[str, Any] = {
        "frames_per_second": frames_per_second,
        "every": every,
        "size_px": size_px,
        "fit": fit,
        "first_step": first_step,
    }
    isolation = current()
    return SteadyReader(path, **asked) if isolation is None else IsolatedSteadyReader(isolation, path, **asked)
