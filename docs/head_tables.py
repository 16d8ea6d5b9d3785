"""Tables of heads over time, and of how they were chosen."""

from collections.abc import Callable

from result_rows import TOP1, markdown, percent, plain, read, span, top1


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


TABLES: dict[str, Callable[[], str]] = {
    "heads-seed-0": heads("heads-seed-0"),
    "heads-seed-0-pairs": heads_pairs("heads-seed-0"),
    "heads-three-seeds": heads("heads-three-seeds"),
    "heads-three-seeds-pairs": heads_pairs("heads-three-seeds"),
    "heads-seeds": heads_seeds,
    "heads-choice": heads_choice,
    "bert-settings": bert_settings,
    "heads-frozen": heads_frozen("ucf101-10", "jhmdb-21"),
    "heads-frozen-demo": heads_frozen("demo", "demo-frames"),
    "heads-real": heads("heads-real"),
    "heads-real-validation": heads_real_validation,
    "choosing-default": choosing_default,
}
