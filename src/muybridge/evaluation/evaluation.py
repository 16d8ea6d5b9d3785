"""One evaluation: every figure about a set of predictions, with what is needed to judge it.

No accuracy leaves this module alone: it carries the number of clips, a 95 % interval, and comes with the
protocol by which the clips were divided and the leak of that division.

Legend: N clips, K classes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge import notebook
from muybridge.errors import UserError
from muybridge.evaluation.floors import Floors
from muybridge.evaluation.intervals import (
    GroupInterval,
    Interval,
    bootstrap_by_group,
    bootstrap_class_mean,
    wilson,
)
from muybridge.evaluation.metrics import (
    Calibration,
    ClassMetrics,
    calibration,
    confusion_matrix,
    negative_log_likelihood,
    per_class,
    topk_correct,
)
from muybridge.evaluation.none_of_these import NoneOfThese
from muybridge.inference.predictions import Predictions
from muybridge.text import percent, share_range

_TOP_K = 5


@dataclass(frozen=True)
class Accuracy:
    """A share of correct clips with its two intervals: clips as independent (Wilson), and by source group."""

    correct: int
    clips: int
    wilson: Interval
    by_group: GroupInterval

    @property
    def value(self) -> float:
        """The accuracy, 0..1."""
        return self.correct / self.clips


@dataclass(frozen=True)
class MeanClassAccuracy:
    """The mean of the class accuracies, over the classes that have clips."""

    value: float
    classes: int
    by_group: GroupInterval


@dataclass(frozen=True)
class Mistake:
    """A clip that was classified wrongly: what it is, what it was taken for, and with what score."""

    clip_id: str
    path: str
    label: str
    predicted: str
    score: float


@dataclass(frozen=True)
class Undecodable:
    """A clip that could not be decoded, and why. It counts as wrong."""

    clip_id: str
    path: str
    label: str
    error: str


@dataclass(frozen=True)
class Confusion:
    """How many clips of class ``label`` were classified as class ``predicted``."""

    label: str
    predicted: str
    clips: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All figures of one set of predictions.

    Attributes:
        protocol: how the clips were divided (``official-1``, ``grouped``, ``random``, or a name for another
            set).
        leak: how many test clips share their source with a training clip, in words; None when that is
            unknown.
        notes: further remarks for the reader, such as class names that were not recognised.
        classes: the K class names.
        top1: accuracy of the most probable class.
        top5: accuracy of the five most probable; None with five classes or fewer, where it is always 1.
        mean_class: mean class accuracy.
        per_class: metrics of each class, in the order of ``classes``.
        confusion: counts, shape (K, K + 1): true class by predicted class, last column undecodable.
        calibration: expected calibration error and its bins, over the decoded clips.
        negative_log_likelihood: in nats per clip, over the decoded clips; None if there are none.
        mistakes: every wrongly classified clip, the most confident first.
        undecodable: every clip that could not be decoded.
        floors: what answers that know no action get right of the same clips; None where nobody looked.
        none_of_these: how often clips were called none of the classes, and how well unknown clips were told from known
            ones; None where there is nothing to tell it by.
    """

    protocol: str
    leak: str | None
    notes: tuple[str, ...]
    classes: tuple[str, ...]
    top1: Accuracy
    top5: Accuracy | None
    mean_class: MeanClassAccuracy
    per_class: tuple[ClassMetrics, ...]
    confusion: NDArray[np.int64]
    calibration: Calibration
    negative_log_likelihood: float | None
    mistakes: tuple[Mistake, ...]
    undecodable: tuple[Undecodable, ...]
    floors: Floors | None = None
    none_of_these: NoneOfThese | None = None

    @property
    def groups_known(self) -> bool:
        """Whether the source group of every clip is known; if not, no interval counts by group."""
        return not self.top1.by_group.groups_unknown

    def confusions(self) -> tuple[Confusion, ...]:
        """The pairs of classes that were confused, the most frequent first."""
        rows, columns = np.nonzero(self.confusion[:, :-1])
        pairs = [
            Confusion(self.classes[row], self.classes[column], int(self.confusion[row, column]))
            for row, column in zip(rows, columns, strict=True)
            if row != column
        ]
        return tuple(sorted(pairs, key=lambda pair: -pair.clips))

    def summary(self) -> str:
        """The main result in one line, with all it needs to be judged.

        Example: ``top-1 91.0 % (172 of 189 clips; protocol grouped; 95 %: Wilson 86.1-94.3, by 50 source
        groups 85.2-95.1)``, and how many clips could not be decoded, if any.
        """
        line = f"top-1 {_describe(self.top1, protocol=self.protocol)}"
        if self.undecodable:
            line += f"; {len(self.undecodable)} of them undecodable, counted as wrong"
        return line

    def floor_lines(self) -> tuple[str, ...]:
        """The floors, and whether the accuracy is above them; none where nobody looked."""
        if self.floors is None:
            return ()
        not_above = self.floors.not_beaten_by(self.top1.correct)
        return (str(self.floors), *([not_above] if not_above else []))

    def details(self) -> tuple[str, ...]:
        """All results in lines for a terminal: summary, floors, other accuracies, calibration, leak, notes."""
        lines = [self.summary(), *self.floor_lines()]
        if self.top1.clips == 1:
            return (*lines[:1], self._of_one_clip(), f"leak: {self.leak or 'unknown'}", *self.notes)
        if self.top5 is not None:
            lines.append(f"top-5 {_describe(self.top5, protocol=self.protocol)}")
        lines.append(
            f"mean class accuracy {percent(self.mean_class.value)} ({self.mean_class.classes} classes, "
            f"{self.top1.clips} clips; protocol {self.protocol}; "
            f"{f'{100 * self.top1.wilson.level:g} %: ' if self.groups_known else 'no interval: '}"
            f"{_describe_groups(self.mean_class.by_group)})"
        )
        if self.calibration.error is not None and self.negative_log_likelihood is not None:
            lines.append(
                f"expected calibration error {self.calibration}; "
                f"negative log likelihood {self.negative_log_likelihood:.3f}"
            )
        if self.none_of_these is not None:
            lines += self.none_of_these.lines()
        if self.top1.by_group.too_narrow:
            lines.append(f"only {self.top1.by_group.groups} source groups: the interval by group is too narrow")
        lines.append(f"leak: {self.leak or 'unknown'}")
        return (*lines, *self.notes)

    def __str__(self) -> str:
        return "\n".join(self.details())

    def _of_one_clip(self) -> str:
        """What came of the only clip; means over clips and classes would say nothing."""
        if self.undecodable:
            return f"undecodable: {self.undecodable[0].error}"
        if self.mistakes:
            wrong = self.mistakes[0]
            return f"wrong: a clip of {wrong.label} was taken for {wrong.predicted}, with a score of {wrong.score:.2f}"
        return f"right: {next(metrics.name for metrics in self.per_class if metrics.correct)}"

    def _repr_html_(self) -> str:
        """The figures in a notebook, with the classes from the least to the most accurate."""
        return notebook.card(self._title(), *self.html_parts())

    def _title(self) -> str:
        return f"top-1 {percent(self.top1.value)} ({self.top1.correct} of {self.top1.clips} clips)"

    def html_parts(self) -> tuple[str, ...]:
        """What a notebook shows below a title."""
        ranked = sorted(
            (metrics for metrics in self.per_class if metrics.accuracy is not None),
            key=lambda metrics: metrics.accuracy or 0.0,
        )
        classes = [
            {
                "class": metrics.name,
                "clips": metrics.clips,
                "right": metrics.correct,
                "accuracy": percent(metrics.accuracy),
            }
            for metrics in ranked
        ]
        return notebook.lines(self.details()), notebook.rows(classes)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON. Shares are 0..1; what is undefined is None."""
        return {
            "protocol": self.protocol,
            "leak": self.leak,
            "groups_known": self.groups_known,
            "notes": list(self.notes),
            "summary": self.summary(),
            "clips": self.top1.clips,
            "classes": list(self.classes),
            "top1": _accuracy_dict(self.top1),
            "floors": None if self.floors is None else self.floors.to_dict(),
            "top5": None if self.top5 is None else _accuracy_dict(self.top5),
            "mean_class_accuracy": {
                "value": self.mean_class.value,
                "classes": self.mean_class.classes,
                **_group_dict(self.mean_class.by_group),
            },
            "expected_calibration_error": self.calibration.error,
            "calibration_error_of_honest_scores": {
                "mean": self.calibration.honest_error,
                "most": self.calibration.honest_limit,
            },
            "negative_log_likelihood": self.negative_log_likelihood,
            "none_of_these": None if self.none_of_these is None else self.none_of_these.to_dict(),
            "per_class": [class_row(metrics) for metrics in self.per_class],
            "confusion_matrix": {
                "rows": "true class",
                "columns": [*self.classes, "undecodable"],
                "counts": self.confusion.tolist(),
            },
            "calibration_bins": [asdict(bin_) for bin_ in self.calibration.bins],
            "mistakes": [asdict(mistake) for mistake in self.mistakes],
            "undecodable": [asdict(clip) for clip in self.undecodable],
        }


def evaluate_predictions(
    predictions: Predictions,
    *,
    protocol: str,
    leak: str | None,
    notes: Sequence[str] = (),
    floors: Floors | None = None,
    none_of_these: NoneOfThese | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Evaluation:
    """Measure predictions against the truth.

    Args:
        predictions: at least one clip.
        protocol: how the clips were divided, printed with every accuracy.
        leak: how many of them share their source with a training clip, in words; None when unknown.
        notes: further remarks to keep with the figures.
        floors: what answers that know no action get right of the same clips.
        none_of_these: what was found of clips called none of the classes.
        resamples: of the bootstrap over source groups.
        seed: of the bootstrap.
        level: confidence of all intervals.

    Raises:
        UserError: if there is no clip to evaluate.
    """
    if not predictions.clips:
        raise UserError(f"protocol {protocol}: no clips to evaluate; choose clips whose classes the model knows")
    groups_N = [clip.group for clip in predictions.clips]
    ungrouped = groups_N.count(None)

    def accuracy(correct_N: NDArray[np.bool_]) -> Accuracy:
        correct, clips = int(correct_N.sum()), len(correct_N)
        if ungrouped:
            by_group = GroupInterval.of_unknown(ungrouped, len(groups_N))
        else:
            by_group = bootstrap_by_group(correct_N, groups_N, resamples=resamples, seed=seed, level=level)
        return Accuracy(correct, clips, wilson(correct, clips, level), by_group)

    classes = per_class(predictions)
    class_accuracies = [metrics.accuracy for metrics in classes if metrics.accuracy is not None]
    if ungrouped:
        class_interval = GroupInterval.of_unknown(ungrouped, len(groups_N))
    else:
        labels_N = [clip.label for clip in predictions.clips]
        class_interval = bootstrap_class_mean(
            predictions.correct_N, labels_N, groups_N, resamples=resamples, seed=seed, level=level
        )
    return Evaluation(
        protocol=protocol,
        leak=leak,
        notes=tuple(notes),
        classes=predictions.classes,
        top1=accuracy(predictions.correct_N),
        top5=accuracy(topk_correct(predictions, _TOP_K)) if len(predictions.classes) > _TOP_K else None,
        mean_class=MeanClassAccuracy(float(np.mean(class_accuracies)), len(class_accuracies), class_interval),
        per_class=classes,
        confusion=confusion_matrix(predictions),
        calibration=calibration(predictions),
        negative_log_likelihood=negative_log_likelihood(predictions),
        mistakes=_mistakes(predictions),
        undecodable=tuple(
            Undecodable(clip.clip_id, clip.path, clip.label, clip.error)
            for clip in predictions.clips
            if clip.error is not None
        ),
        floors=floors,
        none_of_these=none_of_these,
    )


def class_row(metrics: ClassMetrics) -> dict[str, Any]:
    """One class as a flat row, as in per_class.csv; shares 0..1, None where undefined."""
    return {
        "class": metrics.name,
        "clips": metrics.clips,
        "correct": metrics.correct,
        "undecodable": metrics.undecodable,
        "accuracy": metrics.accuracy,
        "wilson_low": metrics.interval.low if metrics.interval else None,
        "wilson_high": metrics.interval.high if metrics.interval else None,
        "precision": metrics.precision,
        "recall": metrics.recall,
        "f1": metrics.f1,
    }


def _mistakes(predictions: Predictions) -> tuple[Mistake, ...]:
    mistakes = []
    for clip, predicted, correct in zip(predictions.clips, predictions.predicted_N, predictions.correct_N, strict=True):
        if clip.probabilities is not None and not correct:
            score = float(clip.probabilities[predicted])
            mistakes.append(Mistake(clip.clip_id, clip.path, clip.label, predictions.classes[predicted], score))
    return tuple(sorted(mistakes, key=lambda mistake: -mistake.score))


def _describe(accuracy: Accuracy, *, protocol: str) -> str:
    return (
        f"{percent(accuracy.value)} ({accuracy.correct} of {accuracy.clips} clips; protocol {protocol}; "
        f"{100 * accuracy.wilson.level:g} %: Wilson {share_range(accuracy.wilson.low, accuracy.wilson.high)}, "
        f"{_describe_groups(accuracy.by_group)})"
    )


def _describe_groups(by_group: GroupInterval) -> str:
    if by_group.interval is None:
        return str(by_group.reason) if by_group.groups_unknown else f"by source group none: {by_group.reason}"
    return f"by {by_group.groups} source groups {share_range(by_group.interval.low, by_group.interval.high)}"


def _group_dict(by_group: GroupInterval) -> dict[str, Any]:
    return {
        "by_group": None if by_group.interval is None else asdict(by_group.interval),
        "groups": by_group.groups,
        "by_group_absent_because": by_group.reason,
    }


def _accuracy_dict(accuracy: Accuracy) -> dict[str, Any]:
    return {
        "value": accuracy.value,
        "correct": accuracy.correct,
        "clips": accuracy.clips,
        "wilson": asdict(accuracy.wilson),
        **_group_dict(accuracy.by_group),
    }
