"""What a model said about each clip: plain values, and a CSV file that keeps them without loss.

Everything else in this room is computed from `Predictions`, so a run can be measured again, years later and
with other metrics, from its predictions.csv alone. A clip that could not be decoded stays in the table, with
its reason in place of probabilities; it is never dropped.

Legend: N clips, K classes.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from muybridge.errors import UserError
from muybridge.files import write_rows
from muybridge.text import original_cell, printable

_FIXED_COLUMNS = ("clip", "path", "group", "label", "predicted", "correct", "score", "error")
# Class columns carry a prefix, so that a class called "label" or "error" collides with nothing.
_CLASS_PREFIX = "p:"
# Half-precision networks return probabilities that do not add up to 1 exactly.
_SUM_TOLERANCE = 0.02


@dataclass(frozen=True, eq=False)
class ClipPrediction:
    """The scores of one clip, or why there are none.

    Attributes:
        clip_id: unique name of the clip.
        path: its video file, as the user wrote it.
        label: the true class.
        group: the source it was cut from, named so that no two sources share a name; None when unknown.
        probabilities: float64, length K, in the order of the classes; None when the clip could not be
            decoded.
        error: why it could not be decoded; None when it could.
        familiarity: how much it looks like one of the classes (``inference.rejection``); None where nothing says so, as
            in what was read from a file: predictions.csv does not keep it.
        none_of_these: whether the model said that it shows none of the classes; not kept either.
    """

    clip_id: str
    path: str
    label: str
    group: str | None
    probabilities: NDArray[np.float64] | None
    error: str | None = None
    familiarity: float | None = None
    none_of_these: bool = False

    def __post_init__(self) -> None:
        for field in ("clip_id", "path", "label", "group", "error"):
            if (text := getattr(self, field)) is not None:
                object.__setattr__(self, field, printable(text))
        if (self.probabilities is None) == (self.error is None):
            raise ValueError(f"clip {self.clip_id}: give either probabilities or an error")
        if self.group == "" or self.error == "":
            raise ValueError(f"clip {self.clip_id}: an absent group or error is None, not an empty text")
        if self.probabilities is not None:
            probabilities = np.array(self.probabilities, dtype=np.float64)  # a copy: nobody else can change it
            if probabilities.ndim != 1 or not np.all(np.isfinite(probabilities)) or np.any(probabilities < 0):
                raise ValueError(f"clip {self.clip_id}: probabilities must be one row, finite and not negative")
            if abs(probabilities.sum() - 1) > _SUM_TOLERANCE:
                raise ValueError(f"clip {self.clip_id}: probabilities add up to {probabilities.sum():.4f}, not 1")
            probabilities.flags.writeable = False
            object.__setattr__(self, "probabilities", probabilities)


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions for a set of clips over one list of classes, checked to fit together.

    Attributes:
        classes: the K class names, in the order of the probabilities.
        clips: one entry per clip, decoded or not.

    Raises:
        ValueError: on repeated classes or clips, a label outside the classes, or a wrong number of
            probabilities.
    """

    classes: tuple[str, ...]
    clips: tuple[ClipPrediction, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(map(printable, self.classes)))
        if len(set(self.classes)) != len(self.classes) or not self.classes:
            raise ValueError("classes must be a non-empty list of distinct names")
        seen: set[str] = set()
        for clip in self.clips:
            if clip.clip_id in seen:
                raise ValueError(f"clip {clip.clip_id} is there twice")
            seen.add(clip.clip_id)
            if clip.label not in self._index:
                raise ValueError(f"clip {clip.clip_id}: its label {clip.label!r} is not one of the classes")
            if clip.probabilities is not None and len(clip.probabilities) != len(self.classes):
                raise ValueError(
                    f"clip {clip.clip_id}: {len(clip.probabilities)} probabilities, {len(self.classes)} classes"
                )

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.classes)}

    @cached_property
    def labels_N(self) -> NDArray[np.int64]:
        """Index of the true class of each clip."""
        return np.array([self._index[clip.label] for clip in self.clips], dtype=np.int64)

    @cached_property
    def decoded_N(self) -> NDArray[np.bool_]:
        """Whether each clip could be decoded, and so has probabilities."""
        return np.array([clip.probabilities is not None for clip in self.clips], dtype=bool)

    @cached_property
    def probabilities_NK(self) -> NDArray[np.float64]:
        """Probabilities of all clips; a row of NaN for a clip that could not be decoded."""
        table_NK = np.full((len(self.clips), len(self.classes)), np.nan)
        for row_K, clip in zip(table_NK, self.clips, strict=True):
            if clip.probabilities is not None:
                row_K[:] = clip.probabilities
        return table_NK

    @cached_property
    def predicted_N(self) -> NDArray[np.int64]:
        """Index of the most probable class, the first on a tie; -1 for a clip that could not be decoded."""
        predicted_N = np.full(len(self.clips), -1, dtype=np.int64)
        predicted_N[self.decoded_N] = self.probabilities_NK[self.decoded_N].argmax(axis=1)
        return predicted_N

    @cached_property
    def correct_N(self) -> NDArray[np.bool_]:
        """Whether the most probable class is the true one; False for a clip that could not be decoded."""
        correct_N: NDArray[np.bool_] = self.predicted_N == self.labels_N
        return correct_N

    def write_csv(self, path: Path) -> None:
        """Write predictions.csv, whole or not at all.

        One row per clip: clip, path, group, label, predicted, correct (1 or 0), score (of the predicted
        class), error, then the probability of each class under ``p:<class>``. Numbers are written so that
        reading returns the identical float64.
        """
        columns = [*_FIXED_COLUMNS, *(_CLASS_PREFIX + name for name in self.classes)]

        def rows() -> Iterator[dict[str, Any]]:  # one at a time: 1,000 classes make long ones
            for clip, predicted, correct in zip(self.clips, self.predicted_N, self.correct_N, strict=True):
                if clip.probabilities is None:
                    answer, scores = ["", 0, "", clip.error], [""] * len(self.classes)
                else:
                    scores = [repr(value) for value in clip.probabilities.tolist()]
                    answer = [self.classes[predicted], int(correct), scores[predicted], ""]
                cells = [clip.clip_id, clip.path, clip.group or "", clip.label, *answer, *scores]
                yield dict(zip(columns, cells, strict=True))

        write_rows(path, rows(), columns=columns)

    @classmethod
    def read_csv(cls, path: Path) -> Self:
        """Read what `write_csv` wrote; predicted, correct and score are worked out afresh.

        Raises:
            UserError: if the file is missing or not such a table; the message names the line.
        """
        try:
            with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
                rows = csv.reader(file)
                header = next(rows, [])
                classes = tuple(name.removeprefix(_CLASS_PREFIX) for name in header[len(_FIXED_COLUMNS) :])
                if header != [*_FIXED_COLUMNS, *(_CLASS_PREFIX + name for name in classes)]:
                    raise UserError(f"{path}: not a predictions file: its first line is not {_FIXED_COLUMNS}, p:...")
                clips = []
                for row in rows:
                    try:
                        clips.append(_clip_from_row(row, columns=len(header)))
                    except ValueError as error:
                        raise UserError(f"{path}, line {rows.line_num}: {error}") from error
        except OSError as error:
            raise UserError(f"{path}: cannot read the predictions: {error.strerror}") from error
        except csv.Error as error:
            raise UserError(f"{path}, line {rows.line_num}: not a CSV row ({error})") from error
        try:
            return cls(classes=classes, clips=tuple(clips))
        except ValueError as error:
            raise UserError(f"{path}: {error}") from error


def _clip_from_row(row: Sequence[str], *, columns: int) -> ClipPrediction:
    if len(row) != columns:
        raise ValueError(f"{len(row)} fields where the first line has {columns}")
    clip_id, path, group, label, _predicted, _correct, _score, error = map(original_cell, row[: len(_FIXED_COLUMNS)])
    probabilities = None if error else np.array([float(text) for text in row[len(_FIXED_COLUMNS) :]])
    return ClipPrediction(clip_id, path, label, group or None, probabilities, error or None)
