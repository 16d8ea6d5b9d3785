"""Which clips there are and how they are divided, as plain values."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from muybridge.dataset.labels import AlikeLabels
from muybridge.dataset.protocol_names import Protocol
from muybridge.errors import UserError

MOST_FOLDS = 1000


@dataclass(frozen=True)
class DataConfig:
    """Which clips, and how they are divided."""

    protocol: Annotated[Protocol, Parameter(alias="--protocol")] = "auto"
    """How clips are divided into training, validation and test part. grouped: whole source groups; official-N: the
    data set's lists; random: by file, as in the paper (leaks); given: the CSV's split column; auto: given if there is
    such a column, else grouped."""

    groups: str = "auto"
    """What each clip was cut from, its source group. auto: the CSV's group column, the names or folders of the files,
    where they tell it; none: not known; folder: the folder below the class that holds the clip; the name of a column
    of the CSV; look-alike: clips whose pictures look alike, as check proposes; or a regular expression whose first
    group is found in the file name, such as '(person[0-9]+)_' (with a slash: in the path)."""

    classes: Annotated[tuple[str, ...], Parameter(alias="--classes")] = ()
    """Only these classes. Empty: all."""

    class_count: Annotated[int, Parameter(alias="--class-count")] = 0
    """Only this many classes, in alphabetical order (the paper: 4, 9, 16, 25, 51). 0: all."""

    test_groups: Annotated[tuple[str, ...], Parameter(alias="--test-groups")] = ()
    """Source groups to test on, for example g08 g09. grouped only: exactly these are the test part (g08 means g08 of
    every class). Empty: drawn by split_seed."""

    alike_labels: AlikeLabels = "ask"
    """Labels that differ only in case, blanks or characters that do not show. ask: an error that names them; join: one
    class; keep: different classes."""

    folds: Annotated[int, Parameter(alias="--folds")] = 0
    """Cross-validation by source group: so many models, each tested on clips whose sources it never saw. Every clip is
    tested once, in place of one test part; frozen encoders see each clip once for all folds. 0: off."""

    test_share: float = 0.2
    """grouped only: share of the clips in the test part."""

    validation_share: float = 0.2
    """Share of the other clips that chooses the best epoch (random: always the paper's 33 %). 0: none; the last epoch
    is taken. A probe needs none."""

    lists: Annotated[str, Parameter(alias="--lists")] = ""
    """Folder of the official lists. Empty: looked for next to the clips."""

    split_seed: int = 0
    """Seed of the division."""

    def __post_init__(self) -> None:
        """Check the folds.

        Raises:
            UserError: For a number of folds that makes no sense, or folds next to another division.
        """
        if not 0 <= self.folds <= MOST_FOLDS or self.folds == 1:
            raise UserError(f"data.folds is {self.folds}; give 2 to {MOST_FOLDS}, or 0 for a single test part")
        if self.folds and (self.protocol not in ("auto", "grouped") or self.test_groups):
            other = "data.test_groups" if self.test_groups else f"data.protocol {self.protocol}"
            raise UserError(f"data.folds {self.folds} divides by source group, and so does not go with {other}")
