"""Arithmetic on probabilities that everything after the network shares: softmax, temperature, majority vote.

Axes: N clips, K classes, M voters.
"""

import numpy as np
from numpy.typing import NDArray

# A float32 softmax underflows to 0 below this; the logarithm of an exact 0 would make one clip outweigh all.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)
# So little that it decides nothing but ties.
_TIE_BREAK = 1e-6


def log(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithm, finite at 0: a float32 softmax underflows, which is no proof of impossibility."""
    return np.log(np.maximum(probabilities, SMALLEST_PROBABILITY))


def softmax(logits_NK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax along the last axis."""
    powers_NK = np.exp(logits_NK - logits_NK.max(axis=-1, keepdims=True))
    return np.asarray(powers_NK / powers_NK.sum(axis=-1, keepdims=True))


def tempered(probabilities_NK: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Probabilities at another temperature.

    Args:
        probabilities_NK: the classes along the last axis; any number of axes before it.
        temperature: above 0; at 1 the probabilities stay as they are.
    """
    if temperature == 1:
        return probabilities_NK
    return softmax(log(probabilities_NK) / temperature)


def vote(probabilities_MK: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of votes that each class gets, where every voter votes for its most probable class.

    Source: Ullah et al., 2018, section III: the chunks of a video.

    Equal shares are ordered by the voters' mean probability, which is mixed in with a millionth of the weight.

    Returns:
        shares_K, adding up to 1.
    """
    voters, classes = probabilities_MK.shape
    votes_K = np.bincount(probabilities_MK.argmax(axis=1), minlength=classes)
    shares_K: NDArray[np.float64] = (1 - _TIE_BREAK) * votes_K / voters + _TIE_BREAK * probabilities_MK.mean(axis=0)
    return shares_K
