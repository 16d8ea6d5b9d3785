"""The page, in a real browser: it plays, jumps, shows what is now, and asks for nothing but the video."""

import json
import re
import time
from pathlib import Path

import av
import numpy as np
import pytest
from rich.console import Console
from tests.helpers.browser import browser, find_chromium
from tests.video.conftest import write_video

from muybridge.dataset.segments import Segment
from muybridge.reporting.timeline_page import peaks, write_timeline_page
from muybridge.verbs.timeline.drawing import draw_video, label_image
from muybridge.video.browser_video import plays_in_browsers, write_for_browsers
from muybridge.video.decoding import iterate_frames

NAME = 'a "clip" <b>&amp; #1?.mp4'
BAD_LABEL = "</script><script>document.title='stolen'</script>"


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """The page of twelve seconds with names that would do harm."""
    folder = tmp_path_factory.mktemp("page")
    video = write_video(folder / NAME, frames=300)
    found = [
        Segment(video, 1, 4, "walk", 0.9),
        Segment(video, 3, 6, BAD_LABEL, 0.8),
        Segment(video, 8, 12, "walk", 0.7),
    ]
    write_timeline_page(
        folder / "out" / "page.html",
        video=video,
        shown_video=video,
        seconds=12.0,
        segments=found,
        true=[Segment(video, 1, 5, "run")],
        classes=("run", "walk", "never", BAD_LABEL),
        probabilities_NK=np.random.default_rng(0).random((60, 4)),
        facts={"model": "<i>runs</i>"},
    )
    return folder / "out" / "page.html"


def test_what_is_in_the_page(page):
    text = page.read_text()
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "<b>" not in text and "<i>runs" not in text and text.count("</script>") == 2
    data = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
    assert [track["label"] for track in data["tracks"]] == ["run", "walk", BAD_LABEL]
    assert data["tracks"][0]["true"] == [[1, 5, None]]
    assert len(data["tracks"][1]["curve"]) == 60


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_in_a_browser(page, tmp_path, width):
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium on this machine")
    with browser(program, tmp_path / "profile") as tab:
        tab.open(page, width=width)
        for _ in range(100):
            if tab.ask("video.readyState") >= 1:
                break
            time.sleep(0.1)
        assert tab.ask("Math.round(video.duration)") == 12
        assert tab.ask("document.title") == 'a "clip" <b>&amp; #1?.mp4'
        assert tab.ask("document.documentElement.scrollWidth") <= width
        assert tab.ask("document.querySelectorAll('.found').length") == 3
        assert tab.ask("document.getElementById('missing').hidden") is True

        tab.ask("document.querySelectorAll('#rows button')[1].click()")
        assert tab.ask("now.textContent") == f"0:03.0  walk, {BAD_LABEL}"
        assert tab.ask("video.currentTime") == 3
        assert tab.ask("document.querySelectorAll('tr.current').length") == 2
        tab.ask("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'n'}))")
        assert tab.ask("video.currentTime") == 8
        tab.ask("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft', shiftKey: true}))")
        assert tab.ask("now.textContent") == "0:00.0  none of these"
        tab.ask(
            "(() => { const box = document.querySelector('.lane').getBoundingClientRect();"
            "document.querySelector('.lane').dispatchEvent("
            "new MouseEvent('click', {clientX: box.left + box.width / 2})) })()"
        )
        assert tab.ask("Math.abs(video.currentTime - 6) < 0.1")
        asked = {address for address in tab.requests if not address.startswith("data:")}
        assert asked == {page.as_uri(), (page.parents[1] / NAME).as_uri()}
        assert tab.complaints == []


