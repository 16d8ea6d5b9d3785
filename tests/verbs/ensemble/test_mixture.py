import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muybridge.verbs.ensemble.mixture import fit_mixture_weights


def loss(weights_M: np.ndarray, true_MN: np.ndarray) -> float:
    return float(-np.log(weights_M @ true_MN).mean())


@given(st.integers(0, 100_000), st.integers(1, 5), st.integers(1, 40))
def test_never_worse_than_any_member_or_their_mean(seed: int, members: int, clips: int) -> None:
    true_MN = np.random.default_rng(seed).uniform(0.001, 1, (members, clips))
    weights_M = fit_mixture_weights(true_MN)
    assert weights_M.min() >= 0
    assert weights_M.sum() == pytest.approx(1)
    best = loss(weights_M, true_MN)
    assert best <= loss(np.full(members, 1 / members), true_MN) + 1e-12
    for corner in np.eye(members):
        assert best <= loss(corner, true_MN) + 1e-5


def test_two_members_by_hand() -> None:
    # Member 1 gives the true class 1 on three clips and 0 on one, member 2 the reverse: the likelihood is
    # w^3 (1 - w), largest at w = 3/4.
    true_MN = np.array([[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    assert fit_mixture_weights(true_MN) == pytest.approx([0.75, 0.25], abs=1e-6)


def test_against_a_fine_grid() -> None:
    true_MN = np.random.default_rng(3).uniform(0.01, 1, (2, 60)) * np.array([[1.0], [0.8]])
    grid = [loss(np.array([w, 1 - w]), true_MN) for w in np.linspace(0, 1, 2001)]
    assert loss(fit_mixture_weights(true_MN), true_MN) == pytest.approx(min(grid), abs=2e-5)


def test_a_member_that_is_worse_on_every_clip_gets_nothing() -> None:
    rng = np.random.default_rng(4)
    good_N = rng.uniform(0.5, 0.9, 30)
    assert fit_mixture_weights(np.stack([good_N / 2, good_N]))[0] < 1e-3


def test_equal_members_share_equally() -> None:
    assert fit_mixture_weights(np.full((3, 7), 0.4)) == pytest.approx([1 / 3] * 3)


def test_a_member_may_exclude_the_truth() -> None:
    assert np.isfinite(fit_mixture_weights(np.array([[0.0, 0.0], [0.0, 0.5]]))).all()


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_nothing_to_fit_on(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least one clip"):
        fit_mixture_weights(np.ones(shape))
