import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muybridge.errors import UserError
from muybridge.evaluation.metrics import negative_log_likelihood
from muybridge.inference.combining import RULES, Combination, combine_predictions
from muybridge.inference.predictions import ClipPrediction, Predictions
from muybridge.run_schemas import CombinationValues
from muybridge.schemas import convert
from muybridge.verbs.ensemble.fitting import fit_combination

TWO_MK = np.array([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3]])


def drawn(seed: int, *, members: int = 3, clips: int = 30, classes: int = 4) -> list[Predictions]:
    """Members of different quality on the same clips."""
    rng = np.random.default_rng(seed)
    names = tuple("abcdefgh"[:classes])
    labels_N = rng.integers(classes, size=clips)
    found = []
    for _ in range(members):
        logits_NK = rng.normal(0, 2, (clips, classes))
        logits_NK[np.arange(clips), labels_N] += rng.uniform(0, 4)
        probabilities_NK = np.exp(logits_NK) / np.exp(logits_NK).sum(axis=1, keepdims=True)
        rows = [
            ClipPrediction(str(n), f"{n}.avi", names[labels_N[n]], f"g{n // 2}", probabilities_NK[n])
            for n in range(clips)
        ]
        found.append(Predictions(names, tuple(rows)))
    return found


def test_mean_by_hand() -> None:
    np.testing.assert_allclose(Combination.equal(2)(TWO_MK), [0.55, 0.3, 0.15])


def test_weighted_by_hand() -> None:
    np.testing.assert_allclose(Combination("weighted", (0.75, 0.25), (1.0, 1.0))(TWO_MK), [0.725, 0.2, 0.075])


def test_logits_by_hand() -> None:
    # Logits (2, 0) and (-1, 1) average to (0.5, 0.5); the constants that the members add do not matter.
    logits_MK = np.array([[2.0, 0.0], [-1.0, 1.0]])
    probabilities_MK = np.exp(logits_MK) / np.exp(logits_MK).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Combination.equal(2, rule="logits")(probabilities_MK), [0.5, 0.5])
    geometric = np.sqrt(np.array([0.9 * 0.2, 0.1 * 0.5]))
    found = Combination.equal(2, rule="logits")(np.array([[0.9, 0.1], [0.2, 0.5]]))
    np.testing.assert_allclose(found, geometric / geometric.sum())


def test_one_veto_is_not_the_end_of_a_class() -> None:
    assert np.isfinite(Combination.equal(2, rule="logits")(np.array([[1.0, 0.0], [0.0, 1.0]]))).all()


def test_vote_by_hand() -> None:
    votes = Combination.equal(3, rule="vote")(np.array([[0.4, 0.6], [0.4, 0.6], [1.0, 0.0]]))
    np.testing.assert_allclose(votes, [1 / 3, 2 / 3], atol=1e-5)
    # One vote each: class 0 has 0.6 + 0.3, class 1 has 0.4 + 0.7.
    tie = Combination.equal(2, rule="vote")(np.array([[0.6, 0.4], [0.3, 0.7]]))
    np.testing.assert_allclose(tie, [0.5, 0.5], atol=1e-5)
    assert tie[1] > tie[0]


def test_temperatures_by_hand() -> None:
    # At temperature 0.5 probabilities are squared.
    found = Combination("mean", (0.5, 0.5), (0.5, 1.0))(np.array([[0.75, 0.25], [0.5, 0.5]]))
    np.testing.assert_allclose(found, [(0.9 + 0.5) / 2, (0.1 + 0.5) / 2])


