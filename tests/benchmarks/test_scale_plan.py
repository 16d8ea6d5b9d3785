"""Plans against plain arithmetic."""

from dataclasses import replace
from pathlib import Path

import pytest

from scale_plan import Costs, Machine, Prices, plan, short, throughput

ROOT = Path(__file__).resolve().parents[2]
COSTS = Costs(
    decode_seconds=0.02,
    variation=0.2,
    encode_seconds=0.06,
    probe_seconds=0.0005,
    client_seconds=0.002,
    clip_bytes=125e3,
    frames_bytes=1.4e6,
    features_bytes=80e3,
    gpu_clips_per_second=500,
    latency_seconds=0.03,
)


def test_what_limits_a_machine() -> None:
    cores, limit = throughput(Machine(4), COSTS)
    assert (cores, limit) == (pytest.approx(4 / 0.082, rel=0.05), "cores")
    assert throughput(Machine(32, gpus=1), COSTS) == (pytest.approx(500, rel=0.03), "GPU")
    assert throughput(Machine(8, gpus=1), COSTS) == (pytest.approx(8 / 0.022, rel=0.03), "cores")
    far = replace(COSTS, latency_seconds=1.0)
    assert throughput(Machine(4, gpus=1), far) == (pytest.approx(16 / 1.022, rel=0.1), "latency")
    large = replace(COSTS, clip_bytes=10e6)
    assert throughput(Machine(16, gpus=1), large) == (pytest.approx(125, rel=0.03), "wire")


def test_money_follows_from_hours_bytes_and_requests() -> None:
    prices = Prices(
        core_hour_usd=1, gpu_hour_usd=10, bucket_gb_month_usd=2, disk_gb_month_usd=5, thousand_requests_usd=3
    )
    row = plan(10**6, Machine(2), COSTS, prices, deadline_hours=1)
    assert row["machines"] == 12  # 11.4 hours of one
    assert row["hours"] * 12 == pytest.approx(1e6 * 0.082 / 2 / 3600, rel=0.05)
    assert row["core_hours"] == pytest.approx(row["hours"] * 12 * 2)
    assert row["compute_usd"] == pytest.approx(row["core_hours"] + 1e6 * 0.0005 / 3600)
    assert row["requests_usd"] == pytest.approx(3000)
    assert row["bucket_month_usd"] == pytest.approx(2 * (125 + 80))
    assert row["frames_month_usd"] == pytest.approx(5 * 1400)


def test_the_measured_costs_are_read() -> None:
    costs = Costs.read(
        ROOT / "docs" / "results" / "stage-costs.csv",
        data="ucf101-10",
        gpu_clips_per_second=1,
        latency_seconds=0,
        walks=50,
    )
    assert 0 < costs.client_seconds < costs.decode_seconds < costs.encode_seconds
    assert costs.features_bytes < costs.clip_bytes < costs.frames_bytes


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.0123, "0.012"), (7.26, "7.3"), (14.3, "14"), (1234.5, "1200"), (10**9, "1000000000")],
)
def test_two_digits(value: float, text: str) -> None:
    assert short(value) == text
