"""In isolation a long video and a live stream give what they give in this process, and a copy is bounded."""

import os
import signal
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from tests.video.conftest import write_video

from muybridge.errors import VideoError
from muybridge.video import browser_video
from muybridge.video.browser_video import plays_in_browsers, write_for_browsers
from muybridge.video.isolated_steady import steady_reader
from muybridge.video.isolation import current, isolated
from muybridge.video.live_pictures import IsolatedPictures, LivePictures, begins_anew, jpeg_size


def steady(path, **options):
    with steady_reader(path, **options) as reader:
        return np.stack(list(reader)), reader.seconds, reader.frames_per_second, reader.expected_seconds


@pytest.mark.parametrize(
    "options", [{"frames_per_second": 7.0}, {"frames_per_second": None, "every": 3, "first_step": 5}]
)
def test_a_long_video_is_the_same(tmp_path, options):
    path = write_video(tmp_path / "a.mp4", frames=50)
    plain = steady(path, size_px=32, **options)
    with isolated():
        other = steady(path, size_px=32, **options)
    assert np.array_equal(plain[0], other[0]) and plain[1:] == other[1:]
    assert len(plain[0]) > 5


def test_a_video_that_is_none_and_two_videos_at_once(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"text\n" * 100)
    path = write_video(tmp_path / "a.mp4", frames=50)
    with isolated():
        with pytest.raises(VideoError, match="not a video"):
            steady(tmp_path / "bad.mp4", frames_per_second=5.0)
        with (
            steady_reader(path, frames_per_second=25.0) as one,
            steady_reader(path, frames_per_second=5.0) as two,
        ):
            pairs = list(zip(one, two, strict=False))
        assert len(pairs) == 10
        assert np.array_equal(pairs[0][0], pairs[0][1]) and not np.array_equal(pairs[5][0], pairs[5][1])


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_video_that_is_left_before_its_end_is_closed(tmp_path):
    path = write_video(tmp_path / "a.mp4", frames=100)
    with isolated():
        with steady_reader(path, frames_per_second=25.0) as reader:
            next(iter(reader))
            assert str(path) in files_of_children()
        path.unlink()
        assert f"{path} (deleted)" not in files_of_children()
        # The process goes on, and one that died while it read is no second error.
        with steady_reader(write_video(tmp_path / "b.mp4", frames=100), frames_per_second=25.0) as reader:
            [child] = children()
            next(iter(reader))
            os.kill(child, signal.SIGKILL)
            with pytest.raises(VideoError, match="was killed"):
                list(reader)
        assert children() == []


def children() -> list[int]:
    """The processes that this one has started and that decode."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        found += [int(number) for number in (task / "children").read_text().split()]
    return [child for child in found if b"isolated_child" in Path(f"/proc/{child}/cmdline").read_bytes()]


def files_of_children() -> set[str]:
    return {str(file.readlink()) for child in children() for file in Path(f"/proc/{child}/fd").iterdir()}


def test_a_copy_for_browsers(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.avi", frames=50)
    with isolated():
        assert not plays_in_browsers(path)
        assert write_for_browsers(path, tmp_path / "copy.mp4") is None
        assert plays_in_browsers(tmp_path / "copy.mp4")
        with av.open(str(tmp_path / "copy.mp4")) as container:
            assert sum(1 for _ in container.decode(video=0)) == 50
        monkeypatch.setattr(browser_video, "_LEAST_COPY_BYTES", 100)
        monkeypatch.setattr(browser_video, "_COPY_GROWTH", 0)
        with pytest.raises(VideoError):
            write_for_browsers(path, tmp_path / "second.mp4")
    assert {each.name for each in tmp_path.iterdir()} == {"a.avi", "copy.mp4"}


def test_live_pictures_are_the_same():
    generator = np.random.default_rng(0)
    pictures = [generator.integers(0, 255, (40, 60, 3), dtype=np.uint8).repeat(2, 0).repeat(2, 1) for _ in range(3)]
    parts = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]
    plain = LivePictures("jpeg", size_px=32, fit="crop").decode(parts)
    with isolated():
        isolation = current()
        with isolation.hold() as held:
            other = IsolatedPictures(held, "jpeg", size_px=32, fit="crop").decode(parts)
    assert [number for number, _ in plain] == [number for number, _ in other] == [0, 1, 2]
    for (_, one), (_, two) in zip(plain, other, strict=True):
        assert one.shape == (32, 32, 3) and np.array_equal(one, two)


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(50), b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x00" + bytes(20)])
def test_what_is_no_jpeg(data):
    assert jpeg_size(data) is None
    with pytest.raises(VideoError, match="no JPEG"):
        LivePictures("jpeg", size_px=32, fit="squash").decode([data])


def test_the_size_in_a_jpeg_header():
    data = cv2.imencode(".jpg", np.zeros((30, 50, 3), np.uint8))[1].tobytes()
    assert jpeg_size(data) == (50, 30)
    progressive = cv2.imencode(".jpg", np.zeros((30, 50, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert jpeg_size(progressive) == (50, 30)


def test_where_h264_begins_anew():
    assert begins_anew(b"\0\0\0\1\x67abc") and begins_anew(b"\0\0\1\x09\x10\0\0\1\x65abc")
    assert not begins_anew(b"\0\0\0\1\x41abc") and not begins_anew(b"") and not begins_anew(b"\0\0\1")