def test_long_curves_keep_their_peaks():
    values = np.zeros((10_000, 2))
    values[1234, 1] = 0.9
    short = peaks(values, most=100)
    assert short.shape == (100, 2)
    assert short[12].tolist() == [0, 0.9] and short.sum() == 0.9
    assert peaks(values[:50], most=100) is not values and len(peaks(values[:50], most=100)) == 50


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "plays"),
    [
        ("a.mp4", "libx264", "yuv420p", True),
        ("a.avi", "mpeg4", "yuv420p", False),
        ("a.mp4", "libx265", "yuv420p", False),
        ("a.mp4", "libx264", "yuv444p", False),
        ("a.mkv", "libx264", "yuv420p", False),
    ],
)
def test_what_browsers_do_not_play_is_copied(tmp_path, name, codec, pixels, plays):
    path = write_video(tmp_path / name, codec=codec, pixel_format=pixels, frames=30, width_px=66, height_px=50)
    assert plays_in_browsers(path) is plays
    if plays:
        return
    seen = []
    write_for_browsers(path, tmp_path / "copy.mp4", report=seen.append)
    assert plays_in_browsers(tmp_path / "copy.mp4")
    assert seen == [0]
    before, after = (list(iterate_frames(each)) for each in (path, tmp_path / "copy.mp4"))
    assert len(after) == len(before)
    for one, other in zip(before, after, strict=True):
        assert other.timestamp_seconds == pytest.approx(one.timestamp_seconds, abs=1e-3)
        assert np.abs(one.image_HWC[:50, :66].astype(int) - other.image_HWC).mean() < 12


def write_with_sound(path: Path) -> Path:
    """Four seconds of grey with a tone, Motion JPEG and PCM."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuvj420p"
        sound = container.add_stream("pcm_s16le", rate=16_000)
        sound.layout = "mono"
        for number in range(100):
            image = np.full((64, 96, 3), 128, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            tone = (8000 * np.sin(np.arange(640) * 0.3)).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, 640 * number
            container.mux(sound.encode(frame))
        container.mux(video.encode())
        container.mux(sound.encode(None))
    return path


def test_labels_are_drawn_and_the_sound_is_kept(tmp_path):
    path = write_with_sound(tmp_path / "a.avi")
    segments = [Segment(path, 1, 2, "wälk $x$", 0.9), Segment(path, 3, 4, "run", 0.8)]
    copy = tmp_path / "copy.mp4"
    problem = draw_video(path, copy, segments, ("run", "wälk $x$"), seconds=4.0, console=Console(stderr=True))
    assert problem is None
    frames = [frame.image_HWC.astype(int) for frame in iterate_frames(copy)]
    assert len(frames) == 100

    def coloured(image_HWC: np.ndarray) -> bool:
        corner_HWC = image_HWC[2:10, 2:10]
        return bool((corner_HWC.max(axis=2) - corner_HWC.min(axis=2)).mean() > 40)

    assert [coloured(frames[number]) for number in (5, 30, 45, 60, 80, 95)] == [False, True, True, False, True, True]
    assert np.abs(frames[5][20:50] - 128).mean() < 5  # the rest of the picture is as it was
    with av.open(str(copy)) as container:
        [sound] = container.streams.audio
        assert sound.codec_context.name == "aac"
        levels = [np.abs(frame.to_ndarray()).mean() for frame in container.decode(sound)]
        assert len(levels) * 1024 / 16_000 == pytest.approx(4, abs=0.2)
        assert np.median(levels) == pytest.approx(8000 / 32768 * 2 / np.pi, rel=0.1)


def test_a_label_is_no_formula_and_as_wide_as_its_text():
    short, long = label_image("a", 20), label_image("a $x^2$ longer", 20)
    assert short.shape[0] == long.shape[0] and short.shape[1] < long.shape[1] / 3
    assert long.max() > 200 and (long[:, -3:] < 60).all()


def test_the_copy_is_upright_and_of_even_size(tmp_path):
    path = write_video(tmp_path / "a.mov", frames=5, width_px=64, height_px=48, rotation_degrees=90)
    write_for_browsers(path, tmp_path / "copy.mp4")
    with av.open(str(tmp_path / "copy.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (48, 64)
