import re

import pytest

from muybridge.recipes.recipe import Recipe
from muybridge.verbs.sweep.picture import plot_sweep
from muybridge.verbs.sweep.results import SweepTrial
from muybridge.verbs.sweep.space import parse_space

OPTIONS = parse_space(["training.learning_rate=1e-4..1e-1", "model.head_widths=[256,128],[64]"], Recipe()).options
VALUES = [(1e-4, "[64]"), (1e-3, "[256, 128]"), (1e-2, "[64]"), (2e-2, "[64]"), (1e-1, "[64]")]
FIGURES = [
    ("finished", 0.8, 0.6),
    ("finished", 0.9, 0.4),
    ("pruned", 0.75, 0.7),
    ("pruned", 0.1, 1e9),
    ("diverged", None, None),
]


def trials() -> list[SweepTrial]:
    keys = [option.key for option in OPTIONS]
    return [
        SweepTrial(number, dict(zip(keys, values, strict=True)), state, accuracy, loss, 1, 4, 1.0)
        for number, (values, (state, accuracy, loss)) in enumerate(zip(VALUES, FIGURES, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("monitor", "expected"),
    [
        ("loss", ["validation loss", "stopped early", "stopped early, above the axis"]),
        ("accuracy", ["validation accuracy, %", "stopped early, below the axis", "95 % interval of the best"]),
    ],
)
def test_the_picture_names_what_it_shows(make_result, tmp_path, monitor, expected):
    plot_sweep(make_result(*trials(), monitor=monitor), OPTIONS, tmp_path / "sweep.svg")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", (tmp_path / "sweep.svg").read_text())
    for text in [*expected, "training.learning_rate", "model.head_widths", "[256, 128]", "finished", "best"]:
        assert text in texts, text


def test_more_options_than_columns(make_result, tmp_path):
    over = [
        "model.dropout=0,0.2",
        "size_px=32,64",
        "augment.flip=true,false",
        "sampler.frames=4,8",
        "augment.zoom=0,0.1",
    ]
    options = parse_space(over, Recipe()).options
    values = {option.key: next(iter(option.values)) for option in options}
    plot_sweep(make_result(SweepTrial(1, values, "finished", 1.0, 0.0, 1, 4, 1.0)), options, tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
