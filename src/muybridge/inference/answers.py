"""What a model says of a clip, and how that is shown.

Axes: K classes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from muybridge import notebook
from muybridge.errors import UserError
from muybridge.inference.rejection import NONE_OF_THESE

# Classes that a notebook shows.
_BARS = 5

Scores = npt.NDArray[np.float64]
"""The probabilities of the K classes."""


class Answer(NamedTuple):
    """What a model says of one clip.

    Attributes:
        probabilities: Of its classes.
        none_of_these: Whether the clip shows none of them.
        familiarity: What that was read off: see ``inference.rejection``; None of an ensemble, which has no limit.
    """

    probabilities: Scores
    none_of_these: bool = False
    familiarity: float | None = None


@dataclass(frozen=True)
class Prediction:
    """What a recognizer says of one video.

    Attributes:
        path: The video file; None for frames.
        ranking: (class name, probability) from most to least probable, all K classes; empty on an error.
        error: Why the video could not be decoded, or None.
        none_of_these: Whether it shows none of the classes, as far as the model can tell; the ranking then says which
            come nearest.
        address: Where it was fetched from, without credentials; None for a file.
    """

    path: Path | None
    ranking: tuple[tuple[str, float], ...]
    error: str | None = None
    none_of_these: bool = False
    address: str | None = None

    @property
    def label(self) -> str:
        """The most probable class, whether or not the video shows one of them.

        Raises:
            UserError: The video could not be decoded.
        """
        return self._first[0]

    @property
    def score(self) -> float:
        """The probability of the most probable class.

        Raises:
            UserError: The video could not be decoded.
        """
        return self._first[1]

    @property
    def _first(self) -> tuple[str, float]:
        if self.error is not None:
            raise UserError(f"there is no answer for {self}")
        return self.ranking[0]

    @property
    def _name(self) -> str:
        if self.address is not None:
            return self.address
        return "frames" if self.path is None else str(self.path)

    def __str__(self) -> str:
        if self.error:
            return f"{self._name}: {self.error}"
        nearest = f"{self.label}, {self.score:.2f}"
        return f"{NONE_OF_THESE} (nearest: {nearest})" if self.none_of_these else nearest

    def _repr_html_(self) -> str:
        """The answer in a notebook: the class, and bars of the most probable ones."""
        if self.error is not None:
            return notebook.card(self._name, notebook.line(self.error))
        return notebook.card(
            str(self), notebook.bars(self.ranking[:_BARS]), notebook.facts({"video": self.address or self.path})
        )

    def describe(self, top: int) -> str:
        """One line: the file and its ``top`` most probable classes, or why it could not be decoded."""
        if self.error is not None:
            return f"{self._name}: {self.error}"
        actions = "  ".join(f"{label}, {score:.2f}" for label, score in self.ranking[:top])
        return f"{self._name}  {f'{NONE_OF_THESE}; nearest: ' if self.none_of_these else ''}{actions}"

    def to_dict(self, top: int) -> dict[str, Any]:
        """Plain values for JSON."""
        actions = [{"label": label, "score": round(score, 6)} for label, score in self.ranking[:top]]
        return {
            "path": self.address or (None if self.path is None else str(self.path)),
            "actions": actions,
            "none_of_these": self.none_of_these,
            "error": self.error,
        }
