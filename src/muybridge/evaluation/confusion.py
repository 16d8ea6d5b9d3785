"""The part of a confusion matrix that a reader can take in: all of it, or the classes with the most mistakes.

Legend: K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_CLASSES = 101
"""Up to this many classes the whole matrix is shown (UCF101 has so many)."""

HARDEST_CLASSES = 40
"""So many classes are shown of more."""


@dataclass(frozen=True, eq=False)
class ShownConfusion:
    """A confusion matrix to look at.

    Attributes:
        counts: clips, shape (rows, columns); the first columns are the rows' classes, in their order.
        rows: names of the true classes.
        columns: names of the answers: the rows' classes, then ``(other classes)`` where some are left out, then
            ``(undecodable)`` where a clip is.
        share: share of the clips of the true class, 0..1, same shape as ``counts``.
        of_classes: K, of which the rows may be a part.
    """

    counts: NDArray[np.int64]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    share: NDArray[np.float64]
    of_classes: int

    @property
    def is_whole(self) -> bool:
        """Whether every class is shown."""
        return len(self.rows) == self.of_classes


def shown_confusion(matrix: NDArray[np.int64], classes: Sequence[str]) -> ShownConfusion:
    """Choose what to show of a confusion matrix.

    Args:
        matrix: counts, shape (K, K + 1): true class by predicted class, last column undecodable.
        classes: the K names.

    Raises:
        ValueError: if the shape is another.
    """
    count = len(classes)
    if matrix.shape != (count, count + 1):
        raise ValueError(f"{count} classes need a matrix of shape {(count, count + 1)}, got {matrix.shape}")
    chosen = np.arange(count) if count <= MOST_CLASSES else _hardest(matrix)
    names = tuple(classes[number] for number in chosen)
    parts, columns = [matrix[np.ix_(chosen, chosen)]], list(names)
    if len(chosen) < count:
        left_out = np.setdiff1d(np.arange(count), chosen)
        parts.append(matrix[np.ix_(chosen, left_out)].sum(axis=1, keepdims=True))
        columns.append("(other classes)")
    if matrix[chosen, -1].any():
        parts.append(matrix[chosen, -1:])
        columns.append("(undecodable)")
    counts = np.concatenate(parts, axis=1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return ShownConfusion(counts, names, tuple(columns), share, count)


def _hardest(matrix: NDArray[np.int64]) -> NDArray[np.intp]:
    """Indices, in the order of the classes, of those that most wrong clips are from or are taken for."""
    wrong = matrix[:, :-1].copy()
    np.fill_diagonal(wrong, 0)
    mistakes = wrong.sum(axis=0) + wrong.sum(axis=1) + matrix[:, -1]
    return np.sort(np.argsort(-mistakes, kind="stable")[:HARDEST_CLASSES])
