"""The command line: one verb per job, thin; the modules `*_verbs` hold them.

Notable: only parsing happens at import. torch, PyAV and OpenCV are imported inside the verbs, so that ``--help``
answers at once. Results go to standard output (with ``--json`` as JSON), everything else to standard error.
"""

import sys
from collections.abc import Sequence
from typing import Any

from cyclopts import CycloptsError

from muybridge import error_lines, help_screen
from muybridge.api import NotSavedError, UserError, read_values
from muybridge.cli import data_verbs, model_verbs, run_verbs, training_verbs  # noqa: F401 - they add themselves
from muybridge.cli.application import app
from muybridge.terminal import closed_pipe, prepare_streams, say, show, write

EXIT_USER_ERROR = 2


def _default_values() -> dict[str, Any]:
    """What a training that names no recipe takes, by the names of the options."""
    values, _ = read_values("default")
    del values["name"]  # --name is the run's
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = value if isinstance(value, dict) else {"": value}
        found |= {f"--{key}.{name}".removesuffix(".").replace("_", "-"): each for name, each in inner.items()}
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; bad input is one line on standard error and exit code 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    verb = words[0] if words and words[0] not in (*help_screen.HELP, help_screen.HELP_ALL, "--version") else ""
    options = words[: words.index("--")] if "--" in words else words
    asked = {*options} & {*help_screen.HELP, help_screen.HELP_ALL}
    prepare_streams(one_of_many=verb == "train")
    try:
        if verb:
            error_lines.require_verb(app, verb)
        if asked or not words:
            defaults = _default_values() if verb == "train" else {}
            write(help_screen.text(app, verb, everything=help_screen.HELP_ALL in asked, defaults=defaults))
            return
        if verb:
            error_lines.require_options(app, verb, options)
        app(words, exit_on_error=False, print_error=False)
    except (UserError, CycloptsError) as error:
        if isinstance(error, NotSavedError):  # the work is done: its result must not be lost with the disk
            show(error.result, as_json="--json" in options)
        say(f"error: {error_lines.line(error, app, verb, words)}")
        sys.exit(EXIT_USER_ERROR)
    except BrokenPipeError:
        closed_pipe()
    except Exception as error:
        line = error_lines.of_disk(error)
        if line is None:
            raise
        say(f"error: {line}")
        sys.exit(EXIT_USER_ERROR)
