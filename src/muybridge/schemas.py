"""Files of models, runs and annotations that a stranger may have written, read by a schema.

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
from muybridge.text import abbreviated, did_you_mean, one_line

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
    except (UserError, RecursionError, ValueError) as error:  # msgspec's own are of the last kind
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
    return one_line(str(error).replace("`$.", "`"), LONGEST_REASON)
