"""What an accuracy has to be above to mean anything: two answers that know no action.

The most frequent class of the training clips, for every test clip; and the class of the training clip with the
nearest colours (see `colours`). Both are measured on the very test clips of the accuracy beside which they stand.
"""

from dataclasses import dataclass
from typing import Any

from muybridge.run_schemas import FloorsEntry, RightClips
from muybridge.text import percent


@dataclass(frozen=True)
class Floor:
    """How many of the test clips an answer without any model gets right."""

    correct: int
    clips: int

    @property
    def value(self) -> float:
        """The accuracy, 0..1."""
        return self.correct / self.clips

    def __str__(self) -> str:
        return f"{percent(self.value)} ({self.correct} of {self.clips})"


@dataclass(frozen=True)
class Floors:
    """The floors of one accuracy.

    Attributes:
        majority: Of the most frequent class of the training clips; None if it is not known what they are.
        majority_class: That class; empty where folds have different ones.
        colours: Of the nearest colours; None if it could not be computed.
        absent: Why one of them is None, in words; empty if none is.
    """

    majority: Floor | None = None
    majority_class: str = ""
    colours: Floor | None = None
    absent: str = ""

    def __str__(self) -> str:
        known = [f"{floor} by {name}" for name, floor in self.named()]
        if self.absent:
            known.append(f"{'' if known else 'unknown: '}{self.absent}")
        return f"floors: {'; '.join(known)}"

    def named(self) -> list[tuple[str, Floor]]:
        """Those that there are, with what answers."""
        always = f"always answering {self.majority_class}" if self.majority_class else "the most frequent class"
        pairs = ((always, self.majority), ("the nearest colours", self.colours))
        return [(name, floor) for name, floor in pairs if floor is not None]

    def not_beaten_by(self, correct: int) -> str | None:
        """The floor that a model with so many clips right is not above, in words; None if it is above all."""
        names = [name for name, floor in self.named() if correct <= floor.correct]
        return f"the model is right no more often than {' or '.join(names)}" if names else None

    def to_dict(self) -> dict[str, Any]:
        """The floors as plain values; shares are 0..1."""

        def plain(floor: Floor | None) -> dict[str, Any] | None:
            return None if floor is None else {"value": floor.value, "correct": floor.correct, "clips": floor.clips}

        return {
            "majority": plain(self.majority),
            "majority_class": self.majority_class,
            "colours": plain(self.colours),
            "absent_because": self.absent or None,
        }

    @classmethod
    def of_values(cls, values: FloorsEntry) -> "Floors":
        """The floors that `to_dict` described, as they were read."""

        def floor(right: RightClips | None) -> Floor | None:
            return None if right is None else Floor(right.correct, right.clips)

        return cls(floor(values.majority), values.majority_class, floor(values.colours), values.absent_because or "")