@given(st.integers(0, 10_000), st.sampled_from(RULES), st.integers(1, 5))
def test_every_rule_gives_probabilities_and_respects_agreement(seed: int, rule: str, members: int) -> None:
    probabilities_MK = np.random.default_rng(seed).dirichlet(np.ones(4), size=members)
    combination = Combination(rule, (1 / members,) * members, (1.5,) * members)
    combined_K = combination(probabilities_MK)
    assert combined_K.min() >= 0
    assert combined_K.sum() == pytest.approx(1)
    winners = set(probabilities_MK.argmax(axis=1))
    if len(winners) == 1:
        assert combined_K.argmax() in winners
    order = np.random.default_rng(seed).permutation(4)
    np.testing.assert_allclose(combination(probabilities_MK[:, order]), combined_K[order], atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_one_member_is_itself(rule: str) -> None:
    combined_K = Combination.equal(1, rule=rule)(TWO_MK[1:])
    if rule == "vote":
        np.testing.assert_allclose(combined_K, [0, 1, 0], atol=1e-5)
    else:
        np.testing.assert_allclose(combined_K, TWO_MK[1])


@pytest.mark.parametrize(
    ("rule", "weights", "temperatures", "message"),
    [
        ("sum", (1.0,), (1.0,), "unknown rule"),
        ("mean", (0.5, 0.5), (1.0,), "2 weights and 1 temperatures"),
        ("mean", (), (), "0 weights"),
        ("weighted", (0.5, 0.6), (1.0, 1.0), "add up to 1"),
        ("weighted", (1.5, -0.5), (1.0, 1.0), "0 or more"),
        ("weighted", (float("nan"), 1.0), (1.0, 1.0), "0 or more"),
        ("mean", (0.7, 0.3), (1.0, 1.0), "equal weights"),
        ("mean", (1.0,), (0.0,), "above 0"),
        ("mean", (1.0,), (float("nan"),), "above 0"),
    ],
)
def test_numbers_that_make_no_sense(rule, weights, temperatures, message) -> None:
    with pytest.raises(ValueError, match=message):
        Combination(rule, weights, temperatures)


def test_plain_values_and_back() -> None:
    combination = Combination("weighted", (0.1, 0.9), (1 / 3, 2.0))
    assert Combination.of_values(convert(combination.to_dict(), CombinationValues, where="it", hint="")) == combination


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.booleans())
def test_fitted_weights_are_never_worse_on_validation(seed: int, calibrate: bool) -> None:
    members = drawn(seed)
    weighted = fit_combination(members, rule="weighted", calibrate=calibrate)
    mean = fit_combination(members, rule="mean", calibrate=calibrate)
    best = negative_log_likelihood(combine_predictions(members, weighted))
    assert best <= negative_log_likelihood(combine_predictions(members, mean)) + 1e-9
    for number, temperature in enumerate(weighted.temperatures):
        alone = combine_predictions([members[number]], Combination("mean", (1.0,), (temperature,)))
        assert best <= negative_log_likelihood(alone) + 1e-5
        if calibrate:
            assert negative_log_likelihood(alone) <= negative_log_likelihood(members[number]) + 1e-9


def test_only_what_is_asked_for_is_fitted() -> None:
    members = drawn(1)
    assert fit_combination(members, rule="vote", calibrate=False) == Combination.equal(3, rule="vote")
    calibrated = fit_combination(members, rule="logits", calibrate=True)
    assert calibrated.weights == Combination.equal(3).weights
    assert len(set(calibrated.temperatures)) == 3


def test_clips_that_do_not_decode_are_left_out_of_the_fit() -> None:
    members = drawn(2)
    expected = fit_combination(members, rule="weighted", calibrate=True)
    broken = ClipPrediction("x", "x.avi", "a", "gx", None, "broken")
    with_broken = [Predictions(member.classes, (*member.clips, broken)) for member in members]
    assert fit_combination(with_broken, rule="weighted", calibrate=True) == expected
    nothing = [Predictions(("a", "b"), (broken,))] * 2
    with pytest.raises(UserError, match="no validation clip could be decoded"):
        fit_combination(nothing, rule="weighted", calibrate=False)
    assert fit_combination(nothing, rule="mean", calibrate=False) == Combination.equal(2)


def test_a_clip_that_one_member_cannot_decode_has_no_answer() -> None:
    first, second = (Predictions(m.classes, m.clips[:2]) for m in drawn(3, members=2))
    failed = ClipPrediction("1", "1.avi", second.clips[1].label, "g0", None, "too short")
    second = Predictions(second.classes, (second.clips[0], failed))
    together = combine_predictions([first, second], Combination.equal(2))
    assert together.clips[1].error == "too short"
    np.testing.assert_allclose(
        together.clips[0].probabilities, (first.probabilities_NK[0] + second.probabilities_NK[0]) / 2
    )


def test_members_must_be_aligned() -> None:
    first, second = drawn(4, members=2)
    with pytest.raises(ValueError, match="clips must be the same"):
        combine_predictions([first, Predictions(second.classes, tuple(reversed(second.clips)))], Combination.equal(2))
    with pytest.raises(ValueError, match="classes must be the same"):
        combine_predictions([first, drawn(4, members=1, classes=5)[0]], Combination.equal(2))
