"""A small model that tells dim from bright, a long video, and a server of the two for all tests that change nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.long_videos import train_probe, write_long
from tests.helpers.servers import RunningServer, running_server


@pytest.fixture(scope="session")
def probe_run(clips, tmp_path_factory) -> Path:
    """A run of a frozen encoder with random weights. Not to be changed."""
    return train_probe(clips, tmp_path_factory.mktemp("served") / "probe")


@pytest.fixture(scope="session")
def long_video(tmp_path_factory) -> Path:
    """Sixteen seconds that browsers do not play. Not to be changed."""
    return write_long(tmp_path_factory.mktemp("long") / "long.avi")


@pytest.fixture(scope="session")
def server(probe_run, tiny_run, tmp_path_factory) -> Iterator[RunningServer]:
    """Two models, on this machine alone. Not to be ended."""
    with running_server(tmp_path_factory.mktemp("server"), probe_run, tiny_run, "--streams", "2") as running:
        yield running
