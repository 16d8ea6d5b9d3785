"""Majority vote over several scorings of the same clip (Ullah et al., 2018, section III: the chunks of a video).

Axes: M voters, K classes.
"""

import numpy as np
from numpy.typing import NDArray

# So little that it decides nothing but ties.
_TIE_BREAK = 1e-6


def vote(probabilities_MK: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of votes that each class gets, where every voter votes for its most probable class.

    Equal shares are told apart by the voters' mean probability, which is mixed in with a millionth of the weight.

    Returns:
        shares_K, adding up to 1.
    """
    voters, classes = probabilities_MK.shape
    votes_K = np.bincount(probabilities_MK.argmax(axis=1), minlength=classes)
    shares_K: NDArray[np.float64] = (1 - _TIE_BREAK) * votes_K / voters + _TIE_BREAK * probabilities_MK.mean(axis=0)
    return shares_K
