"""None of these: the answer for an action that no class covers.

A clip is taken for unknown when its highest logit is low: the features then point in no class's direction. A softmax
hides that, because it divides by the sum of all classes. The limit is set where few clips of the known classes fall
below it; no clip of an unknown class is needed, and no test clip.

Source: Hendrycks et al., Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022, section 3 (the
maximum logit).

Axes: V views, K classes, N clips.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.run_schemas import Threshold

NONE_OF_THESE = "none of these"


@dataclass(frozen=True)
class Rejection:
    """When a clip shows none of the classes.

    Attributes:
        threshold: A clip whose familiarity is lower shows none of them.
        false_alarms: The share of clips of the classes that were allowed to fall below.
        clips: How many clips it was set on, none of which the scoring model had been fitted on.
    """

    threshold: float
    false_alarms: float
    clips: int

    @classmethod
    def of_known(cls, logits_NK: NDArray[np.float64], *, false_alarms: float) -> "Rejection | None":
        """Set the threshold on clips of the classes that the model was not fitted on.

        Args:
            logits_NK: Their logits.
            false_alarms: The share of them that may be called none of these, above 0 and below 1.

        Returns:
            The rule; None where so few clips cannot show such a share: 5 % of fewer than 20 is none of them.
        """
        if len(logits_NK) * false_alarms < 1:
            return None
        familiar_N = logits_NK.max(axis=1)
        return cls(float(np.quantile(familiar_N, false_alarms, method="lower")), false_alarms, len(familiar_N))

    @classmethod
    def of_values(cls, values: Threshold) -> "Rejection":
        """What ``to_dict`` returned, as it was read."""
        return cls(values.threshold, values.false_alarms, values.clips)

    def rejects(self, logits_VK: NDArray[np.float64]) -> bool:
        """Whether a clip, by the logits of its views, shows none of the classes."""
        return familiarity(logits_VK) < self.threshold

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


def familiarity(logits_VK: NDArray[np.float64]) -> float:
    """How much a clip looks like one of the classes: the highest logit, of the mean over its views."""
    return float(logits_VK.mean(axis=0).max())
