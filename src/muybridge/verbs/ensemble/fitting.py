"""Fitting the numbers of a combination: temperatures and weights, on validation clips.

Axes: M members, N clips.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from muybridge.errors import UserError
from muybridge.inference.calibration import fit_temperature
from muybridge.inference.combining import Combination, Rule
from muybridge.inference.predictions import Predictions
from muybridge.inference.probabilities import tempered
from muybridge.verbs.ensemble.mixture import fit_mixture_weights


def fit_combination(validation: Sequence[Predictions], *, rule: Rule, calibrate: bool) -> Combination:
    """Fit the numbers of a combination.

    Temperatures come first, one member at a time; then, under ``weighted``, the weights of the members as they are
    at these temperatures. A member that is right about every clip keeps temperature 1 (see `fit_temperature`).

    Args:
        validation: What each member says of the same clips in the same order, over the same classes; clips that
            no member was fitted on, and never test clips.
        rule: The rule.
        calibrate: Whether to fit temperatures.

    Raises:
        UserError: If there is something to fit and no clip could be decoded.
    """
    temperatures = [(fit_temperature(member) or 1.0) if calibrate else 1.0 for member in validation]
    equal = Combination(rule, Combination.equal(len(validation)).weights, tuple(temperatures))
    if rule != "weighted":
        return equal
    decoded_N = np.all([member.decoded_N for member in validation], axis=0)
    if not decoded_N.any():
        raise UserError(
            "no validation clip could be decoded, so no weights can be fitted; run muybridge check to see why"
        )
    labels_N = validation[0].labels_N[decoded_N]
    true_MN = np.stack(
        [
            tempered(member.probabilities_NK[decoded_N], temperature)[np.arange(len(labels_N)), labels_N]
            for member, temperature in zip(validation, temperatures, strict=True)
        ]
    )
    return replace(equal, weights=tuple(fit_mixture_weights(true_MN).tolist()))
