"""Tables of seconds and megabytes."""

from collections.abc import Callable

from result_rows import TOP1, accuracy, markdown, plain, read, span, top1


def seconds(experiment: str) -> Callable[[], str]:
    """The times of an experiment."""
    columns = {"what": "what", "machine": "machine", "seconds": "seconds", "goal_seconds": "goal"}
    return lambda: plain("seconds.csv", columns, experiment=experiment)


def bf16() -> str:
    """Two recipes trained in bf16."""
    rows = accuracy("mobilenet-bilstm-bf16/test", "modern-bf16/test")
    return markdown(("run", *TOP1[:4]), [[row["what"], *top1(row)[:4]] for row in rows])


def reading() -> str:
    """A clip from the cache and decoded again."""
    rows = read("reading.csv")
    return markdown(
        ("epoch", "frames from", "CPU time, ms", "10 to 90 %"),
        [[row["epoch"], row["way"], row["ms"], span(row, "low_10", "high_90")] for row in rows],
    )


def decoding(kind: str) -> Callable[[], str]:
    """Ways to decode."""
    return lambda: markdown(
        ("way", "frames", "clips per CPU second", "10 to 90 %", "ours is, times", "10 to 90 % "),
        [
            [
                *(row["way"], row["frames"], row["clips_per_cpu_second"], span(row, "low_10", "high_90")),
                *(row["ours_is"], span(row, "ours_low_10", "ours_high_90")),
            ]
            for row in read("decoding.csv", format=kind)
        ],
    )


def training_step() -> str:
    """A step against Keras."""
    return markdown(
        (
            "frames",
            "ours in",
            "ours, ms",
            "10 to 90 %",
            "Keras, ms",
            "10 to 90 % ",
            "ratio",
            "its range",
            "by CPU time",
        ),
        [
            [
                *(row["frames"], row["precision"], row["ours_ms"], span(row, "ours_low", "ours_high")),
                *(row["keras_ms"], span(row, "keras_low", "keras_high"), row["ratio"]),
                *(span(row, "ratio_low", "ratio_high"), row["ratio_cpu"]),
            ]
            for row in read("training-step.csv")
        ],
    )


def frozen_encoders() -> str:
    """What encoding once saves."""
    return markdown(
        ("what learns", "kept per clip", "encoding, s", "in", "an epoch, s", "10 to 90 %", "without, s", "times"),
        [
            [
                *(row["learns"], row["cached_per_clip"], row["encoding_seconds"], row["encoding_precision"]),
                *(row["epoch_seconds"], span(row, "epoch_low", "epoch_high")),
                *(row["epoch_seconds_without"], row["times"]),
            ]
            for row in read("frozen-encoders.csv")
        ],
    )


def later_epochs() -> str:
    """A clip in the second epoch."""
    return markdown(
        ("way", "ms", "10 to 90 %", "times as fast", "in an earlier run"),
        [
            [row["way"], row["ms"], span(row, "low_10", "high_90"), row["times"], row["times_in_an_earlier_run"]]
            for row in read("later-epochs.csv")
        ],
    )


def waiting() -> str:
    """Where a step's time goes."""
    return markdown(
        (
            *("recipe", "frames", "px", "a step, ms", "10 to 90 %", "waiting, %", "forward, %", "backward, %"),
            *("GFLOP/s", "of the peak, %"),
        ),
        [
            [
                *(row["recipe"], row["frames"], row["size_px"], row["step_ms"], span(row, "low_10", "high_90")),
                *(row["waiting_percent"], row["forward_percent"], row["backward_percent"]),
                *(row["gflops_per_second"], row["peak_percent"]),
            ]
            for row in read("waiting.csv")
        ],
    )


def inference() -> str:
    """Engines."""
    return markdown(
        (
            *("engine", "a clip, ms", "10 to 90 %", "times torch", "right", "clips", "answers changed"),
            *("file to answer, ms", "folder, clips/s", "cores busy"),
        ),
        [
            [
                *(row["engine"], row["ms"], span(row, "low_10", "high_90"), row["times_torch"], row["correct"]),
                *(row["clips"], row["changed"], row["file_to_answer_ms"], row["folder_clips_per_second"]),
                row["busy_cores"],
            ]
            for row in read("inference.csv")
        ],
    )


def memory(*wanted: str) -> Callable[[], str]:
    """Resident memory."""
    return lambda: markdown(
        ("what", "MB", "goal, MB"),
        [[row["what"], row["mb"], row["goal_mb"]] for row in read("memory.csv") if row["experiment"] in wanted],
    )


TABLES: dict[str, Callable[[], str]] = {
    "demo-seconds": seconds("demo"),
    "help-seconds": seconds("help"),
    "report-page-seconds": seconds("report-page"),
    "best-seconds": seconds("best"),
    "ten-classes-seconds": seconds("ten-classes"),
    "bf16": bf16,
    "reading": reading,
    "decoding-avi": decoding("AVI"),
    "decoding-mp4": decoding("MP4"),
    "training-step": training_step,
    "frozen-encoders": frozen_encoders,
    "later-epochs": later_epochs,
    "waiting": waiting,
    "inference": inference,
    "memory-epochs": memory("memory-epochs"),
    "memory": memory("memory-clips", "memory-chunks"),
}
