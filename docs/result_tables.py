"""The tables of README and docs by their names, each from the rows of docs/results."""

import statistics
from collections.abc import Callable, Iterable

from result_rows import Row, accuracy, markdown, percent, plain, read, span, top1

DATA_SETS = {"ucf101-10": "10", "jhmdb-21": "21"}
"""Those of the folds, and how many classes each has."""
TOP1 = ("top-1", "right", "clips", "95 %, Wilson", "95 %, by source")


def headline() -> str:
    """The README's table."""
    rows = {
        "`default`: frozen MoViNet-A0, probe": ("default-folds/test",),
        "`best`: frozen I3D and MoViNet-A0, probe": ("best-folds/test",),
        "`mobilenet-bilstm`: MobileNet, fine-tuned, and BiLSTM": ("ucf-grouped/test", "ucf-random/test"),
        "`i3d-bert`: frozen I3D and BERT": ("i3d-bert/test",),
        "`mobilenet-light`: 5 frames of 128 px": ("mobilenet-light/test",),
        "`report-mobilenet-small`, the paper's model": ("small-10/grouped/test", "small-10/random/test"),
        "`demo`: 8 drawn actions": ("demo/grouped/epyc",),
    }
    return markdown(
        ("recipe", "protocol", *TOP1, "leak"),
        [[what, row["protocol"], *top1(row), row["leak"]] for what, ids in rows.items() for row in accuracy(*ids)],
    )


def ten_classes() -> str:
    """MobileNet and a BiLSTM under both protocols."""
    ids = "ucf-grouped/test", "ucf-grouped/test-views-3", "ucf-random/test"
    return markdown(
        ("run", "what", "protocol", *TOP1, "groups", "leak"),
        [[row["run"], row["what"], row["protocol"], *top1(row), row["groups"], row["leak"]] for row in accuracy(*ids)],
    )


def ten_classes_validation() -> str:
    """What validation promised for them."""
    rows = accuracy("ucf-grouped/validation", "ucf-random/validation")
    return markdown(
        ("protocol", "validation", "right", "clips"),
        [[row["protocol"], percent(row), row["correct"], row["clips"]] for row in rows],
    )


def colours() -> str:
    """A look-up that knows no motion."""
    return markdown(
        ("protocol", *TOP1[:4], "leak"),
        [[row["protocol"], *top1(row)[:4], row["leak"]] for row in accuracy("colours/grouped", "colours/random")],
    )


def demo() -> str:
    """The demo's two protocols on two machines."""
    return markdown(
        ("machine", "protocol", *TOP1, "leak"),
        [[row["machine"], row["protocol"], *top1(row), row["leak"]] for row in read("accuracy.csv", experiment="demo")],
    )


def seconds(experiment: str) -> Callable[[], str]:
    """The times of an experiment."""
    columns = {"what": "what", "machine": "machine", "seconds": "seconds", "goal_seconds": "goal"}
    return lambda: plain("seconds.csv", columns, experiment=experiment)


def movinet_probe() -> str:
    """MoViNet-A0 and a probe, as they were before they became the default."""
    (row,) = accuracy("movinet-probe/test")
    return markdown(("what", *TOP1, "leak"), [[row["what"], *top1(row), row["leak"]]])


def best() -> str:
    """I3D and BERT, and the two settings tried on the test part before."""
    ids = "i3d-bert/test", "best-32-every-second-5e-5/test", "best-32-every-second-5e-4/test"
    return markdown(("what", *TOP1, "leak"), [[row["what"], *top1(row), row["leak"]] for row in accuracy(*ids)])


def folds() -> str:
    """Recipes on both data sets, by folds over source groups and by the paper's random division."""
    header = ("data", "classes", "recipe", "protocol", *TOP1, "calibration error", "AUROC, unknown", "CPU-s")
    rows = [
        [
            row["data"],
            row["classes"],
            f"`{row['recipe']}`",
            row["protocol"],
            *top1(row),
            f"{row['calibration_error']} %",
            row["auroc"],
            row["cpu_seconds"],
        ]
        for row in read("folds.csv")
    ]
    return markdown(header, rows)


