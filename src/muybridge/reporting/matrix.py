"""A confusion matrix as a table of the page: its names stay in sight while it is scrolled, on a phone, too."""

import math
from dataclasses import dataclass

from muybridge.evaluation.confusion import ShownConfusion, shown_confusion
from muybridge.evaluation.evaluation import Evaluation
from muybridge.text import abbreviated, counted

SHADES = 9
"""Shades of a cell, from a single confused clip of many to all clips of a class; an empty cell has none."""

_LABEL_CHARACTERS = 24


@dataclass(frozen=True)
class MatrixCell:
    """A cell with clips: how many, its shade (1 to ``SHADES``), and what it says when pointed at."""

    clips: int
    shade: int
    text: str


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix.

    Attributes:
        columns: shortened and full name of each answer.
        rows: of each true class the shortened and the full name, and its cells; None for an empty cell.
        of_classes: number of all classes, of which the rows may be a part.
        size: how large its cells can be: ``"large"``, ``"medium"`` or ``"small"``.
    """

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str, tuple[MatrixCell | None, ...]], ...]
    of_classes: int
    size: str

    @property
    def is_whole(self) -> bool:
        """Whether every class is shown."""
        return len(self.rows) == self.of_classes


def matrix_of(evaluation: Evaluation) -> Matrix:
    """The confusion matrix of an evaluation; of very many classes those with the most mistakes."""
    shown = shown_confusion(evaluation.confusion, evaluation.classes)
    count = len(shown.rows)
    return Matrix(
        columns=tuple((_short(name), name) for name in shown.columns),
        rows=tuple(
            (_short(name), name, tuple(_cell(shown, row, column) for column in range(len(shown.columns))))
            for row, name in enumerate(shown.rows)
        ),
        of_classes=shown.of_classes,
        size="large" if count <= 12 else "medium" if count <= 24 else "small",
    )


def _cell(shown: ShownConfusion, row: int, column: int) -> MatrixCell | None:
    clips = int(shown.counts[row, column])
    if not clips:
        return None
    # The square root keeps a single confused clip visible next to a full diagonal.
    shade = math.ceil(SHADES * math.sqrt(float(shown.share[row, column])))
    return MatrixCell(clips, shade, f"{shown.rows[row]} → {shown.columns[column]}: {counted(clips, 'clip')}")


def _short(name: str) -> str:
    return abbreviated(name, _LABEL_CHARACTERS)
