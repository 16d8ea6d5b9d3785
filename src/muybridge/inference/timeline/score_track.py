"""The scores of a long video, step by step.

Axes: N steps, K classes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from muybridge.inference.engines.engine import Logits
from muybridge.inference.probabilities import softmax


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreTrack:
    """What a model says of each moment of a video.

    Attributes:
        video: The file.
        classes: Names of the K classes.
        logits_NK: Score n is of the time from n to n + 1 steps.
        step_seconds: How long a step is.
        seconds: How long the video is.
        rejection_threshold: Where the highest logit of a step lies below it, none of the classes is shown; None where
            the model does not hold one.
    """

    video: Path
    classes: tuple[str, ...]
    logits_NK: Logits
    step_seconds: float
    seconds: float
    rejection_threshold: float | None = None

    def probabilities_NK(self) -> npt.NDArray[np.float64]:
        """The softmax of the scores."""
        return softmax(self.logits_NK.astype(np.float64))
