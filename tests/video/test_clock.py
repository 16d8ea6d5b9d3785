"""Times: each frame keeps the one that the container gives it, whatever stands beside it."""

import struct
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from muybridge.video.decoding import iterate_frames, read_sampled
from muybridge.video.full_decoding import decode_fully
from muybridge.video.reading import Clock
from muybridge.video.sampling import UniformSampler

MICROSECOND = 1e-6


def clock(rate: int = 25, *, container: str = "mov", average: Fraction | None = None) -> Clock:
    stream = SimpleNamespace(
        time_base=Fraction(1, 1000), average_rate=average or Fraction(rate), guessed_rate=Fraction(rate)
    )
    return Clock(SimpleNamespace(format=SimpleNamespace(name=container)), stream)  # type: ignore[arg-type]


def seconds(ticks: list[int | None], made: Clock | None = None) -> list[float]:
    made = made or clock()
    return [made.seconds(SimpleNamespace(pts=each, dts=each)) for each in ticks]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ticks", "expected"),
    [
        ([1000, 1040, 1080], [0, 0.04, 0.08]),
        ([0, 40, 40, 120], [0, 0.04, 0.04 + MICROSECOND, 0.12]),  # repeated
        ([0, 40, 40, 40, 41, 120], [0, 0.04, 0.04 + MICROSECOND, 0.04 + 2 * MICROSECOND, 0.041, 0.12]),
        ([0, 40, 20, 60, 80], [0, 0.04, 0.04 + MICROSECOND, 0.06, 0.08]),  # back for a moment
        ([5000, 5040, 0, 5120, 5160], [0, 0.04, 0.08, 0.12, 0.16]),  # far back for a moment
        ([0, 5000, 10_000, 0, 5000, 10_000], [0, 5, 10, 10.04, 15.04, 20.04]),  # a recording joined to another
        (
            [0, 5000, 0, 400, 400, 0, 40],
            [0, 5, 5.04, 5.44, 5.44 + MICROSECOND, 5.44 + 2 * MICROSECOND, 5.44 + 3 * MICROSECOND],
        ),
        ([None, None, None], [0, 0.04, 0.08]),
        ([0, None, 60, 100], [0, 0.04, 0.06, 0.1]),
    ],
)
def test_times_are_those_of_the_container(ticks, expected) -> None:
    found = seconds(ticks)
    assert np.allclose(found, expected, atol=1.5 * MICROSECOND)
    assert all(np.diff(found) > 0)


def test_mended_times_are_counted() -> None:
    made = clock()
    seconds([0, 40, 40, 20, 120, 160], made)
    assert made.mended == 2


@pytest.mark.parametrize("name", ["dv", "h264", "hevc", "mpegvideo"])
def test_streams_alone_have_the_rate_that_they_state(name) -> None:
    made = clock(rate=30, container=name, average=Fraction(60_000))
    assert made.frame_seconds == Fraction(1, 30)


def repeat_a_time(path: Path) -> None:
    """Let frame 3 of a written MP4 have the time of frame 2; all others keep theirs."""
    data = bytearray(path.read_bytes())
    at = data.index(b"stts") + 8
    (count,) = struct.unpack_from(">I", data, at)
    rows = [list(struct.unpack_from(">II", data, at + 4 + 8 * row)) for row in range(count)]
    unit = rows[0][1]
    row = next(row for row in range(count) if rows[row][1] == unit // 2)
    rows[row][1], rows[row + 1][1] = 0, 2 * unit
    for row, (repeats, delta) in enumerate(rows):
        struct.pack_into(">II", data, at + 4 + 8 * row, repeats, delta)
    path.write_bytes(data)


@pytest.mark.parametrize("strategy", ["seek", "sequential", "auto"])
def test_a_repeated_time_in_a_file_moves_no_other(tmp_path, write_video, strategy) -> None:
    times_ms = [40 * number for number in range(30)]
    times_ms[3] -= 20
    path = write_video(tmp_path / "a.mp4", frames=30, options={"bf": "0", "g": "300"}, milliseconds=times_ms)
    repeat_a_time(path)
    expected = [each / 1000 for each in times_ms]
    expected[3] = 0.08 + MICROSECOND
    assert np.allclose([frame.timestamp_seconds for frame in iterate_frames(path)], expected, atol=MICROSECOND)
    found = read_sampled(path, UniformSampler(frames=30), strategy=strategy)
    assert np.allclose(found.timestamps_seconds, expected, atol=MICROSECOND)
    assert decode_fully(path).mended_times == 1
    assert decode_fully(path).problem is None