def folds_seeds() -> str:
    """The default by other divisions into folds, with mean and spread over them."""
    header = ("data", "division", *TOP1[:3], "95 %, by source", "calibration error", "of honest scores")
    lines = []
    for data in DATA_SETS:
        rows = read("folds-seeds.csv", data=data)
        for row in rows:
            honest = f"{row['honest_error']} %" if row["honest_error"] else ""
            cells = percent(row), row["correct"], row["clips"], span(row, "group_low", "group_high")
            lines.append([data, f"seed {row['seed']}", *cells, f"{row['calibration_error']} %", honest])
        shares = [100 * int(row["correct"]) / int(row["clips"]) for row in rows]
        errors = [float(row["calibration_error"]) for row in rows]
        spread = f"{statistics.mean(shares):.1f} ± {statistics.stdev(shares):.1f} %"
        lines.append([data, "mean ± deviation", spread, "", "", "", f"{statistics.mean(errors):.1f} %", ""])
    return markdown(header, lines)


def answers() -> str:
    """Accuracy on both data sets beside what an answer costs, the cheapest first."""
    rows = []
    for row in read("answer-cost.csv"):
        cells = []
        for data, classes in DATA_SETS.items():
            wanted = {"data": data, "classes": classes, "recipe": row["recipe"], "protocol": "5 folds"}
            found = read("folds.csv", **wanted)
            cells += [percent(found[0]), span(found[0], "group_low", "group_high")] if found else ["", ""]
        clock = row["clock_ms"] or "-"
        rows.append([f"`{row['recipe']}`", row["frames"], row["size_px"], row["cpu_ms"], clock, *cells])
    header = ["recipe", "frames", "px", "CPU, ms", "2 cores, ms"]
    for name in DATA_SETS:
        header += [name, "95 %, by source"]
    return markdown(header, rows)


def neighbours() -> str:
    """What others publish of their networks; nothing of it was run here."""
    columns = {
        "network": "network",
        "data": "tested on",
        "top1": "top-1, % (published)",
        "gflops_a_view": "GFLOPs a view",
        "views": "views",
        "published_in": "published in",
    }
    return plain("neighbours.csv", columns)


def i3d_cross_validation() -> str:
    """How its settings were compared."""
    return plain(
        "i3d-cross-validation.csv",
        {
            "frames": "frames",
            "on_features": "on the features",
            "label_smoothing": "label smoothing",
            "correct": "right",
            "clips": "clips",
            "cross_entropy": "cross-entropy",
        },
    )


def trade_off() -> str:
    """Accuracy of each recipe on the test part."""
    ids = (f"{run}/test" for run in ("mobilenet-light", "mobilenet-bilstm", "modern", "i3d-bert", "ensemble-two"))
    return markdown(("run", "what", *TOP1), [[f"`{row['run']}`", row["what"], *top1(row)] for row in accuracy(*ids)])


def cost() -> str:
    """What each of them costs."""
    columns = {
        "run": "run",
        "training_minutes": "training, min",
        "parameters_millions": "parameters, M",
        "gflops_per_clip": "GFLOPs a clip",
        "file_to_answer_ms": "file to answer, ms",
        "note": "note",
    }
    rows = [row for row in read("cost.csv") if not row["run"].startswith("frames-")]
    return markdown(list(columns.values()), [[row[key] for key in columns] for row in rows])


def trade_off_validation() -> str:
    """The validation part of the same runs."""
    return _validation(
        f"{run}/validation"
        for run in ("mobilenet-light", "mobilenet-bilstm", "modern", "i3d-bert", "mobilenet-bilstm-bf16")
    )


