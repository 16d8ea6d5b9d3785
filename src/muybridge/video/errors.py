"""The one error that a video file can cause: it always names the file and the reason."""

from pathlib import Path

from muybridge.errors import UserError


class VideoError(UserError):
    """A file that gives no (or not the asked) frames. Reads as ``PATH: reason (hint)``.

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
        return f"{self.path}: {self.reason} ({self.hint})"
