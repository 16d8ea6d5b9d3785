"""Our metrics against torchmetrics, and counted by hand where torchmetrics has no notion of the case."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from muybridge.evaluation.metrics import (
    calibration,
    confusion_matrix,
    negative_log_likelihood,
    per_class,
    topk_correct,
)
from muybridge.inference.predictions import ClipPrediction, Predictions


def random_predictions(classes: int, clips: int, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    labels_N = rng.integers(classes, size=clips)
    logits_NK = rng.normal(size=(clips, classes))
    logits_NK[np.arange(clips), labels_N] += 1.5
    p_NK = np.exp(logits_NK) / np.exp(logits_NK).sum(axis=1, keepdims=True)
    names = tuple(f"class {index}" for index in range(classes))
    return Predictions(
        names,
        tuple(
            ClipPrediction(str(index), f"{index}.avi", names[label], f"g{index // 3}", p_NK[index])
            for index, label in enumerate(labels_N)
        ),
    )


@pytest.mark.parametrize(("classes", "clips", "seed"), [(2, 50, 0), (7, 300, 1), (51, 2000, 2)])
def test_agrees_with_torchmetrics(classes: int, clips: int, seed: int) -> None:
    predictions = random_predictions(classes, clips, seed)
    scores, truth = torch.tensor(predictions.probabilities_NK), torch.tensor(predictions.labels_N)

    def close(ours: object, theirs: torch.Tensor) -> None:
        np.testing.assert_allclose(np.array(ours, dtype=float), theirs.double().numpy(), rtol=0, atol=1e-6)

    for k in {1, min(5, classes)}:
        theirs = multiclass_accuracy(scores, truth, classes, average="micro", top_k=k)
        close(topk_correct(predictions, k).mean(), theirs)
    matrix = confusion_matrix(predictions)
    assert not matrix[:, -1].any()
    close(matrix[:, :-1], multiclass_confusion_matrix(scores, truth, classes))
    metrics = per_class(predictions)
    close([m.recall for m in metrics], multiclass_recall(scores, truth, classes, average="none"))
    close([m.precision for m in metrics], multiclass_precision(scores, truth, classes, average="none"))
    close([m.f1 for m in metrics], multiclass_f1_score(scores, truth, classes, average="none"))
    close(
        calibration(predictions).error,
        multiclass_calibration_error(scores, truth, classes, n_bins=15, norm="l1"),
    )
    close(negative_log_likelihood(predictions), torch.nn.functional.nll_loss(scores.log(), truth))


def by_hand() -> Predictions:
    """Class c has no clips, b is never predicted, one clip of a cannot be decoded."""

    def clip(name: str, label: str, probabilities: list[float] | None) -> ClipPrediction:
        error = "broken" if probabilities is None else None
        values = None if probabilities is None else np.array(probabilities)
        return ClipPrediction(name, f"{name}.avi", label, None, values, error)

    return Predictions(
        ("a", "b", "c"),
        (
            clip("1", "a", [0.8, 0.2, 0.0]),
            clip("2", "a", None),
            clip("3", "b", [0.6, 0.4, 0.0]),
            clip("4", "b", [0.1, 0.0, 0.9]),
        ),
    )


def test_an_undecodable_clip_is_wrong_and_has_its_own_column() -> None:
    predictions = by_hand()
    assert confusion_matrix(predictions).tolist() == [[1, 0, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert topk_correct(predictions, 1).tolist() == [True, False, False, False]
    assert topk_correct(predictions, 3).tolist() == [True, False, True, True]
    a, b, c = per_class(predictions)
    assert (a.clips, a.correct, a.undecodable, a.accuracy, a.precision) == (2, 1, 1, 0.5, 0.5)
    assert (b.accuracy, b.precision, b.f1) == (0.0, None, 0.0)
    assert (c.clips, c.accuracy, c.interval, c.precision, c.f1) == (0, None, None, 0.0, 0.0)


def test_calibration_bins_by_hand() -> None:
    # Scores .8 (right), .6 (wrong), .9 (wrong), in bins of width 1/15: 12th, 9th and 14th.
    result = calibration(by_hand())
    assert result.error == pytest.approx((0.2 + 0.6 + 0.9) / 3)
    filled = {index: entry for index, entry in enumerate(result.bins) if entry.clips}
    assert sorted(filled) == [8, 11, 13]
    assert (filled[11].accuracy, filled[11].confidence) == (1.0, pytest.approx(0.8))
    assert sum(entry.clips for entry in result.bins) == 3
    assert (result.bins[0].low, result.bins[-1].high) == (0, 1)
    assert result.bins[0].accuracy is None


def test_a_score_on_an_edge_belongs_to_the_lower_bin() -> None:
    clips = tuple(
        ClipPrediction(str(index), "x", "a", None, np.array([score, 1 - score]))
        for index, score in enumerate([0.5, 0.75, 1.0])
    )
    assert [entry.clips for entry in calibration(Predictions(("a", "b"), clips), bins=4).bins] == [0, 1, 1, 1]


def test_what_chance_makes_of_honest_scores() -> None:
    # One bin of n clips with the score p: the mean deviation of a binomial share is near sqrt(2 p (1 - p) / (pi n)).
    def seen(count: int) -> Predictions:
        labels = ["a" if index % 10 < 7 else "b" for index in range(count)]
        return Predictions(
            ("a", "b"),
            tuple(ClipPrediction(str(n), "x", label, None, np.array([0.7, 0.3])) for n, label in enumerate(labels)),
        )

    result = calibration(seen(100))
    assert result.error == pytest.approx(0, abs=1e-9)
    assert result.honest_error == pytest.approx(math.sqrt(2 * 0.21 / (math.pi * 100)), rel=0.1)
    assert result.honest_limit == pytest.approx(2.241 * math.sqrt(0.21 / 100), rel=0.1)  # of a normal deviate's size
    assert str(result).startswith("0.0 %, where honest scores of so many clips would show 3.")
    more = calibration(seen(1600))
    assert more.honest_error == pytest.approx(result.honest_error / 4, rel=0.15)


def test_likelihood_counts_decoded_clips_and_survives_a_zero() -> None:
    expected = -(math.log(0.8) + math.log(0.4) + math.log(np.finfo(np.float32).tiny)) / 3
    assert negative_log_likelihood(by_hand()) == pytest.approx(expected)


def test_nothing_decoded_leaves_the_scores_undefined() -> None:
    predictions = Predictions(("a", "b"), (ClipPrediction("1", "x", "a", None, None, "broken"),))
    assert negative_log_likelihood(predictions) is None
    assert calibration(predictions).error is None
    assert topk_correct(predictions, 2).tolist() == [False]


def test_ties_go_to_the_earlier_class() -> None:
    clip = ClipPrediction("1", "x", "b", None, np.full(4, 0.25))
    predictions = Predictions(("a", "b", "c", "d"), (clip,))
    assert [bool(topk_correct(predictions, k)[0]) for k in (1, 2)] == [False, True]
    with pytest.raises(ValueError, match="between 1 and the 4"):
        topk_correct(predictions, 5)
