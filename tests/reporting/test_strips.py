import base64
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from muybridge.dataset.catalog import Clip
from muybridge.reporting.strips import STRIP_FRAMES, StripFrame, read_strip, read_strips


def picture(frame: StripFrame) -> np.ndarray:
    """The pixels that a browser would show, RGB."""
    kind, data = frame.source.split(",", 1)
    assert kind == "data:image/jpeg;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def write_ramp(path: Path, *, frames: int, width: int = 64, height: int = 48) -> Path:
    """A clip that gets redder: frame i has red 4 i, and blue 200 throughout."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 4_000_000
        for number in range(frames):
            image = np.zeros((height, width, 3), np.uint8)
            image[..., 0], image[..., 2] = 4 * number, 200
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def clip(path: Path, **times: float) -> Clip:
    return Clip(path=path, label="a", group="g", root=path.parent, **times)


def test_a_strip_spreads_frames_over_the_clip_in_colour(tmp_path: Path) -> None:
    strip = read_strip(clip(write_ramp(tmp_path / "a.avi", frames=60)))
    assert strip.problem is None
    assert len(strip.frames) == STRIP_FRAMES
    # Six segments of ten frames, their centres 5, 15, ...: red 20, 60, ..., at ten frames a second.
    for number, frame in enumerate(strip.frames):
        red, _, blue = picture(frame).reshape(-1, 3).mean(axis=0)
        assert red == pytest.approx(20 + 40 * number, abs=14)
        assert blue == pytest.approx(200, abs=20)
        assert frame.seconds == pytest.approx(0.5 + number)


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(640, 320, (200, 100)), (240, 480, (100, 200)), (48, 32, (48, 32))]
)
def test_a_strip_keeps_the_aspect_and_never_enlarges(
    tmp_path: Path, width: int, height: int, expected: tuple[int, int]
) -> None:
    strip = read_strip(clip(write_ramp(tmp_path / "a.avi", frames=6, width=width, height=height)))
    for frame in strip.frames:
        assert (frame.width_px, frame.height_px) == expected
        assert picture(frame).shape[:2] == expected[::-1]


def test_a_strip_of_a_part_of_a_file_counts_its_seconds_from_the_part(tmp_path: Path) -> None:
    path = write_ramp(tmp_path / "a.avi", frames=60)
    strip = read_strip(clip(path, start_seconds=3.0, end_seconds=4.2))
    assert len(strip.frames) == STRIP_FRAMES
    assert [frame.seconds for frame in strip.frames] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9, 1.1])
    assert picture(strip.frames[0])[..., 0].mean() == pytest.approx(4 * 31, abs=14)


def test_a_short_clip_repeats_nothing(tmp_path: Path) -> None:
    assert len(read_strip(clip(write_ramp(tmp_path / "a.avi", frames=2))).frames) == 2


def test_what_cannot_be_shown_says_why(tmp_path: Path) -> None:
    (tmp_path / "text.avi").write_text("no video")
    (tmp_path / "empty.avi").touch()
    good = write_ramp(tmp_path / "good.avi", frames=6)
    clips = [clip(tmp_path / name) for name in ("text.avi", "empty.avi", "gone.avi", "good.avi")]
    strips = read_strips([*clips, clip(good)])
    assert len(strips) == 4  # the same clip is read once
    problems = [strips[one].problem or "" for one in clips]
    assert "not a video" in problems[0]
    assert "empty file" in problems[1]
    assert "gone" in problems[2]
    assert problems[3] == ""
    assert all(strips[one].frames == () for one in clips[:3])
