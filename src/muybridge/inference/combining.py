"""How an ensemble makes one answer out of the answers of its members.

Everything here works on probabilities. The average of logits does too: the logarithms of a model's probabilities
are its logits up to a constant for each clip, and the softmax of the average is the same for both. (For a member
that averages several views of a clip, its probabilities are the averaged ones.)

Axes: M members, N clips, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from muybridge.inference.predictions import ClipPrediction, Predictions
from muybridge.inference.probabilities import log, softmax, tempered, vote
from muybridge.run_schemas import CombinationValues

Rule = Literal["mean", "logits", "vote", "weighted"]
RULES: tuple[str, ...] = get_args(Rule)
DESCRIPTIONS: dict[Rule, str] = {
    "mean": "average of probabilities",
    "logits": "average of logits",
    "vote": "majority vote, ties by the sum of probabilities",
    "weighted": "average of probabilities with weights fitted on validation",
}


@dataclass(frozen=True)
class Combination:
    """A rule with its numbers.

    Attributes:
        rule: ``mean``: the average of the members' probabilities (the paper's); ``logits``: the average of their
            logits, which is the normalised geometric mean of the probabilities; ``vote``: each member has one vote
            for its most probable class, the probabilities are shares of the votes, and a tie goes to the class
            with the largest sum of probabilities (see `vote`); ``weighted``: an average of probabilities with
            weights.
        weights: of each member, at least 0, adding up to 1; equal under all rules but ``weighted``.
        temperatures: of each member, applied to its probabilities before anything else (see `tempered`).

    Raises:
        ValueError: If the numbers do not fit the rule or each other.
    """

    rule: Rule
    weights: tuple[float, ...]
    temperatures: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"unknown rule {self.rule!r}; choose from {', '.join(RULES)}")
        if not self.weights or len(self.weights) != len(self.temperatures):
            raise ValueError(
                f"{len(self.weights)} weights and {len(self.temperatures)} temperatures; a member has one of each"
            )
        if not np.isfinite(self.weights).all() or min(self.weights) < 0 or abs(sum(self.weights) - 1) > 1e-6:
            raise ValueError(f"weights must be 0 or more and add up to 1, got {self.weights}")
        if self.rule != "weighted" and max(self.weights) - min(self.weights) > 1e-6:
            raise ValueError(f"rule {self.rule} takes equal weights, got {self.weights}")
        if not np.isfinite(self.temperatures).all() or min(self.temperatures) <= 0:
            raise ValueError(f"temperatures must be above 0, got {self.temperatures}")

    @classmethod
    def equal(cls, members: int, *, rule: Rule = "mean") -> "Combination":
        """A rule with equal weights and without temperatures."""
        return cls(rule, (1 / members,) * members, (1.0,) * members)

    def __call__(self, probabilities_MK: NDArray[np.float64]) -> NDArray[np.float64]:
        """The ensemble's probabilities for one clip, length K, from those of its members."""
        scaled_MK = np.stack([tempered(row_K, t) for row_K, t in zip(probabilities_MK, self.temperatures, strict=True)])
        if self.rule == "vote":
            return vote(scaled_MK)
        if self.rule == "logits":
            return softmax(log(scaled_MK).mean(axis=0))
        return np.asarray(self.weights @ scaled_MK)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"rule": self.rule, "weights": list(self.weights), "temperatures": list(self.temperatures)}

    @classmethod
    def of_values(cls, values: CombinationValues) -> "Combination":
        """What `to_dict` returned, as it was read.

        Raises:
            ValueError: If the numbers do not fit the rule or each other.
        """
        return cls(values.rule, values.weights, values.temperatures)


def combine_predictions(members: Sequence[Predictions], combination: Combination) -> Predictions:
    """What an ensemble says, from what its members say of the same clips in the same order.

    A clip that some member could not decode is undecodable for the ensemble.

    Raises:
        ValueError: If the members' clips or classes differ.
    """
    classes = members[0].classes
    if any(member.classes != classes for member in members):
        raise ValueError("the members' classes must be the same, in the same order")
    combined = []
    for answers in zip(*(member.clips for member in members), strict=True):
        first = answers[0]
        if any(answer.clip_id != first.clip_id for answer in answers):
            raise ValueError("the members' clips must be the same, in the same order")
        rows = [answer.probabilities for answer in answers if answer.probabilities is not None]
        error = next((answer.error for answer in answers if answer.error is not None), None)
        probabilities = None if error is not None else combination(np.stack(rows))
        combined.append(ClipPrediction(first.clip_id, first.path, first.label, first.group, probabilities, error))
    return Predictions(classes, tuple(combined))
