"""The files of models and runs, as schemas: what a stranger's file may hold before anything is made of it.

A model or a run may come from anywhere. Its JSON is read here and nowhere else: first a limit of size and of depth,
then the types and bounds that a schema states, and only then values. A key that a schema does not name is left alone,
so that a newer version may add one; the options of a network are the exception, since each of them means something.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import msgspec
from msgspec import Meta, Struct

from muybridge.errors import UserError
from muybridge.text import abbreviated, did_you_mean

T = TypeVar("T")

_SEAL = "checksum"

MOST_BYTES = 1 << 30
"""No JSON of a run is larger: a split of a million clips takes about 200 MB."""

MOST_CLASSES = 100_000
LONGEST_NAME = 4096
LONGEST_REASON = 300

Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME, pattern="^[^\\0]+$")]
Text = Annotated[str, Meta(max_length=1_000_000)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Share = Annotated[float, Meta(ge=0, le=1)]
Number = Annotated[float, Meta(ge=-1e30, le=1e30)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Count = Annotated[int, Meta(ge=0, le=10**12)]
Classes = Annotated[tuple[Name, ...], Meta(min_length=1, max_length=MOST_CLASSES)]
Temperature = Annotated[float, Meta(gt=0, le=1e6)]
Part = Literal["train", "validation", "test"]


class Described(Struct, frozen=True, kw_only=True):
    """What each of our formats begins with."""

    format: str
    format_version: int


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


_HALF_PAIRS = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(path: Path) -> Any:
    """The plain values in a JSON file.

    Raises:
        UserError: If it is not there, cannot be read, is too large, is not JSON, or holds numbers that JSON does not
            have.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UserError(f"{path} is {size / 1e9:.1f} GB, which no file of muybridge is; put back the right one")
        text = path.read_text(encoding="utf-8")
        values = json.loads(text, parse_constant=_no_number)
        if _HALF_PAIRS.search(text):
            # Bytes of a file name that are not UTF-8 are surrogates, too (PEP 383); these are no others.
            json.dumps(values, ensure_ascii=False).encode(errors="surrogateescape")
        return values
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except RecursionError:
        raise UserError(f"{path} is damaged: it is nested too deeply; put back the file that was written") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged: it is not JSON ({_reason(error)})") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def read(path: Path, schema: type[T], *, hint: str) -> T:
    """Read a JSON file as a schema has it.

    Args:
        path: The file.
        schema: A type that msgspec knows: a struct, a dataclass, ``dict[str, str]``, ....
        hint: What to do where it is not so.

    Raises:
        UserError: If it cannot be read, or is not as the schema says; the message names the place in it.
    """
    return convert(read_json(path), schema, where=str(path), hint=hint)


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


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values with a checksum over them, for JSON that must not change unseen."""
    return {**value, _SEAL: _checksum(value)}


def require_sealed(path: Path) -> None:
    """Make sure that JSON with a checksum in it (see `sealed`) is what was written; one without is of an older version.

    Raises:
        UserError: If it is not.
    """
    content = read_json(path)
    if isinstance(content, dict) and content.get(_SEAL, checksum := _checksum(content)) != checksum:
        raise UserError(
            f"{path} is not what was saved: it is damaged, or was changed; put back a copy, or if the change is meant, "
            f"take the line {_SEAL} out of it"
        )


def _checksum(value: Mapping[str, Any]) -> str:
    rest = {name: part for name, part in value.items() if name != _SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def convert(values: Any, schema: type[T], *, where: str, hint: str) -> T:
    """Make plain values what a schema says.

    Args:
        values: What JSON or YAML gave.
        schema: As in ``read``. A dataclass takes no key that it does not have.
        where: What they are part of, for the message.
        hint: What to do where they are not so.

    Raises:
        UserError: If they are not so.
    """
    if dataclasses.is_dataclass(schema) and isinstance(values, dict):
        known = [field.name for field in dataclasses.fields(schema)]
        for key in values:
            if key not in known:
                raise _unlike(where, f"unknown key {abbreviated(str(key), 60)}{did_you_mean(str(key), known)}", hint)
    try:
        return msgspec.convert(values, schema)
    except msgspec.ValidationError as error:
        raise _unlike(where, _reason(error), hint) from None
    except (UserError, RecursionError, ValueError) as error:
        raise _unlike(where, _reason(error), hint) from None


def distinct(names: tuple[str, ...], *, where: str, what: str, hint: str) -> tuple[str, ...]:
    """The same names, none of which is there twice.

    Raises:
        UserError: If one is.
    """
    if len(set(names)) < len(names):
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise _unlike(where, f"{what} {abbreviated(twice, 60)!r} is there twice", hint)
    return names


def _unlike(where: str, reason: str, hint: str) -> UserError:
    return UserError(f"{where} is damaged or of another version ({reason}); {hint}")


def _reason(error: Exception) -> str:
    # msgspec names places as "$.model.width"; the dollar is the file, which the message names already.
    text = " ".join(str(error).replace("`$.", "`").split())
    return abbreviated(text, LONGEST_REASON)
