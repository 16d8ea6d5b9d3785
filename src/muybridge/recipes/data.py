"""Which clips there are and how they are divided, as plain values."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from muybridge.dataset.protocol_names import Protocol


@dataclass(frozen=True)
class DataConfig:
    """Which clips, and how they are divided."""

    protocol: Annotated[Protocol, Parameter(alias="--protocol")] = "auto"
    """How clips are divided into training, validation and test part. grouped: whole source groups; official-N: the
    data set's lists; random: by file, as in the paper (leaks); given: the CSV's split column; auto: given if there is
    such a column, else grouped."""

    classes: Annotated[tuple[str, ...], Parameter(alias="--classes")] = ()
    """Only these classes. Empty: all."""

    class_count: Annotated[int, Parameter(alias="--class-count")] = 0
    """Only this many classes, in alphabetical order (the paper: 4, 9, 16, 25, 51). 0: all."""

    test_groups: Annotated[tuple[str, ...], Parameter(alias="--test-groups")] = ()
    """Source groups to test on, for example g08 g09. grouped only: exactly these are the test part (g08 means g08 of
    every class). Empty: drawn by split_seed."""

    test_share: float = 0.2
    """grouped only: share of the clips in the test part."""

    validation_share: float = 0.2
    """Share of the other clips that chooses the best epoch (random: always the paper's 33 %)."""

    lists: Annotated[str, Parameter(alias="--lists")] = ""
    """Folder of the official lists. Empty: looked for next to the clips."""

    split_seed: int = 0
    """Seed of the division."""
