"""Weights of a mixture of models: the convex combination under which the true classes are most likely.

Legend: N clips, M models.
"""

import numpy as np
from numpy.typing import NDArray

from muybridge.inference.probabilities import SMALLEST_PROBABILITY

# In nats per clip: closer than any validation part can measure.
_TOLERANCE = 1e-5
# Reached only if the tolerance is not; each round costs microseconds.
_MOST_ROUNDS = 200_000


def fit_mixture_weights(true_MN: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of at least 0 that add up to 1 and maximise the mean of ``ln(sum_m weight_m true_mn)``.

    Expectation maximisation from equal weights: each model's new weight is the share of the clips' likelihood that
    it accounts for. Every round raises the likelihood, so the result is never worse than the plain mean. The
    likelihood is concave, and a model's share divided by its weight is the slope towards it; the largest slope
    minus 1 bounds what is still to be gained, in nats per clip, and ends the rounds. After t rounds at most
    ``ln(M) / t`` is to be gained.

    Args:
        true_MN: each model's probability of the true class of each clip, of clips that no model was
            fitted on.

    Returns:
        weights_M.

    Raises:
        ValueError: without a clip or a model.

    Source: Dempster, Laird and Rubin, JRSS B 39 (1977) 1-38, section 4.3; the bounds: T. Cover, "An algorithm for
    maximizing expected log investment return", IEEE Transactions on Information Theory 30 (1984) 369-373.
    """
    if true_MN.size == 0:
        raise ValueError("weights need at least one clip and one model to be fitted on")
    true_MN = np.maximum(true_MN, SMALLEST_PROBABILITY)
    weights_M = np.full(len(true_MN), 1 / len(true_MN))
    for _ in range(_MOST_ROUNDS):
        slope_M = (true_MN / (weights_M @ true_MN)).mean(axis=1)
        if slope_M.max() - 1 < _TOLERANCE:
            break
        weights_M *= slope_M
    return np.asarray(weights_M / weights_M.sum())
