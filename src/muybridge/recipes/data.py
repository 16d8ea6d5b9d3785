"""Which clips there are and how they are divided, as plain values."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from muybridge.dataset.annotations.rules import MissingVideos, TimeUnit
from muybridge.dataset.choices import AlikeLabels, Background
from muybridge.dataset.protocol_names import Protocol
from muybridge.errors import UserError

MOST_FOLDS = 1000
MOST_GUARD_SECONDS = 3600.0
MOST_FPS = 10_000.0
MOST_BUFFER = 10_000_000


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
    """Seed of the division, and of the draw of background."""

    background: Background = "none"
    """Long videos with segments: time without one as a class of its own, background, in clips as long as the segments.
    auto: as many clips as the median class has; all: all that fits; none: no such class."""

    background_guard_seconds: float = 0.5
    """How far background keeps away from every segment, in seconds."""

    annotation_unit: Annotated[TimeUnit, Parameter(alias="--annotations.unit")] = "seconds"
    """What start and end of a CSV are. seconds: seconds, mm:ss or hh:mm:ss.mmm; frames: frame numbers from 0, the end
    no longer part of it. Other annotation files say it themselves."""

    annotation_tier: Annotated[str, Parameter(alias="--annotations.tier")] = ""
    """Which tier of an ELAN file has the labels (of VIA which attribute, of Label Studio which control); * and ? stand
    for any characters. Empty: the only one."""

    annotation_fps: Annotated[float, Parameter(alias="--annotations.fps")] = 0.0
    """Frames a second that the frame numbers of annotations count, such as frameRate of Label Studio. 0: they count the
    frames of the file."""

    annotation_missing: Annotated[MissingVideos, Parameter(alias="--annotations.missing")] = "error"
    """Videos that annotations name and that are not there. error: an error that names them; skip: left out."""

    decoder: Literal["cpu", "nvdec"] = "cpu"
    """What decodes clips for training. nvdec: an NVIDIA GPU, with the same frames; a codec that it does not know is an
    error of that clip."""

    streaming: Literal["auto", "on", "off"] = "auto"
    """on: clips in shards (see pack) are read from front to back, in every epoch or, where the encoder is frozen, once,
    and no decoded frames are kept. off: they are kept, and epochs read them. auto: on where they would take more than
    cache.budget_gb."""

    shuffle_buffer: int = 4096
    """With streaming: how many clips wait to be drawn from, not decoded yet. Shards come in a new order each epoch, and
    stretches of several are read side by side."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            UserError: For one that makes no sense, or folds next to another division.
        """
        if not 0 <= self.background_guard_seconds <= MOST_GUARD_SECONDS:
            raise UserError(
                f"data.background_guard_seconds is {self.background_guard_seconds:g}; give 0 to {MOST_GUARD_SECONDS:g}"
            )
        if not 0 <= self.annotation_fps <= MOST_FPS:
            raise UserError(f"data.annotation_fps is {self.annotation_fps:g}; give 0 to {MOST_FPS:g}")
        if not 1 <= self.shuffle_buffer <= MOST_BUFFER:
            raise UserError(f"data.shuffle_buffer is {self.shuffle_buffer}; give 1 to {MOST_BUFFER}")
        if not 0 <= self.folds <= MOST_FOLDS or self.folds == 1:
            raise UserError(f"data.folds is {self.folds}; give 2 to {MOST_FOLDS}, or 0 for a single test part")
        if self.folds and (self.protocol not in ("auto", "grouped") or self.test_groups):
            other = "data.test_groups" if self.test_groups else f"data.protocol {self.protocol}"
            raise UserError(f"data.folds {self.folds} divides by source group, and so does not go with {other}")
