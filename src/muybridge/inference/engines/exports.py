"""An export on disk: a folder with the model's files and an ``export.json`` that says what they are.

The JSON is written last, holds the checksums of the files and of the weights that they were made of, and what the
check against torch found: so a damaged or stale export is noticed, and the fastest sound one can be picked.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from muybridge.errors import UserError
from muybridge.files import content_hash, write_json
from muybridge.inference.engines.engine import EngineName, Precision
from muybridge.schemas import Classes, Described, Sha256, convert, read_json, require_sealed, sealed
from muybridge.text import percent

EXPORTS_FOLDER = "exports"
EXPORT_FILE = "export.json"
FORMAT = "muybridge-export"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Parity:
    """How an exported model compares with the one in torch, on clips of the run that are not test clips.

    Attributes:
        clips: Clips compared.
        training_clips: How many of them are training clips; the others are validation clips.
        maximum_difference: Of the probability of any class of any clip.
        changed_top1: Clips whose most probable class is another.
        validation_clips: Validation clips that accuracy was counted on; those that do not decode are left out.
        torch_correct: Of these, right in torch.
        correct: Of these, right in the exported model.
        passed: Whether the differences are allowed.
    """

    clips: int
    training_clips: int
    maximum_difference: float
    changed_top1: int
    validation_clips: int
    torch_correct: int
    correct: int
    passed: bool

    @property
    def points_lost(self) -> float:
        """Accuracy on the validation clips that the export costs, in percent points; negative for a gain."""
        return 100 * (self.torch_correct - self.correct) / max(1, self.validation_clips)

    def __str__(self) -> str:
        return (
            f"against torch on {self.clips} clips ({self.training_clips} training, {self.clips - self.training_clips} "
            f"validation): largest difference of a probability {self.maximum_difference:.2g}, top-1 changed in "
            f"{self.changed_top1}; validation accuracy {_share(self.torch_correct, self.validation_clips)} -> "
            f"{_share(self.correct, self.validation_clips)} clips"
        )


@dataclass(frozen=True)
class StreamCheck:
    """How the graph of one step compares with the model in torch on whole clips.

    Attributes:
        clips: Validation clips, each sent frame by frame.
        maximum_difference: Of the score of any class at the last frame, as a share of the clip's largest score.
        milliseconds: Median of a frame.
    """

    clips: int
    maximum_difference: float
    milliseconds: float

    def __str__(self) -> str:
        return (
            f"frame by frame on {self.clips} validation clips: scores differ from those of whole clips by at most "
            f"{self.maximum_difference:.2g} of the largest; {self.milliseconds:.1f} ms a frame"
        )


@dataclass(frozen=True)
class Latency:
    """Times of one clip at a time, in turns with torch in one process, without decoding.

    Attributes:
        milliseconds: Median of the export.
        torch_milliseconds: Median of the model in torch.
        rounds: Times each was run.
        frames: T of the clip.
        threads: Of both.
        processor: The machine's.
    """

    milliseconds: float
    torch_milliseconds: float
    rounds: int
    frames: int
    threads: int
    processor: str

    @property
    def ratio(self) -> float:
        """How many times faster than torch."""
        return self.torch_milliseconds / self.milliseconds

    def __str__(self) -> str:
        return (
            f"one clip of {self.frames} frames: {self.milliseconds:.1f} ms, torch {self.torch_milliseconds:.1f} ms: "
            f"{self.ratio:.2f} times as fast (medians of {self.rounds} in turns, {self.threads} threads)"
        )


@dataclass(frozen=True)
class Export:
    """What ``export.json`` says.

    Attributes:
        engine: Which engine runs it.
        precision: What it computes in.
        classes: Names of the K classes, in the order of the scores.
        preprocessing: How the input is made from a video: sampler, size_px, windows, combine.
        source_weights_sha256: Checksum of the weights of the model that was exported.
        folded: Torch only: names of convolutions with the batch norm folded into each.
        calibration_clips: Int8 only: training clips that the ranges were observed on.
        parity: The check against torch.
        latency: The times.
        versions: Of the packages that made it.
        files: SHA-256 of each file next to this one.
        stream: The check of the graph of one step, where there is one.
    """

    engine: EngineName
    precision: Precision
    classes: Classes
    preprocessing: dict[str, Any]
    source_weights_sha256: Sha256
    folded: tuple[tuple[str, str], ...]
    calibration_clips: int | None
    parity: Parity
    latency: Latency
    versions: dict[str, str]
    files: dict[str, str]
    stream: StreamCheck | None = None

    @property
    def name(self) -> str:
        """Engine and precision, which is also the name of the folder."""
        return f"{self.engine}-{self.precision}"

    def save(self, folder: Path) -> None:
        """Write ``export.json``."""
        write_json(folder / EXPORT_FILE, sealed({"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}))

    @classmethod
    def load(cls, folder: Path) -> "Export":
        """Read ``export.json``.

        Raises:
            UserError: If it is damaged or of another version.
        """
        path = folder / EXPORT_FILE
        content = read_json(path)
        content.pop("checksum", None)
        described = convert(content, Described, where=str(path), hint="export again")
        if (described.format, described.format_version) != (FORMAT, FORMAT_VERSION):
            raise UserError(f"{path} is not a {FORMAT} of version {FORMAT_VERSION}; export again")
        del content["format"], content["format_version"]
        export = convert(content, cls, where=str(path), hint="export again")
        if any(Path(name).name != name for name in export.files) or not export.files:
            raise UserError(f"{path} is damaged: its files are not next to it; export again")
        require_sealed(path)
        return export

    def check_files(self, folder: Path) -> None:
        """Check that the files are those that were written.

        Raises:
            UserError: If one is missing or damaged.
        """
        for name, checksum in self.files.items():
            if not (folder / name).is_file() or content_hash(folder / name) != checksum:
                raise UserError(f"{folder / name} is missing or damaged; make it again with muybridge export --force")


def find_exports(run: Path) -> dict[str, Path]:
    """The exports of a run: folders by name. Temporary folders of an export under way do not count."""
    found = sorted((run / EXPORTS_FOLDER).glob(f"*/{EXPORT_FILE}"))
    return {path.parent.name: path.parent for path in found if not path.parent.name.startswith(".")}


def _share(correct: int, clips: int) -> str:
    return f"{percent(correct / max(1, clips))} ({correct} of {clips})"
