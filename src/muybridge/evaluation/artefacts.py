"""The files an evaluation leaves in a folder.

predictions.csv (all that the other figures are computed from), per_class.csv, confusion_matrix.png and
evaluation.json.
"""

import csv
from pathlib import Path

from muybridge.evaluation.evaluation import Evaluation, class_row
from muybridge.evaluation.plots import plot_confusion
from muybridge.evaluation.predictions import Predictions
from muybridge.files import replacing, write_json


def write_evaluation(folder: Path, predictions: Predictions, evaluation: Evaluation) -> None:
    """Write the files of an evaluation to ``folder``, each whole or not at all; evaluation.json comes last.

    So where evaluation.json stands, the other files stand beside it.
    """
    predictions.write_csv(folder / "predictions.csv")
    _write_per_class(folder / "per_class.csv", evaluation)
    plot_confusion(evaluation.confusion, evaluation.classes, folder / "confusion_matrix.png")
    write_json(folder / "evaluation.json", evaluation.to_dict())


def _write_per_class(path: Path, evaluation: Evaluation) -> None:
    rows = [class_row(metrics) for metrics in evaluation.per_class]
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
