"""Tables of what many clips cost."""

from collections.abc import Callable

from result_rows import markdown, plain, read, span


def stage_costs() -> str:
    """What a clip costs at each stage."""
    return markdown(
        ("data", "stage", "ms of a core", "least to most", "varies by", "kB a clip"),
        [
            [
                *(row["data"], row["stage"], row["core_ms_a_clip"], span(row, "least", "most"), row["variation"]),
                row["kilobytes_a_clip"],
            ]
            for row in read("stage-costs.csv")
        ],
    )


def scale_check() -> str:
    """Real runs beside their simulations."""
    columns = {
        "data": "data",
        "clips_from": "clips from",
        "latency_ms": "latency, ms",
        "threads": "threads",
        "measured": "measured, clips/s",
        "simulated": "simulated",
        "difference_percent": "difference, %",
        "share_of_cores": "share of the cores",
    }
    return plain("scale-check.csv", columns)


def shard_reading() -> str:
    """Shards and files of a bucket with latency."""
    columns = {
        "way": "way",
        "clips_per_second": "clips/s",
        "requests_a_clip": "requests a clip",
        "bytes_for_a_byte": "bytes fetched for one of the clips",
    }
    return plain("shard-reading.csv", columns)


def scale_plan() -> str:
    """Machines, hours, gigabytes and money."""
    columns = {
        "clips": "clips",
        "machine": "machine",
        "machines": "machines",
        "hours": "hours",
        "limit": "limit",
        "core_hours": "core-hours",
        "gpu_hours": "GPU-hours",
        "compute_usd": "computing, USD",
        "requests_usd": "requests, USD",
    }
    return plain("scale-plan.csv", columns)


def scale_storage() -> str:
    """What is stored, and the probe: the same for all machines."""
    columns = {
        "clips": "clips",
        "clips_gb": "clips, GB",
        "features_gb": "features, GB",
        "bucket_month_usd": "both in a bucket, USD a month",
        "frames_gb": "frames, GB",
        "frames_month_usd": "frames on disks, USD a month",
        "probe_core_hours": "the probe, core-hours",
    }
    return plain("scale-plan.csv", columns, machine="2 cores")


def scale_knobs() -> str:
    """What changing one thing does."""
    columns = {"machine": "machine", "change": "change", "clips_per_second": "clips/s", "limit": "limit"}
    return plain("scale-knobs.csv", columns)


TABLES: dict[str, Callable[[], str]] = {
    "stage-costs": stage_costs,
    "scale-check": scale_check,
    "shard-reading": shard_reading,
    "scale-plan": scale_plan,
    "scale-storage": scale_storage,
    "scale-knobs": scale_knobs,
}