def bf16() -> str:
    """Two recipes trained in bf16."""
    rows = accuracy("mobilenet-bilstm-bf16/test", "modern-bf16/test")
    return markdown(("run", *TOP1[:4]), [[row["what"], *top1(row)[:4]] for row in rows])


def frames() -> str:
    """More frames, for both samplers."""
    prices = {row["run"]: row for row in read("cost.csv")}
    return markdown(
        ("sampler", "frames", *TOP1, "GFLOPs a clip", "file to answer, ms"),
        [
            [kind, count, *top1(row), prices[row["run"]]["gflops_per_clip"], prices[row["run"]]["file_to_answer_ms"]]
            for kind in ("uniform", "dense")
            for count in ("5", "8", "16", "32", "64")
            for row in accuracy(f"frames-{kind}-{count}/test")
        ],
    )


def gains(*ensembles: str) -> Callable[[], str]:
    """What ensembles gain, clip by clip."""
    return lambda: markdown(
        ("run", "protocol", "against", "gain, points", "95 %, paired by source", "repaired", "broken"),
        [
            [
                *(row["ensemble"], row["protocol"], row["against"], row["gain_points"]),
                *(span(row, "low", "high"), row["repaired"], row["broken"]),
            ]
            for row in read("gains.csv")
            if row["ensemble"] in ensembles
        ],
    )


def calibration() -> str:
    """How far scores are off before and after calibration."""
    columns = {
        "run": "run",
        "error_percent": "calibration error, %",
        "error_percent_calibrated": "the same, calibrated, %",
    }
    return plain("calibration.csv", columns)


def reproduction(protocol: str) -> Callable[[], str]:
    """The paper's experiments on test clips."""

    def table() -> str:
        reported = {row["run"]: row["reported"] for row in read("reported.csv")}
        rows = [row for row in _reproduced(protocol) if row["part"] == "test"]
        return markdown(
            ("run", "experiment", "reported", *TOP1, "leak", "machine"),
            [
                [f"`{row['run']}`", row["what"], reported[row["run"]], *top1(row), row["leak"], row["machine"]]
                for row in rows
            ],
        )

    return table


def reproduction_validation() -> str:
    """The paper's experiments on validation clips, both protocols."""
    rows = [*_reproduced("random"), *_reproduced("grouped")]
    return _validation(row["id"] for row in rows if row["part"] == "validation")


def _reproduced(protocol: str) -> list[Row]:
    rows = read("accuracy.csv", experiment="reproduction", protocol=protocol)
    if protocol == "grouped":
        rows += accuracy("mobilenet-bilstm/test", "mobilenet-bilstm/validation")
    return rows


def _validation(ids: Iterable[str]) -> str:
    rows = accuracy(*ids)
    return markdown(
        ("run", "protocol", "validation", "right", "clips", "95 %, Wilson", "kept epoch", "epochs"),
        [
            [
                *(f"`{row['run']}`", row["protocol"], percent(row), row["correct"], row["clips"]),
                *(span(row, "wilson_low", "wilson_high"), row["epoch"], row["epochs"]),
            ]
            for row in rows
        ],
    )


def sweep_l2() -> str:
    """Four weights of the L2 penalty."""
    rows = read("sweep-l2.csv")
    return markdown(
        ("trial", "model.l2", "validation", "right", "clips", "loss", "best epoch", "epochs", "seconds"),
        [
            [
                *(row["trial"], row["l2"], percent(row), row["correct"], row["clips"]),
                *(row["loss"], row["best_epoch"], row["epochs"], row["seconds"]),
            ]
            for row in rows
        ],
    )


