"""What the files of models and runs hold, as schemas; `schemas` reads files by them."""

from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from muybridge.schemas import (
    LONGEST_NAME,
    Classes,
    Count,
    Described,
    Name,
    Number,
    Part,
    Seconds,
    Sha256,
    Share,
    Temperature,
    Text,
    convert,
    read,
)


class Preprocessing(Struct, frozen=True, kw_only=True):
    """How a model's input is made from a video. Models saved before some of these existed leave them out."""

    sampler: dict[str, Any]
    size_px: Annotated[int, Meta(ge=1)]
    fit: Literal["squash", "crop"] = "squash"
    windows: Literal["one", "all"] = "one"
    combine: Literal["mean", "vote"] = "mean"
    sided_classes: tuple[Name, ...] = ()


class Threshold(Struct, frozen=True, kw_only=True):
    """When a clip shows none of the classes."""

    threshold: Number
    false_alarms: Share
    clips: Count


class ModelFile(Described, frozen=True, kw_only=True):
    """``model.json`` of a recognizer; ``model`` holds the options of its network, which their own class checks."""

    weights_sha256: Sha256
    model: dict[str, Any]
    classes: Classes
    preprocessing: dict[str, Any]
    unfinished: Text = ""
    none_of_these: Threshold | None = None
    refitted: tuple[Part, ...] = ()


class ModelState(Struct, frozen=True, kw_only=True):
    """What is asked of a ``model.json`` of either kind; an ensemble says neither."""

    unfinished: Text = ""
    refitted: tuple[Part, ...] = ()


class MemberEntry(Struct, frozen=True, kw_only=True):
    """A member of an ensemble's model."""

    name: Name
    model_json_sha256: Sha256


class CombinationValues(Struct, frozen=True, kw_only=True):
    """How members are combined."""

    rule: Literal["mean", "logits", "vote", "weighted"]
    weights: tuple[Share, ...]
    temperatures: tuple[Temperature, ...]


class EnsembleModelFile(Described, frozen=True, kw_only=True):
    """``model.json`` of an ensemble."""

    classes: Classes
    combination: CombinationValues
    members: Annotated[tuple[MemberEntry, ...], Meta(min_length=1, max_length=1000)]


class ClipEntry(Struct, frozen=True, kw_only=True):
    """A clip of a split; files of older versions say nothing of its last four."""

    path: Name
    label: Name
    group: Annotated[str, Meta(max_length=LONGEST_NAME)]
    start_seconds: Seconds | None = None
    end_seconds: Seconds | None = None
    group_known: bool = True
    size_bytes: Count | None = None
    sha256: Sha256 | None = None
    id: Name | None = None


class SplitFile(Struct, frozen=True, kw_only=True):
    """``split.json``."""

    protocol: Name
    seed: int
    hash: Sha256
    root: str
    notes: tuple[Text, ...]
    train: tuple[ClipEntry, ...]
    validation: tuple[ClipEntry, ...]
    test: tuple[ClipEntry, ...]


class RightClips(Struct, frozen=True, kw_only=True):
    """An accuracy as numbers of clips."""

    correct: Count
    clips: Annotated[int, Meta(ge=1, le=10**12)]


class ValidationClips(Struct, frozen=True, kw_only=True):
    """The same of validation clips, of which there may be none."""

    correct: Count
    clips: Count


class FloorsEntry(Struct, frozen=True, kw_only=True):
    """What an accuracy has to be above; runs of older versions have none."""

    majority: RightClips | None
    majority_class: str
    colours: RightClips | None
    absent_because: Text | None


class EvaluationFile(Struct, frozen=True, kw_only=True):
    """What is read back of ``evaluation.json``."""

    top1: RightClips
    floors: FloorsEntry | None = None


class UnknownFile(Struct, frozen=True, kw_only=True):
    """What is read back of ``none_of_these.json``."""

    auroc: Share


class FitFile(Struct, frozen=True, kw_only=True):
    """``fit.json`` of a fold."""

    epoch: Count
    temperature: Temperature
    rejection: Threshold | None
    seconds: Seconds


class CalibrationErrors(Struct, frozen=True, kw_only=True):
    """Expected calibration errors, before and after the temperature."""

    before: Share | None
    after: Share | None


class MemberFigures(Struct, frozen=True, kw_only=True):
    """A member in ``ensemble.json``."""

    name: Name
    run: str
    weight: Share
    temperature: Temperature
    validation: ValidationClips
    expected_calibration_error: CalibrationErrors


class EnsembleFile(Struct, frozen=True, kw_only=True):
    """What is read back of ``ensemble.json``."""

    rule: Literal["mean", "logits", "vote", "weighted"]
    calibrated: bool
    best: Name
    validation: ValidationClips
    members: Annotated[tuple[MemberFigures, ...], Meta(min_length=1, max_length=1000)]
    notes: tuple[Text, ...]


class SweepFile(Struct, frozen=True, kw_only=True):
    """``sweep.json``."""

    over: tuple[str, ...]
    recipe: dict[str, str]
    split: Sha256


Reasons = dict[str, str]
"""``undecodable.json``: why clips do not decode, by their ids."""


RUN_WROTE = "put back the file that the run wrote"


class SessionEntry(Struct, frozen=True, kw_only=True):
    """A session in ``environment.json``; one that was killed has no seconds."""

    started: Text
    seconds: Seconds | None = None


class RemoteFolderFile(Struct, frozen=True, kw_only=True):
    """What a folder in a bucket consists of: the SHA-256 of each file, by its name in the folder."""

    files: Annotated[dict[Annotated[str, Meta(min_length=1, max_length=1000)], Sha256], Meta(max_length=100_000)]


class EnvironmentFile(Struct, frozen=True, kw_only=True):
    """What is computed with of ``environment.json``; the rest is shown as it is."""

    started: Text = ""
    clips: Text = ""
    sessions: tuple[SessionEntry, ...] = ()


class DownloadState(Struct, frozen=True, kw_only=True):
    """What an interrupted download left besides its bytes."""

    url: str
    validator: str | None
    size_bytes: Count | None


class CacheRecord(Struct, frozen=True, kw_only=True):
    """Which entries of the cache a data set uses."""

    dataset: str
    entries: tuple[str, ...]


def read_leak(path: Path) -> str | None:
    """``leak.json``: how many test clips share a source with train, in words; None where it is unknown.

    Raises:
        UserError: As ``read``.
    """
    leak: str | None = read(path, str | None, hint=RUN_WROTE)  # type: ignore[arg-type]
    return leak


def read_environment(path: Path) -> tuple[dict[str, Any], EnvironmentFile]:
    """All of ``environment.json`` as plain values, and what is computed with.

    Raises:
        UserError: As ``read``.
    """
    values = read(path, dict[str, Any], hint=RUN_WROTE)
    return values, convert(values, EnvironmentFile, where=str(path), hint=RUN_WROTE)
