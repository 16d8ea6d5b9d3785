"""Pictures are judged by the marks in the SVG file: every name, number and line that must be there."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from muybridge.evaluation.intervals import wilson
from muybridge.evaluation.metrics import Calibration, ClassMetrics, calibration, per_class
from muybridge.evaluation.plots import plot_confusion, plot_curves, plot_per_class, plot_reliability
from muybridge.inference.predictions import ClipPrediction, Predictions


def texts(path: Path) -> list[str]:
    found = re.findall(r"<text[^>]*>(.*?)</text>", path.read_text("utf-8"), flags=re.DOTALL)
    return [re.sub(r"<[^>]*>", "", text).strip() for text in found]


def rows(epochs: int) -> list[dict[str, object]]:
    return [
        {
            "epoch": epoch,
            "train_loss": 2 / (epoch + 1),
            "train_accuracy": epoch / epochs,
            "validation_loss": 2.2 / (epoch + 1),
            "validation_accuracy": [0.25, 0.5, 0.75, 0.5][epoch % 4],
            "learning_rate": 3e-4,
        }
        for epoch in range(epochs)
    ]


def test_curves_mark_the_first_best_epoch(tmp_path: Path) -> None:
    plot_curves(rows(8), tmp_path / "curves.svg", monitor="accuracy")
    assert "kept: epoch 2, 75.0 %" in texts(tmp_path / "curves.svg")
    assert {"Loss", "Accuracy, %", "training", "validation"} <= set(texts(tmp_path / "curves.svg"))


def test_curves_mark_the_last_epoch_where_that_is_kept(tmp_path: Path) -> None:
    plot_curves(rows(8), tmp_path / "curves.svg", monitor="last")
    assert "kept: epoch 7, 50.0 %" in texts(tmp_path / "curves.svg")


def test_curves_take_rows_as_a_csv_reader_gives_them(tmp_path: Path) -> None:
    as_text = [{key: str(value) for key, value in row.items()} for row in rows(4)]
    plot_curves(rows(4), tmp_path / "numbers.svg")
    plot_curves(as_text, tmp_path / "texts.svg")
    assert (tmp_path / "numbers.svg").read_bytes() == (tmp_path / "texts.svg").read_bytes()


@pytest.mark.parametrize("absent", ["", None, float("nan")])
def test_curves_without_validation_have_no_best_epoch(tmp_path: Path, absent: object) -> None:
    partial = [
        {"epoch": row["epoch"], "train_loss": row["train_loss"], "validation_accuracy": absent} for row in rows(3)
    ]
    plot_curves(partial, tmp_path / "curves.svg")
    assert not any("best" in text for text in texts(tmp_path / "curves.svg"))
    assert "validation" not in texts(tmp_path / "curves.svg")


def test_curves_of_one_epoch_count_in_whole_epochs(tmp_path: Path) -> None:
    plot_curves([{"epoch": 7, "train_loss": 2.0}], tmp_path / "curves.svg")
    shown = texts(tmp_path / "curves.svg")
    assert shown.count("7") == 3
    assert "7.2" not in shown


def test_curves_need_an_epoch(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no epochs"):
        plot_curves([], tmp_path / "curves.svg")


@pytest.mark.parametrize("count", [1, 2, 10, 20])
def test_confusion_of_few_classes_shows_names_and_counts(tmp_path: Path, count: int) -> None:
    matrix = np.zeros((count, count + 1), dtype=np.int64)
    matrix[np.arange(count), np.arange(count)] = np.arange(count) + 1000
    names = [f"class {index}" for index in range(count)]
    plot_confusion(matrix, names, tmp_path / "confusion.svg")
    shown = texts(tmp_path / "confusion.svg")
    for index, name in enumerate(names):
        assert shown.count(name) == 2  # once per side
        assert shown.count(str(1000 + index)) == 1
    assert "(undecodable)" not in shown


def test_confusion_of_many_classes_shows_names_and_no_counts(tmp_path: Path) -> None:
    matrix = np.zeros((51, 52), dtype=np.int64)
    matrix[:, 0] = 1000
    matrix[7, -1] = 3
    names = [f"class {index}" for index in range(51)]
    plot_confusion(matrix, names, tmp_path / "confusion.svg")
    shown = texts(tmp_path / "confusion.svg")
    assert all(shown.count(name) == 2 for name in names)
    assert "1000" not in shown
    assert shown.count("(undecodable)") == 1


def test_pictures_of_hundreds_of_classes_stay_of_a_readable_size(tmp_path: Path) -> None:
    count = 300
    matrix = np.zeros((count, count + 1), dtype=np.int64)
    matrix[np.arange(count), np.arange(count)] = 5
    matrix[123, 234] = 2
    plot_confusion(matrix, [f"class {index}" for index in range(count)], tmp_path / "confusion.svg")
    shown = texts(tmp_path / "confusion.svg")
    assert shown.count("class 123") == shown.count("class 234") == 2
    assert "The 40 of 300 classes with the most mistakes" in shown
    assert shown.count("(other classes)") == 1
    metrics = [ClassMetrics(f"class {n}", 300, n, n, 0, wilson(n, 300, 0.95)) for n in range(count)]
    plot_per_class(metrics, tmp_path / "per_class.svg")
    shown = texts(tmp_path / "per_class.svg")
    assert {"class 0 (300)", "class 44 (300)", "class 285 (300)", "class 299 (300)"} <= set(shown)
    assert not {"class 45 (300)", "class 284 (300)"} & set(shown)
    for name in ("confusion.svg", "per_class.svg"):
        points = re.search(r'height="([\d.]+)pt"', (tmp_path / name).read_text("utf-8"))
        assert points is not None
        assert float(points[1]) < 72 * 14


def test_the_diagonal_of_a_confusion_matrix_is_outlined(tmp_path: Path) -> None:
    plot_confusion(np.eye(3, 4, dtype=np.int64), ["a", "b", "c"], tmp_path / "confusion.svg")
    assert (tmp_path / "confusion.svg").read_text("utf-8").lower().count("stroke: #d55e00") == 3


def test_difficult_class_names_are_drawn(tmp_path: Path) -> None:
    names = ["cost $5 or $6", "<b>&", "手を振る", "x" * 30 + "left", "x" * 30 + "right", "a\udcffb"]
    plot_confusion(np.ones((6, 7), dtype=np.int64), names, tmp_path / "confusion.svg")
    shown = texts(tmp_path / "confusion.svg")
    assert shown.count("cost $5 or $6") == 2
    assert shown.count("&lt;b&gt;&amp;") == 2
    assert shown.count("手を振る") == 2
    assert sum(text.endswith("left") for text in shown) == sum(text.endswith("right") for text in shown) == 2
    assert shown.count(r"a\xffb") == 2


def test_confusion_refuses_a_matrix_of_another_shape(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        plot_confusion(np.ones((2, 2), dtype=np.int64), ["a", "b"], tmp_path / "confusion.png")


def test_png_is_a_picture_and_a_failure_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "confusion.png"
    plot_confusion(np.array([[5, 0, 0], [0, 5, 0]]), ["a", "b"], path)
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape[0] > 300
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plot_confusion(np.array([[1, 0, 0], [0, 1, 0]]), ["a", "b"], path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def measured() -> Predictions:
    rng = np.random.default_rng(0)
    clips = []
    for index in range(40):
        score = rng.uniform(0.5, 1)
        clips.append(ClipPrediction(str(index), "x", "ab"[index % 2], None, np.array([score, 1 - score, 0])))
    return Predictions(("a", "b", "empty"), tuple(clips))


def test_per_class_puts_the_best_on_top_and_leaves_out_the_empty(tmp_path: Path) -> None:
    plot_per_class(per_class(measured()), tmp_path / "per_class.svg")
    shown = texts(tmp_path / "per_class.svg")
    assert shown.index("b (20)") < shown.index("a (20)")  # drawn from the bottom up: a has 100 %, b 0 %
    assert not any(text.startswith("empty") for text in shown)
    with pytest.raises(ValueError, match="no class"):
        plot_per_class(per_class(Predictions(("a",), ())), tmp_path / "none.svg")


def test_reliability_shows_the_error(tmp_path: Path) -> None:
    measure = calibration(measured())
    assert measure.error is not None
    plot_reliability(measure, tmp_path / "reliability.svg")
    assert f"Calibration (expected error {100 * measure.error:.1f} %)" in texts(tmp_path / "reliability.svg")
    with pytest.raises(ValueError, match="nothing to draw"):
        plot_reliability(Calibration(None, ()), tmp_path / "none.svg")
