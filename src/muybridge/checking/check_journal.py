"""What a check has found so far, one line a file, so that one of days goes on where it was interrupted.

A line counts as long as its file has the size and the time of the last change (in a bucket: the version) that it had.
A file that could not be read gets none: it may be read the next time. The last line of a check
that was killed may be cut off; it is left out.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TextIO

from muybridge.checking.decode_pool import Outcome
from muybridge.console import STDERR, say
from muybridge.errors import UserError
from muybridge.file_parts import size_of, status_of
from muybridge.files import write_text
from muybridge.video.full_decoding import DecodeResult

JOURNAL_FILE = "check-journal.jsonl"
_FIELDS = {field.name for field in fields(DecodeResult)}


class Journal:
    """The journal of a check; used in a ``with`` statement.

    Args:
        file: Where it is.
        resume: Whether what is there is taken; else it is begun anew.
    """

    def __init__(self, file: Path, *, resume: bool) -> None:
        self._file = file
        self._resume = resume
        self._open: TextIO | None = None
        self._failed = False
        self._found: dict[str, tuple[list[int], Outcome]] = {}

    def __enter__(self) -> "Journal":
        if self._resume and self._file.is_file():
            self._found = _read(self._file)
        return self

    def __exit__(self, *_: object) -> None:
        if self._open is not None:
            self._open.close()

    def finish(self) -> None:
        """Delete it: what it says stands in the result."""
        self._file.unlink(missing_ok=True)

    def known(self, paths: Sequence[Path]) -> dict[Path, Outcome]:
        """What was found of those of some files that are as they were."""
        known = {}
        for path in paths:
            state, outcome = self._found.get(str(path), ([], ""))
            if state and not _is_unread(outcome) and state == _state(path):
                known[path] = outcome
        return known

    def add(self, path: Path, outcome: Outcome) -> None:
        """Write down what was found of a file."""
        if self._failed or _is_unread(outcome):
            return
        state = _state(path)
        if not state:  # of what is not there, nothing is known later either
            return
        try:
            self._write(path, state, outcome)
        except OSError as error:  # the check itself goes on; its result says what is wrong with the disk
            self._failed = True
            say(
                STDERR,
                f"note: {self._file} cannot be written ({error.strerror or error}): if this check is interrupted, it "
                "begins anew",
            )
            with suppress(OSError):  # what stands in its buffer cannot be written either
                if self._open is not None:
                    self._open.close()
            self._open = None
            self.finish()

    def _write(self, path: Path, state: list[int], outcome: Outcome) -> None:
        if self._open is None:  # made with the first finding: a check that fails before leaves nothing behind
            write_text(self._file, "".join(_line(path, *found) for path, found in self._found.items()))
            self._open = self._file.open("a", encoding="utf-8")
        self._open.write(_line(str(path), state, outcome))
        self._open.flush()


def _line(path: str, state: list[int], outcome: Outcome) -> str:
    found: Any = outcome if isinstance(outcome, str) else {**asdict(outcome), "path": path}
    return json.dumps([path, state, found]) + "\n"


def _is_unread(outcome: Outcome) -> bool:
    """Whether a file's disk or network failed, in the words of `decode_pool`: that is no finding about the file."""
    return isinstance(outcome, str) and outcome.startswith("cannot be read: ")


def _state(path: Path) -> list[int]:
    """The size of a file and when it was changed last, or its version; empty if it is not there."""
    try:
        return [size_of(path), status_of(path).st_mtime_ns]
    except (OSError, ValueError):
        return []


def _read(file: Path) -> dict[str, tuple[list[int], Outcome]]:
    found: dict[str, tuple[list[int], Outcome]] = {}
    lines = file.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if number == len(lines):  # what stands behind the last line break: nothing, or a line that was cut off
            break
        try:
            path, state, outcome = json.loads(line)
            if isinstance(outcome, dict):
                if set(outcome) != _FIELDS:
                    raise ValueError("other values")
                outcome = DecodeResult(**{**outcome, "path": Path(path)})
            found[path] = (state, outcome)
        except (ValueError, TypeError) as error:
            raise UserError(f"{file}, line {number} is damaged; delete the file, and check from the start") from error
    return found