def geometry(data: str, encoder: str) -> Callable[[], str]:
    """How clips are best shown to an encoder."""
    return lambda: markdown(
        (
            *("fit", "px", "frames", "which", "views", "averaged", "top-1", "right", "clips", "95 %, by source"),
            *("gain, points", "95 %, paired by source", "cross-entropy", "read, ms", "encode, ms"),
        ),
        [
            [
                *(row["fit"], row["size_px"], row["frames"], _which(row), row["views"], row["averaged"]),
                *(percent(row), row["correct"], row["clips"], span(row, "group_low", "group_high")),
                *(row["gain_points"], span(row, "gain_low", "gain_high"), row["cross_entropy"]),
                *(row["read_ms"], row["encode_ms"]),
            ]
            for row in read("geometry.csv", data=data, encoder=encoder)
        ],
    )


def _which(row: Row) -> str:
    """The frames that a sampler takes, in words."""
    if row["sampler"] == "uniform":
        return "over the clip"
    step = row["step"]
    return f"{step.removesuffix('/s')} a second" if step.endswith("/s") else f"middle, step {step}"


def heads(experiment: str) -> Callable[[], str]:
    """Accuracy of temporal heads."""
    return lambda: markdown(
        ("head", "its parameters", *TOP1),
        [[row["head"], f"{int(row['parameters']):,}", *top1(row)] for row in read("heads.csv", experiment=experiment)],
    )


def heads_pairs(experiment: str) -> Callable[[], str]:
    """How often the right one of a mirrored pair was named."""
    return lambda: markdown(
        ("head", "right one of a pair", "right", "named one of the pair", "95 %, Wilson"),
        [
            [
                *(row["head"], percent(row, "pair_correct", "pair_named"), row["pair_correct"], row["pair_named"]),
                span(row, "pair_low", "pair_high"),
            ]
            for row in read("heads.csv", experiment=experiment)
        ],
    )


def heads_seeds() -> str:
    """Accuracy of each of three seeds."""
    rows = read("heads.csv", experiment="heads-three-seeds")
    titles = ("head", "seed 0, %", "seed 1, %", "seed 2, %")
    return markdown(titles, [[row["head"], *row["percent_by_seed"].split()] for row in rows])


def heads_frozen(*sets: str) -> Callable[[], str]:
    """Heads on the same frozen features, by folds."""

    def table() -> str:
        rows = [row for name in sets for row in read("heads-frozen.csv", set=name)]
        with_pairs = any(row["pair_named"] for row in rows)
        titles = ("features", "head", "reads", "its parameters", *TOP1, "each seed, %")
        return markdown(
            (*titles, "right one of a pair") if with_pairs else titles,
            [
                [
                    *(row["set"], f"`{row['head']}`", row["input"], f"{int(row['parameters']):,}"),
                    *(*top1(row), row["percent_by_seed"]),
                    *([percent(row, "pair_correct", "pair_named")] if with_pairs else []),
                ]
                for row in rows
            ],
        )

    return table


def bert_settings() -> str:
    """Settings of BERT on MoViNet's steps, by folds inside a training part."""
    columns = {
        "set": "features",
        "position_std": "first positions",
        "input_dropout": "dropout on its input",
        "dropout": "before the scores",
        "learning_rate": "learning rate",
        "weight_decay": "weight decay",
        "also": "also",
        "correct": "right",
        "clips": "clips",
    }
    return plain("bert-settings.csv", columns)


def heads_choice() -> str:
    """Settings of BERT, by validation."""
    columns = {"setting": "setting of BERT", "percent": "validation, %", "epoch_note": "when"}
    return plain("heads-validation.csv", columns, experiment="heads-seed-0")


def heads_real_validation() -> str:
    """The heads on the validation part of real clips."""
    columns = {"head": "head", "correct": "right at the kept epoch", "clips": "clips"}
    return plain("heads-validation.csv", columns, experiment="heads-real")


def choosing_default() -> str:
    """How the recipe mobilenet-bilstm was chosen."""
    return plain("choosing-default.csv", {"setting": "setting", "folds": "folds", "percent": "right, %"})


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


