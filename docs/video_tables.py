"""Tables of long videos and of streams."""

from collections.abc import Callable

from result_rows import markdown, read, span


def long_videos() -> str:
    """Timelines of videos made of held-out clips."""
    return markdown(
        (
            *("clips", "way", "videos", "F1@50, %", "least to most", "F1@25", "F1@10", "frames right, %", "edit"),
            *("mAP 0.3-0.7", "borders, s", "false alarms an hour"),
        ),
        [
            [
                *(row["data"], row["way"], row["videos"], row["f1_50"], span(row, "f1_50_least", "f1_50_most")),
                *(row["f1_25"], row["f1_10"], row["frame_accuracy"], row["edit"], row["mean_ap"]),
                *(row["border_seconds_median"], row["false_alarms_an_hour"]),
            ]
            for row in read("long-videos.csv")
        ],
    )


def long_videos_cost() -> str:
    """What timelines cost."""
    return markdown(
        (
            *("picture", "looked at, a second", "minutes", "times real time", "processor, s a minute"),
            *("network, ms a frame", "peak MB", "load"),
        ),
        [
            [
                *(f"{row['width_px']}x{row['height_px']}", row["frames_per_second"], row["minutes"]),
                *(row["times_real_time"], row["cpu_seconds_a_minute"], row["network_ms_a_frame"], row["peak_mb"]),
                row["load"],
            ]
            for row in read("long-videos-cost.csv")
        ],
    )


def long_videos_hours() -> str:
    """Memory of a timeline of many hours."""
    return markdown(
        ("hour of the video", "part", "MB, median", "most MB"),
        [[row["hour"], row["part"], row["median_mb"], row["most_mb"]] for row in read("long-videos-hours.csv")],
    )


def live() -> str:
    """What watching a stream costs, and how late it answers."""
    return markdown(
        (
            *("stream", "minutes", "frames/s", "looked at", "dropped", "latency p50, ms", "p95, ms"),
            *("processor, cores", "MB after a minute", "MB at the end", "load"),
        ),
        [
            [
                *(row["stream"], row["minutes"], row["frames_per_second"], row["looked_at"], row["dropped"]),
                *(row["latency_p50_ms"], row["latency_p95_ms"], row["processor_cores"], row["early_mb"]),
                *(row["end_mb"], row["load"]),
            ]
            for row in read("live.csv")
        ],
    )


def live_events() -> str:
    """Events of watching against timelines."""
    return markdown(
        ("way", "videos", "F1 at 50 % overlap, mean", "border, s, median", "told after, s, median", "p95"),
        [
            [
                *(row["way"], row["videos"], row["f1_50"], row["border_seconds"]),
                *(row["told_after_median"], row["told_after_p95"]),
            ]
            for row in read("live-events.csv")
        ],
    )


TABLES: dict[str, Callable[[], str]] = {
    "long-videos": long_videos,
    "long-videos-cost": long_videos_cost,
    "long-videos-hours": long_videos_hours,
    "live": live,
    "live-events": live_events,
}
