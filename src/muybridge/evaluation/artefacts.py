"""The files an evaluation leaves in a folder.

predictions.csv (all that the other figures are computed from), per_class.csv, confusion_matrix.png and
evaluation.json.
"""

from pathlib import Path

from muybridge.evaluation.evaluation import Evaluation, class_row
from muybridge.evaluation.plots import plot_confusion
from muybridge.evaluation.run_accuracy import EVALUATION_FILE
from muybridge.files import write_json, write_rows
from muybridge.inference.predictions import Predictions


def write_evaluation(folder: Path, predictions: Predictions, evaluation: Evaluation) -> None:
    """Write the files of an evaluation to ``folder``, each whole or not at all; evaluation.json comes last.

    So where evaluation.json is, the other files are, too.
    """
    predictions.write_csv(folder / "predictions.csv")
    write_rows(folder / "per_class.csv", [class_row(metrics) for metrics in evaluation.per_class])
    plot_confusion(evaluation.confusion, evaluation.classes, folder / "confusion_matrix.png")
    write_json(folder / EVALUATION_FILE, evaluation.to_dict())