def frozen_accuracy() -> str:
    """Accuracy with and without kept features."""
    rows = accuracy("frozen-10/grouped/test", "frozen-10/grouped/test/xeon")
    return markdown(("what", "machine", *TOP1[:4]), [[row["what"], row["machine"], *top1(row)[:4]] for row in rows])


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
        (
            *("part", "hours of video", "minutes", "times real time", "MB after a minute", "MB at the end"),
            *("most MB", "load"),
        ),
        [
            [
                *(row["part"], row["hours"], row["minutes"], row["times_real_time"], row["early_mb"], row["end_mb"]),
                *(row["most_mb"], row["load"]),
            ]
            for row in read("long-videos-hours.csv")
        ],
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


def memory(*wanted: str) -> Callable[[], str]:
    """Resident memory."""
    return lambda: markdown(
        ("what", "MB", "goal, MB"),
        [[row["what"], row["mb"], row["goal_mb"]] for row in read("memory.csv") if row["experiment"] in wanted],
    )


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
    "headline": headline,
    "ten-classes": ten_classes,
    "ten-classes-validation": ten_classes_validation,
    "colours": colours,
    "demo": demo,
    "demo-seconds": seconds("demo"),
    "help-seconds": seconds("help"),
    "report-page-seconds": seconds("report-page"),
    "best-seconds": seconds("best"),
    "ten-classes-seconds": seconds("ten-classes"),
    "best": best,
    "movinet-probe": movinet_probe,
    "folds": folds,
    "i3d-cross-validation": i3d_cross_validation,
    "trade-off": trade_off,
    "trade-off-validation": trade_off_validation,
    "cost": cost,
    "bf16": bf16,
    "frames": frames,
    "gains-two": gains("ensemble-two"),
    "gains-reproduction": gains("ensemble-10", "ensemble-modern", "ensemble-weighted"),
    "gains-frozen": gains("frozen-10 (xeon)"),
    "calibration": calibration,
    "reproduction-random": reproduction("random"),
    "reproduction-grouped": reproduction("grouped"),
    "reproduction-validation": reproduction_validation,
    "sweep-l2": sweep_l2,
    "geometry-movinet-jhmdb": geometry("jhmdb-21", "movinet_a0"),
    "geometry-movinet-ucf": geometry("ucf101-10", "movinet_a0"),
    "geometry-i3d-jhmdb": geometry("jhmdb-21", "i3d"),
    "heads-seed-0": heads("heads-seed-0"),
    "heads-seed-0-pairs": heads_pairs("heads-seed-0"),
    "heads-three-seeds": heads("heads-three-seeds"),
    "heads-three-seeds-pairs": heads_pairs("heads-three-seeds"),
    "heads-seeds": heads_seeds,
    "heads-choice": heads_choice,
    "folds-seeds": folds_seeds,
    "bert-settings": bert_settings,
    "answers": answers,
    "neighbours": neighbours,
    "heads-frozen": heads_frozen("ucf101-10", "jhmdb-21"),
    "heads-frozen-demo": heads_frozen("demo", "demo-frames"),
    "heads-real": heads("heads-real"),
    "heads-real-validation": heads_real_validation,
    "choosing-default": choosing_default,
    "reading": reading,
    "decoding-avi": decoding("AVI"),
    "decoding-mp4": decoding("MP4"),
    "training-step": training_step,
    "frozen-encoders": frozen_encoders,
    "frozen-accuracy": frozen_accuracy,
    "later-epochs": later_epochs,
    "waiting": waiting,
    "inference": inference,
    "long-videos": long_videos,
    "long-videos-cost": long_videos_cost,
    "long-videos-hours": long_videos_hours,
    "stage-costs": stage_costs,
    "scale-check": scale_check,
    "shard-reading": shard_reading,
    "scale-plan": scale_plan,
    "scale-storage": scale_storage,
    "scale-knobs": scale_knobs,
    "live": live,
    "live-events": live_events,
    "memory-epochs": memory("memory-epochs"),
    "memory": memory("memory-clips", "memory-chunks"),
}
