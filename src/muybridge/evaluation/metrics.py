"""Metrics of a set of predictions, in which a clip that could not be decoded counts as wrong.

Written in numpy and not with torchmetrics, for three reasons: undecodable clips need a column of their own in
the confusion matrix and a place in every denominator; the calibration diagram needs the bins and not only
their sum; and an empty class must come out as "undefined", not as 0. The tests hold these functions against
torchmetrics.

Legend: N clips, K classes, M bins.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muybridge.evaluation.intervals import Interval, wilson
from muybridge.inference.predictions import Predictions
from muybridge.inference.probabilities import SMALLEST_PROBABILITY
from muybridge.text import percent

_HONEST_DRAWS = 400


@dataclass(frozen=True)
class ClassMetrics:
    """How one class fared. A share with nothing in its denominator is None.

    Attributes:
        name: the class.
        clips: its clips, undecodable ones included.
        correct: those classified as this class.
        predicted: clips of any class classified as this class.
        undecodable: its clips that could not be decoded.
        interval: Wilson interval of the accuracy; None without clips.
    """

    name: str
    clips: int
    correct: int
    predicted: int
    undecodable: int
    interval: Interval | None

    @property
    def accuracy(self) -> float | None:
        """Share of the class's clips that were classified correctly."""
        return self.correct / self.clips if self.clips else None

    @property
    def recall(self) -> float | None:
        """Another name for the accuracy of a class."""
        return self.accuracy

    @property
    def precision(self) -> float | None:
        """Share of the clips classified as this class that belong to it."""
        return self.correct / self.predicted if self.predicted else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return 2 * self.correct / (self.clips + self.predicted) if self.clips + self.predicted else None


@dataclass(frozen=True)
class CalibrationBin:
    """The clips whose score lies in ``(low, high]``: how many, their mean score, and the share correct.

    ``confidence`` and ``accuracy`` are None in an empty bin.
    """

    low: float
    high: float
    clips: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """Whether a score of 0.8 is right 8 times in 10, over the clips that could be decoded.

    Attributes:
        error: expected calibration error, 0 (honest scores) to 1; None without decoded clips.
        bins: the bins it was computed from, lowest first.
        honest_error: what the error would be, in the mean, if the scores were honest. The share that is right in a bin
            of few clips strays from the score by chance, so this is above 0.
        honest_limit: 97.5 % of honest models would show no more than this.
    """

    error: float | None
    bins: tuple[CalibrationBin, ...]
    honest_error: float | None = None
    honest_limit: float | None = None

    def __str__(self) -> str:
        if self.error is None or self.honest_error is None:
            return "no clip decoded"
        return (
            f"{percent(self.error)}, where honest scores of so many clips would show {percent(self.honest_error)} "
            f"and up to {percent(self.honest_limit)}"
        )


def topk_correct(predictions: Predictions, k: int) -> NDArray[np.bool_]:
    """Whether the true class is among the ``k`` most probable, length N; ties go to the earlier class."""
    if not 1 <= k <= len(predictions.classes):
        raise ValueError(f"k must lie between 1 and the {len(predictions.classes)} classes, got {k}")
    best_Nk = np.argsort(-predictions.probabilities_NK, axis=1, kind="stable")[:, :k]
    hit_N: NDArray[np.bool_] = (best_Nk == predictions.labels_N[:, None]).any(axis=1)
    return hit_N & predictions.decoded_N


def confusion_matrix(predictions: Predictions) -> NDArray[np.int64]:
    """Counts of clips, shape (K, K + 1): true class by predicted class, the last column undecodable."""
    classes = len(predictions.classes)
    column_N = np.where(predictions.decoded_N, predictions.predicted_N, classes)
    cell_N = predictions.labels_N * (classes + 1) + column_N
    return np.bincount(cell_N, minlength=classes * (classes + 1)).reshape(classes, classes + 1).astype(np.int64)


def per_class(predictions: Predictions) -> tuple[ClassMetrics, ...]:
    """The metrics of each class, in the order of the classes."""
    matrix = confusion_matrix(predictions)
    metrics = []
    for index, name in enumerate(predictions.classes):
        clips, correct = int(matrix[index].sum()), int(matrix[index, index])
        metrics.append(
            ClassMetrics(
                name=name,
                clips=clips,
                correct=correct,
                predicted=int(matrix[:, index].sum()),
                undecodable=int(matrix[index, -1]),
                interval=wilson(correct, clips) if clips else None,
            )
        )
    return tuple(metrics)


def calibration(predictions: Predictions, *, bins: int = 15) -> Calibration:
    """Expected calibration error over ``bins`` equally wide bins of the score of the predicted class.

    The error is the mean over clips of ``|accuracy - mean score|`` of the clip's bin.

    Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, section 2
    (with 15 bins in its section 5).
    """
    decoded_N = predictions.decoded_N
    score_D = predictions.probabilities_NK[decoded_N].max(axis=1, initial=0.0)
    correct_D = predictions.correct_N[decoded_N]
    edges = np.linspace(0, 1, bins + 1)
    # A score that rounding put just above 1 belongs to the last bin.
    bin_D = np.clip(np.searchsorted(edges, score_D, side="left") - 1, 0, bins - 1)
    clips_M = np.bincount(bin_D, minlength=bins)
    score_M = np.bincount(bin_D, weights=score_D, minlength=bins)
    correct_M = np.bincount(bin_D, weights=correct_D, minlength=bins)
    error = float(np.abs(correct_M - score_M).sum() / len(score_D)) if len(score_D) else None
    honest_errors = _honest_errors(score_D, bin_D, bins)
    return Calibration(
        error=error,
        honest_error=None if error is None else float(honest_errors.mean()),
        honest_limit=None if error is None else float(np.quantile(honest_errors, 0.975)),
        bins=tuple(
            CalibrationBin(
                low=float(edges[m]),
                high=float(edges[m + 1]),
                clips=int(clips_M[m]),
                confidence=float(score_M[m] / clips_M[m]) if clips_M[m] else None,
                accuracy=float(correct_M[m] / clips_M[m]) if clips_M[m] else None,
            )
            for m in range(bins)
        ),
    )


def _honest_errors(score_D: NDArray[np.float64], bin_D: NDArray[np.int64], bins: int) -> NDArray[np.float64]:
    """The calibration error of models with these scores, each of which is right as often as it says; one a draw.

    Source: the consistency test of Broecker and Smith, "Increasing the reliability of reliability diagrams", Weather
    and Forecasting 22 (2007), here on the error itself.
    """
    generator = np.random.default_rng(0)
    errors = np.zeros(_HONEST_DRAWS)
    for draw in range(_HONEST_DRAWS if len(score_D) else 0):
        surplus_D = (generator.random(len(score_D)) < score_D) - score_D
        errors[draw] = np.abs(np.bincount(bin_D, weights=surplus_D, minlength=bins)).sum() / len(score_D)
    return errors


def negative_log_likelihood(predictions: Predictions) -> float | None:
    """Mean of ``-ln p(true class)`` in nats over the clips that could be decoded; None if there are none."""
    decoded_N = predictions.decoded_N
    if not decoded_N.any():
        return None
    probability_D = predictions.probabilities_NK[decoded_N, predictions.labels_N[decoded_N]]
    return float(-np.log(np.maximum(probability_D, SMALLEST_PROBABILITY)).mean())
