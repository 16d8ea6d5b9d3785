"""The errors a user can cause, each one clear line: what is wrong, where, and what to do; and the user's own stop."""

from pathlib import Path
from typing import Any

from muybridge.text import printable, with_urls


class UserError(Exception):
    """Bad input, in one line. The command line prints it and exits with code 2, without a traceback.

    The message says what is wrong, names the file or option, and says what to do about it. Whatever a file in it is
    called, it stays one line.
    """

    def __str__(self) -> str:
        return printable(with_urls(super().__str__()))


class VideoError(UserError):
    """A video file without frames, or without those asked for. Reads as ``PATH: reason (hint)``.

    It survives pickling, so that it can come back from a worker process.

    Attributes:
        path: the file.
        reason: what is wrong with it, e.g. ``"empty file"``.
        hint: what to do about it.
    """

    def __init__(self, path: str | Path, reason: str, hint: str) -> None:
        super().__init__(str(path), reason, hint)
        self.path = Path(path)
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        return printable(with_urls(f"{self.path}: {self.reason} ({self.hint})"))


class RankLostError(UserError):
    """Another of the processes that train together ended, or failed."""


class NotSavedError(UserError):
    """Work was finished, and its result could not be written. The command line shows the result all the same.

    Attributes:
        result: What the call would have returned; of a training that is not complete its evaluation.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class Interrupted(Exception):  # noqa: N818 - not an error: the user asked for it
    """Work was stopped by Ctrl-C or a termination signal, and can be continued.

    Attributes:
        folder: Of the run or the sweep.
        model: The folder of a usable model, if the stopped training left one.
        kept: What there is of a stopped training, in a sentence.
        at_once: Whether a second Ctrl-C asked to leave everything as it is.
    """

    def __init__(self, folder: Path, *, model: Path | None = None, kept: str = "", at_once: bool = False) -> None:
        super().__init__(folder)
        self.folder = folder
        self.model = model
        self.kept = kept
        self.at_once = at_once
