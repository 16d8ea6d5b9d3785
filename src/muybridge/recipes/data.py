"""Which clips there are and how they are divided, as plain values."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from muybridge.dataset.protocols import Protocol


@dataclass(frozen=True)
class DataConfig:
    """Which clips, and how they are divided."""

    protocol: Annotated[Protocol, Parameter(alias="--protocol")] = "auto"
    """How clips are divided. grouped: whole source groups; official-N: the data set's lists; random: by file, as
    in the report (leaks); given: the CSV's split column; auto: given if there is such a column, else grouped."""

    classes: tuple[str, ...] = ()
    """Only these classes. Empty: all."""

    class_count: Annotated[int, Parameter(alias="--class-count")] = 0
    """Only this many classes, in alphabetical order (the report: 4, 9, 16, 25, 51). 0: all."""

    test_groups: tuple[str, ...] = ()
    """grouped only: exactly these source groups are the test part (g08 means g08 of every class)."""

    test_share: float = 0.2
    """grouped only: share of the clips in the test part."""

    validation_share: float = 0.2
    """Share of the other clips that chooses the best epoch (random: always the report's 33 %)."""

    lists: str = ""
    """Folder of the official lists. Empty: looked for beside the clips."""

    split_seed: int = 0
    """Seed of the division."""
