"""Temperature scaling: one number that makes the scores of a model as sure as it is right.

Dividing logits by a temperature T and taking the softmax again is the same as raising the probabilities to the
power 1/T and scaling them to add up to 1. So the temperature is fitted and applied on probabilities here, which is
all that a model returns, whatever it averaged to get them. It leaves the order of the classes as it is: T above 1
makes scores more cautious, below 1 bolder.

Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, section 4.2; Platt,
"Probabilistic outputs for support vector machines", 1999, section 2.2, for the smoothing.

Legend: N clips, K classes.
"""

import numpy as np
from numpy.typing import NDArray

from muybridge.errors import UserError
from muybridge.inference.predictions import Predictions
from muybridge.inference.probabilities import log, softmax

# Beyond these a temperature says that there was too little to fit it on.
COLDEST, HOTTEST = 0.05, 20.0
# Halvings of the range of ln T: the last is 6e-15 wide.
_HALVINGS = 50


def fit_temperature(predictions: Predictions) -> float | None:
    """The temperature at which the true classes are most likely: the least negative log likelihood.

    Args:
        predictions: of clips that the model was not fitted on.

    Returns:
        The temperature, between `COLDEST` and `HOTTEST`; None when every clip is right, because the likelihood
        then only grows with bolder scores, and nothing shows how bold is too bold.

    Raises:
        UserError: if no clip could be decoded.
    """
    decoded_N = predictions.decoded_N
    if not decoded_N.any():
        raise UserError(
            "no validation clip could be decoded, so no temperature can be fitted; run muybridge check to see why"
        )
    if predictions.correct_N[decoded_N].all():
        return None
    return most_likely_temperature(log(predictions.probabilities_NK[decoded_N]), predictions.labels_N[decoded_N])


def most_likely_temperature(
    logits_NK: NDArray[np.float64], labels_N: NDArray[np.int64], *, smoothing: float = 0.0
) -> float:
    """The temperature of logits at which the true classes are most likely, between `COLDEST` and `HOTTEST`.

    The likelihood is concave in 1/T, so its slope has one sign change, which is found by halving.

    Args:
        logits_NK: The logits.
        labels_N: The true classes.
        smoothing: The share of each clip's truth that is spread over all classes. Above 0 there is an optimum even
            where every clip is right; Platt (1999) takes 1 / (N + 2), what N clips cannot rule out.
    """
    true_N = (1 - smoothing) * logits_NK[np.arange(len(logits_NK)), labels_N] + smoothing * logits_NK.mean(axis=1)

    def too_bold(temperature: float) -> bool:
        """Whether the likelihood falls with 1/T: the mean logit at T exceeds that of the true class."""
        expected_N = (softmax(logits_NK / temperature) * logits_NK).sum(axis=1)
        return float((expected_N - true_N).mean()) > 0

    low, high = np.log(COLDEST), np.log(HOTTEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if too_bold(float(np.exp(middle))) else (low, middle)
    return float(np.exp((low + high) / 2))
