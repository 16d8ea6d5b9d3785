import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from muybridge.errors import UserError
from muybridge.evaluation.metrics import calibration, negative_log_likelihood
from muybridge.inference.calibration import COLDEST, HOTTEST, fit_temperature
from muybridge.inference.predictions import ClipPrediction, Predictions
from muybridge.inference.probabilities import tempered


def predictions(probabilities_NK: np.ndarray, labels_N: np.ndarray) -> Predictions:
    classes = tuple("abcdefgh"[: probabilities_NK.shape[1]])
    clips = [
        ClipPrediction(str(n), f"{n}.avi", classes[label], None, row)
        for n, (row, label) in enumerate(zip(probabilities_NK, labels_N, strict=True))
    ]
    return Predictions(classes, tuple(clips))


def drawn(seed: int, clips: int, *, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn with exactly the probabilities that these stand for."""
    rng = np.random.default_rng(seed)
    logits_NK = rng.normal(0, spread, (clips, 4))
    labels_N = (logits_NK + rng.gumbel(size=logits_NK.shape)).argmax(axis=1)
    return logits_NK, labels_N


def softmax(logits_NK: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits_NK).softmax(dim=1).numpy()


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_tempering_probabilities_is_dividing_logits(temperature: float) -> None:
    logits_NK, _ = drawn(0, 50)
    np.testing.assert_allclose(tempered(softmax(logits_NK), temperature), softmax(logits_NK / temperature), atol=1e-12)


def test_an_underflown_probability_stays_finite() -> None:
    assert tempered(np.array([1.0, 0.0]), 5.0).sum() == pytest.approx(1)
    assert np.isfinite(tempered(np.array([1.0, 0.0]), 0.05)).all()


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_comes_out(truth: float) -> None:
    logits_NK, labels_N = drawn(1, 8_000)
    found = fit_temperature(predictions(softmax(logits_NK * truth), labels_N))
    assert found == pytest.approx(truth, rel=0.05)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(3, 40), st.floats(0.2, 5))
def test_no_other_temperature_is_more_likely(seed: int, clips: int, sharpness: float) -> None:
    logits_NK, labels_N = drawn(seed, clips)
    before = predictions(softmax(logits_NK * sharpness), labels_N)
    found = fit_temperature(before)
    if found is None:
        assert before.correct_N.all()
        return
    assert COLDEST <= found <= HOTTEST

    def loss(temperature: float) -> float:
        return negative_log_likelihood(predictions(tempered(before.probabilities_NK, temperature), labels_N))

    best = loss(found)
    for other in (1.0, COLDEST, HOTTEST, *np.geomspace(COLDEST, HOTTEST, 23)):
        assert best <= loss(other) + 1e-9


def test_scores_become_as_sure_as_they_are_right() -> None:
    logits_NK, labels_N = drawn(2, 4000)
    bold = predictions(softmax(3 * logits_NK), labels_N)
    fitted, held_out = slice(0, 2000), slice(2000, 4000)
    found = fit_temperature(predictions(bold.probabilities_NK[fitted], labels_N[fitted]))
    assert found is not None
    after = predictions(tempered(bold.probabilities_NK[held_out], found), labels_N[held_out])
    before = predictions(bold.probabilities_NK[held_out], labels_N[held_out])
    assert (after.predicted_N == before.predicted_N).all()
    assert calibration(before).error > 0.1
    assert calibration(after).error < 0.04


def test_what_cannot_be_fitted() -> None:
    right = predictions(np.array([[0.6, 0.4], [0.3, 0.7]]), np.array([0, 1]))
    assert fit_temperature(right) is None
    undecodable = Predictions(("a", "b"), (ClipPrediction("0", "0.avi", "a", None, None, "broken"),))
    with pytest.raises(UserError, match="no validation clip could be decoded"):
        fit_temperature(undecodable)
    # An undecodable clip says nothing about the scores.
    mixed = Predictions(right.classes, (*right.clips, ClipPrediction("9", "9.avi", "a", None, None, "broken")))
    assert fit_temperature(mixed) is None


def test_worse_than_chance_ends_at_the_bound() -> None:
    wrong = predictions(np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([1, 0]))
    assert fit_temperature(wrong) == pytest.approx(HOTTEST)
