"""The simulation against what queueing theory and plain arithmetic say."""

import pytest

from scale_model import CORE, Stage, Step, Storage, decoding, simulate


@pytest.mark.parametrize("load", [0.3, 0.7])
@pytest.mark.parametrize(("variation", "name"), [(0.0, "M/D/1"), (1.0, "M/M/1")])
def test_one_server_keeps_clips_as_long_as_theory_says(load: float, variation: float, name: str) -> None:
    service = 0.01
    stage = Stage("server", 1, (Step(service, ("server",), variation),))
    stays = [
        simulate([stage], {"server": 1}, clips=10_000, seed=seed, arrivals_per_second=load / service).mean_stay_seconds
        for seed in range(3)
    ]
    # Pollaczek and Khinchine.
    expected = service * (1 + load * (1 + variation**2) / (2 * (1 - load)))
    assert sum(stays) / 3 == pytest.approx(expected, rel=0.08), name


def test_a_pipeline_is_as_fast_as_its_slowest_stage() -> None:
    stages = [
        Stage("fetch", 8, (Step(0.05),), buffer=4),
        Stage("decode", 2, (Step(0.02),), buffer=4),
        Stage("encode", 3, (Step(0.01),)),
    ]
    outcome = simulate(stages, {}, clips=2000)
    assert outcome.clips_per_second == pytest.approx(100, rel=0.01)
    assert outcome.bottleneck == "decode"
    assert outcome.busy["encode"] == pytest.approx(1 / 3, rel=0.02)


def test_cores_are_shared_between_stages() -> None:
    stages = [
        Stage("decode", 4, (Step(0.02, (CORE,)),), buffer=4),
        Stage("encode", 4, (Step(0.06, (CORE,)),)),
    ]
    assert simulate(stages, {CORE: 2}, clips=1000).clips_per_second == pytest.approx(2 / 0.08, rel=0.03)


def test_a_small_buffer_costs_nothing_where_nothing_varies_and_something_where_it_does() -> None:
    def rate(variation: float, buffer: int) -> float:
        stages = [
            Stage("a", 1, (Step(0.01, (), variation),), buffer=buffer),
            Stage("b", 1, (Step(0.01, (), variation),)),
        ]
        return simulate(stages, {}, clips=5000).clips_per_second

    assert rate(0, 1) == pytest.approx(100, rel=0.01)
    assert rate(1, 1) < 0.85 * rate(1, 100) < 100


@pytest.mark.parametrize(("threads", "cores", "expected"), [(1, 2, 1 / 0.22), (4, 4, 4 / 0.22), (40, 2, 2 / 0.02)])
def test_threads_hide_latency_until_the_cores_are_full(threads: int, cores: int, expected: float) -> None:
    storage = Storage(requests=1, latency_seconds=0.2, connections=100)
    stage = decoding(storage, threads=threads, decode_seconds=0.02, variation=0)
    found = simulate([stage], {CORE: cores, **storage.places()}, clips=2000)
    assert found.clips_per_second == pytest.approx(expected, rel=0.03)


def test_connections_and_the_wire_limit() -> None:
    few = Storage(requests=1, latency_seconds=0.1, connections=5)
    stage = decoding(few, threads=50, decode_seconds=0.001, variation=0)
    assert simulate([stage], {CORE: 8, **few.places()}, clips=2000).clips_per_second == pytest.approx(50, rel=0.02)
    narrow = Storage(requests=1, size_bytes=1e6, bytes_per_second=20e6)
    stage = decoding(narrow, threads=50, decode_seconds=0.001, variation=0)
    assert simulate([stage], {CORE: 8, **narrow.places()}, clips=2000).clips_per_second == pytest.approx(20, rel=0.02)


def test_batches_leave_together() -> None:
    outcome = simulate([Stage("GPU", 1, (Step(0.5),), batch=32)], {}, clips=1000)
    assert outcome.seconds == pytest.approx(32 * 0.5)
