"""Tables of accuracy, and of what it costs."""

import statistics
from collections.abc import Callable, Iterable

from result_rows import DATA_SETS, TOP1, Row, accuracy, markdown, percent, plain, read, span, top1


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
    """Recipes by other divisions into folds, with mean and spread over them."""
    header = ("data", "recipe", "division", *TOP1[:3], "95 %, by source", "calibration error", "of honest scores")
    lines = []
    for data in DATA_SETS:
        for recipe in ("default", "best"):
            rows = read("folds-seeds.csv", data=data, recipe=recipe)
            for row in rows:
                cells = percent(row), row["correct"], row["clips"], span(row, "group_low", "group_high")
                errors = f"{row['calibration_error']} %", f"{row['honest_error']} %"
                lines.append([data, f"`{recipe}`", f"seed {row['seed']}", *cells, *errors])
            shares = [100 * int(row["correct"]) / int(row["clips"]) for row in rows]
            spread = f"{statistics.mean(shares):.1f} ± {statistics.stdev(shares):.1f} %"
            error = f"{statistics.mean(float(row['calibration_error']) for row in rows):.1f} %"
            lines.append([data, f"`{recipe}`", "mean ± deviation", spread, "", "", "", error, ""])
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


def frozen_accuracy() -> str:
    """Accuracy with and without kept features."""
    rows = accuracy("frozen-10/grouped/test", "frozen-10/grouped/test/xeon")
    return markdown(("what", "machine", *TOP1[:4]), [[row["what"], row["machine"], *top1(row)[:4]] for row in rows])


TABLES: dict[str, Callable[[], str]] = {
    "headline": headline,
    "ten-classes": ten_classes,
    "ten-classes-validation": ten_classes_validation,
    "colours": colours,
    "demo": demo,
    "best": best,
    "movinet-probe": movinet_probe,
    "folds": folds,
    "i3d-cross-validation": i3d_cross_validation,
    "trade-off": trade_off,
    "trade-off-validation": trade_off_validation,
    "cost": cost,
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
    "folds-seeds": folds_seeds,
    "answers": answers,
    "neighbours": neighbours,
    "frozen-accuracy": frozen_accuracy,
}
