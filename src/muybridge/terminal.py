"""What the command line prints: results to standard output, everything else to standard error.

Notable: names of files and classes are a stranger's. None of them can steer the terminal, and a terminal or pipe that
cannot hold a character gets it written out. A reader that closes the pipe, such as head, ends the program quietly.
"""

import json
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from muybridge.ranks import place_of_environment
from muybridge.stopping import INTERRUPTED
from muybridge.text import printable, printable_lines, printable_values

EXIT_INTERRUPTED = INTERRUPTED
EXIT_CLOSED_PIPE = 141  # what a shell reports of a program that SIGPIPE ended


_silent = False
"""Whether another process of the same training says everything."""


def prepare_streams(*, one_of_many: bool = False) -> None:
    """Write out what the encoding of an output cannot hold, in place of failing there.

    Args:
        one_of_many: Whether this may be one of several processes that a launcher started for one command; then the
            first one alone prints.
    """
    global _silent
    _silent = one_of_many and (place_of_environment().rank > 0 or os.environ.get("NODE_RANK", "0") != "0")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Print what is no result to standard error; a long line is the terminal's to wrap."""
    if _silent:
        return
    sys.stderr.write(f"{printable_lines(text)}\n")
    sys.stderr.flush()


def suggest(*commands: Sequence[object]) -> None:
    """Print what to type next, where it does not get into the result."""
    lines = [printable(shlex.join(["muybridge", *map(str, command)])) for command in commands]
    say("next: " + "\n      ".join(lines))


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
