"""Fixtures shared by all tests."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.helpers.clips import tiny_recipe, write_clips

# Background jobs of a shell ignore Ctrl-C and hand that on; the tests of Ctrl-C need its usual effect.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples at every run, so that a failure is a change's fault.
# A busy machine draws slowly, which is no fault of a test.
settings.register_profile("repeatable", derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

# Small networks on few cores: several threads spend their time waiting for each other.
torch.set_num_threads(1)

SHARED = Path(__file__).resolve().parents[2] / "shared"


# What starts servers, browsers or several processes, and so takes minutes: see the marker.
SERVERS = (
    "verbs/serve/page", "verbs/serve/test_client.py", "verbs/serve/test_label_studio.py", "verbs/serve/test_predict.py",
    "verbs/serve/test_safety.py", "verbs/serve/test_stream.py", "verbs/serve/test_timelines.py",
    "verbs/serve/test_connections.py", "robustness/test_served.py", "video/live/test_live_streams.py",
    "video/live/test_event_recorder.py", "verbs/watch", "verbs/test_predict_addresses.py", "test_ranks.py",
    "training/test_many_processes.py", "training/test_lost_process.py", "training/test_launchers.py",
    "storage/test_remote_files.py", "storage/test_verbs_on_buckets.py", "storage/test_versions.py", "pieces",
    "verbs/test_push.py", "training/test_streaming_processes.py", "storage/test_streaming_shards.py",
)  # fmt: skip


# What kills trainings and fills disks; some minutes, too.
KILLS = (
    "robustness/test_faults.py", "training/test_inside_epochs.py", "training/test_interruption.py",
    "training/test_streaming.py", "verbs/sweep/test_sweep.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of these files and folders."""
    for item in items:
        place = item.path.relative_to(Path(__file__).parent).as_posix()
        if place.startswith(SERVERS):
            item.add_marker(pytest.mark.servers)
        if place.startswith(KILLS):
            item.add_marker(pytest.mark.kills)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and weights next to the checkout; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the real clips and weights in {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 real clips of two easily separated classes in twelve source groups. Not to be changed."""
    return write_clips(tmp_path_factory.mktemp("data") / "clips")


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the user's own frame cache and weights out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUYBRIDGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("MUYBRIDGE_WEIGHTS", raising=False)
        yield


@pytest.fixture(scope="session")
def tiny_run(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the tiny recipe on ``clips``. Not to be changed."""
    from muybridge import api

    run = tmp_path_factory.mktemp("runs") / "tiny"
    api.train(clips, tiny_recipe(), run=run)
    return run
