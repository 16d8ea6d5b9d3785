import numpy as np
import pytest

from muybridge.inference.probabilities import vote


def test_shares_are_those_of_the_votes():
    votes = vote(np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.0, 0.1, 0.9]]))
    assert votes == pytest.approx([2 / 3, 0, 1 / 3], abs=2e-6)
    assert votes.sum() == pytest.approx(1, abs=1e-12)


def test_the_surer_side_wins_a_tie():
    votes = vote(np.array([[0.51, 0.49, 0.0], [0.1, 0.9, 0.0]]))
    assert votes.argmax() == 1
    assert votes == pytest.approx([0.5, 0.5, 0], abs=2e-6)


def test_one_confident_voter_does_not_outvote_two():
    assert vote(np.array([[0.51, 0.49], [0.51, 0.49], [0.0, 1.0]])).argmax() == 0
