"""What the command line prints: results to standard output, everything else to standard error.

Notable: names of files and classes are a stranger's. None of them can steer the terminal, and a terminal or pipe that
cannot hold a character gets it written out. A reader that closes the pipe, such as head, ends the program quietly.
"""

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from muybridge.errors import UserError
from muybridge.launched import number_of_environment, place_of_environment
from muybridge.stopping import INTERRUPTED
from muybridge.storage.urls import written
from muybridge.text import printable, printable_lines, printable_values

EXIT_INTERRUPTED = INTERRUPTED
_EXIT_USER_ERROR = 2
EXIT_CLOSED_PIPE = 141  # what a shell reports of a program that SIGPIPE ended


_silent = False
"""Whether another process of the same training says everything."""


def prepare_streams(*, one_of_many: bool = False) -> None:
    """Write out what the encoding of an output cannot hold, in place of failing there.

    Args:
        one_of_many: Whether this may be one of several processes that a launcher started for one command; then the
            first one alone prints.

    Raises:
        SystemExit: What a launcher said of them is no number.
    """
    global _silent
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    _silent = False
    try:
        _silent = one_of_many and _is_spoken_for()
    except UserError as error:
        say(f"error: {error}")
        sys.exit(_EXIT_USER_ERROR)


def _is_spoken_for() -> bool:
    """Whether this is a process of several, or the launcher of one machine of several, and not the first."""
    if place_of_environment().rank > 0:
        return True
    # Schedulers set NODE_RANK for single processes, too.
    return _node_count(sys.argv) > 1 and (number_of_environment("NODE_RANK") or 0) > 0


def _node_count(words: Sequence[str]) -> int:
    """The number of machines that a command line asks for; 1 where it is no number, which its parser says."""
    found = "1"
    for word, following in pairwise([*words, ""]):
        name, equals, value = word.partition("=")
        if name.replace("_", "-") == "--node-count":
            found = value if equals else following
    return int(found) if re.fullmatch(r"[0-9]{1,9}", found) else 1


def say(text: str) -> None:
    """Print what is no result to standard error; a long line is the terminal's to wrap."""
    if _silent:
        return
    sys.stderr.write(f"{printable_lines(text)}\n")
    sys.stderr.flush()


def suggest(*commands: Sequence[object]) -> None:
    """Print what to type next, where it does not get into the result."""
    lines = [printable(shlex.join(["muybridge", *map(_word, command)])) for command in commands]
    say("next: " + "\n      ".join(lines))


def _word(word: object) -> str:
    return written(word) if isinstance(word, Path) else str(word)


def show(result: Any, *, as_json: bool) -> None:
    """Print the result of a verb."""
    write(result.to_dict() if as_json else str(result))


def write(result: Any) -> None:
    """Print a result: text as it is, anything else as JSON."""
    if _silent:
        return
    text = printable_lines(result) if isinstance(result, str) else json.dumps(printable_values(result), indent=2)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def write_line(values: Any) -> None:
    """Print plain values as one line of JSON."""
    sys.stdout.write(f"{json.dumps(printable_values(values))}\n")
    sys.stdout.flush()


def closed_pipe() -> NoReturn:
    """End after the reader of an output has gone."""
    # What Python would flush at its end must not fail again.
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(null, stream.fileno())
    sys.exit(EXIT_CLOSED_PIPE)
