"""Frames at a steady rate: the ones that are shown at the times asked for, from any step on."""

from pathlib import Path

import pytest
from tests.video.conftest import number_in, write_video

from muybridge.errors import VideoError
from muybridge.video.steady_reading import SteadyReader


def numbers(path: Path, rate: float | None = 5.0, **asked) -> list[int]:
    with SteadyReader(path, frames_per_second=rate, **asked) as reader:
        return [number_in(image) for image in reader]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_are_those_shown_at_the_times(tmp_path, codec):
    path = write_video(tmp_path / f"a.{'mp4' if codec == 'libx264' else 'avi'}", codec=codec, frames=43)
    assert numbers(path) == [0, 5, 10, 15, 20, 25, 30, 35, 40]  # 25 frames a second
    assert numbers(path, 12.5) == list(range(0, 43, 2))
    assert numbers(path, 50)[:6] == [0, 0, 1, 1, 2, 2]
    assert len(numbers(path, 50)) == 86  # the last frame is shown as long as the others


def test_the_files_own_rate(tmp_path):
    path = write_video(tmp_path / "a.mp4", frames=20)
    with SteadyReader(path, frames_per_second=None, every=3) as reader:
        assert reader.frames_per_second == pytest.approx(25 / 3)
        assert [number_in(image) for image in reader] == [0, 3, 6, 9, 12, 15, 18]
        assert reader.seconds == pytest.approx(0.8)


def test_a_frame_is_shown_until_the_next_comes(tmp_path):
    path = write_video(tmp_path / "a.mkv", frames=5, milliseconds=[0, 100, 900, 1000, 1100])
    assert numbers(path, 10) == [0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 4, 4]


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])  # with an index, and without
def test_from_any_step_on_they_are_the_same(tmp_path, name):
    path = write_video(tmp_path / name, frames=60)
    every = numbers(path, 10)
    assert len(every) == 24
    for first in (1, 2, 7, 23):
        assert numbers(path, 10, first_step=first) == every[first:]


def test_what_is_no_video_is_told(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video at all")
    with pytest.raises(VideoError, match=r"a\.mp4"):
        numbers(path)
