"""A small model that tells dim from bright, a long video, and a server of the two for all tests that change nothing."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from tests.helpers.clips import TINY
from tests.helpers.servers import RunningServer, running_server

from muybridge import api
from muybridge.recipes.store import parse_recipe

LEVELS = {"dim": 70, "bright": 180}
PART_SECONDS = 4


def write_long(
    path: Path, *, parts: tuple[str, ...] = ("dim", "bright", "dim", "bright"), codec: str = "mpeg4"
) -> Path:
    """Four seconds of each part, at 25 frames a second."""
    generator = np.random.default_rng(0)
    noise = [generator.normal(0, 20, (48, 48, 3)) for _ in range(10)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 48, "yuv420p"
        for part in parts:
            for number in range(25 * PART_SECONDS):
                image = np.clip(LEVELS[part] + noise[number % 10], 0, 255).astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def probe_run(clips, tmp_path_factory) -> Path:
    """A run of a frozen encoder with random weights. Not to be changed."""
    model = {"width": 0.25, "weights": "none", "trainable": "none", "head": "probe"}
    folder = tmp_path_factory.mktemp("served") / "probe"
    api.train(clips, parse_recipe(TINY | {"model": model}, source="tiny"), run=folder)
    return folder


@pytest.fixture(scope="session")
def long_video(tmp_path_factory) -> Path:
    """Sixteen seconds that browsers do not play. Not to be changed."""
    return write_long(tmp_path_factory.mktemp("long") / "long.avi")


@pytest.fixture(scope="session")
def server(probe_run, tiny_run, tmp_path_factory) -> Iterator[RunningServer]:
    """Two models, on this machine alone. Not to be ended."""
    with running_server(tmp_path_factory.mktemp("server"), probe_run, tiny_run, "--streams", "2") as running:
        yield running
