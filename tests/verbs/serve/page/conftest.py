"""What the tests of the page share: a run that tells dim from bright, videos of it, and servers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from tests.helpers.clips import TINY, write_clip, write_clips
from tests.helpers.page_browser import chromium
from tests.helpers.servers import RunningServer, running_server

from muybridge import api
from muybridge.recipes.store import parse_recipe
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.recipes.tuned_rules import TunedRules, rules_path, write_rules

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DIM, BRIGHT = "dim", "bright <img src=x>"
LEVELS = {DIM: 70, BRIGHT: 180}
PARTS = (DIM, BRIGHT, DIM, BRIGHT)
PART_SECONDS = 4
HOSTILE = 'a <b>bold<b> & "quoted" #1.mp4'


def write_long(
    path: Path, parts: tuple[str, ...] = PARTS, *, codec: str = "libx264", rate: int = 25, times: int = 1
) -> Path:
    """Some seconds of each part."""
    generator = np.random.default_rng(0)
    noise_NHW3 = generator.normal(0, 20, (5, 48, 64, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for part in parts * times:
            images = np.clip(LEVELS[part] + noise_NHW3, 0, 255).astype(np.uint8)
            for number in range(rate * PART_SECONDS):
                image = images[number % len(images)]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def page_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a frozen encoder with random weights, one of whose classes has a name that would do harm."""
    clips = write_clips(tmp_path_factory.mktemp("page-data") / "clips")
    (clips / "bright").rename(clips / BRIGHT)
    model = {"width": 0.25, "weights": "none", "trainable": "none", "head": "probe"}
    run = tmp_path_factory.mktemp("page-runs") / "grey"
    api.train(clips, parse_recipe(TINY | {"model": model}, source="tiny"), run=run)
    rules = replace(SegmentRules(), use_none_of_these=False, lag_seconds=0)
    write_rules(rules_path(run), TunedRules(rules, WindowConfig(), ("a.mp4",), 1.0, 1.0))
    return run


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Videos by what they are for. Not to be changed."""
    folder = tmp_path_factory.mktemp("page-videos")
    found = {
        "long": write_long(folder / "long.mp4"),
        "longer": write_long(folder / "longer.mp4", rate=5, times=200),
        "avi": write_long(folder / "long.avi", codec="mpeg4"),
        "hostile": write_long(folder / HOSTILE, (BRIGHT,)),
        "clip": folder / "clip.avi",
        "text": folder / "notes.mp4",
        "empty": folder / "empty.mp4",
    }
    write_clip(found["clip"], level=LEVELS[DIM], seed=9)
    found["text"].write_text("no video\n" * 100)
    found["empty"].write_bytes(b"")
    return found


@pytest.fixture(scope="module")
def server(page_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of the run. Not to be ended."""
    with running_server(tmp_path_factory.mktemp("page-server"), page_run) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with chromium() as found:
        yield found
