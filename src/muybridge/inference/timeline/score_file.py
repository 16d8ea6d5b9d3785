"""Scores of a long video on disk while they are computed, so that a killed job goes on where it was.

Two files: ``NAME.scores`` holds a line that says what is scored by which model, then the scores as they come, only
ever appended to. ``NAME.state`` is replaced as a whole now and then, after the scores before it are on the disk: how
many of them count, their checksum, and what the scorer needs to go on. Whatever a kill leaves behind the last state is
cut off and computed again, so the result is that of a job that was never stopped.

Axes: N steps, K classes.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from muybridge.errors import UserError
from muybridge.files import replacing
from muybridge.inference.engines.engine import Logits
from muybridge.inference.timeline.scorer import Kept

_LONGEST_LINE = 10_000_000
_PIECE_BYTES = 1 << 20


class ScoreFile:
    """Scores being written; used in a ``with`` statement.

    Args:
        path: Without an ending; ``.scores`` and ``.state`` are added.
        job: What is scored, by which model and how: plain values. Scores of another job are never taken up.
        class_count: K.

    Attributes:
        count: Scores in the file.
        seconds: The length of the video, once it is wholly scored; else None.
    """

    def __init__(self, path: Path, job: Mapping[str, Any], *, class_count: int) -> None:
        self.scores_path = path.with_name(f"{path.name}.scores")
        self.state_path = path.with_name(f"{path.name}.state")
        self.count = 0
        self.seconds: float | None = None
        self._line = json.dumps(dict(job), sort_keys=True).encode() + b"\n"
        self._row_bytes = 4 * class_count
        self._class_count = class_count
        self._crc = 0
        self._file: BinaryIO

    def __enter__(self) -> "ScoreFile":
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def begin(self) -> None:
        """Start anew; what was there is gone."""
        self.scores_path.parent.mkdir(parents=True, exist_ok=True)
        self.state_path.unlink(missing_ok=True)
        self._file = self.scores_path.open("w+b")
        self._file.write(self._line)

    def resume(self) -> Kept | None:
        """Go on with what is there.

        Returns:
            What the scorer kept; None where nothing is there to go on with, and the job begins anew.

        Raises:
            UserError: What is there is of another job, or damaged.
        """
        if not self.state_path.is_file() or not self.scores_path.is_file():
            self.begin()
            return None
        advice = "leave out resume to score the video anew"
        try:
            with safe_open(self.state_path, framework="pt") as file:
                notes = file.metadata() or {}
                kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            count, crc = int(notes["count"]), int(notes["crc"])
            seconds = float(notes["seconds"]) if notes.get("seconds") else None
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise UserError(f"{self.state_path} is damaged ({error}); {advice}") from error
        self._file = self.scores_path.open("r+b")
        if self._file.readline(_LONGEST_LINE) != self._line:
            raise UserError(
                f"{self.scores_path} is of another video, model or other windows, or of a file that changed; {advice}"
            )
        if self._checksum(count) != crc:
            raise UserError(f"{self.scores_path} is damaged: its checksum is not that of its {count} scores; {advice}")
        self._file.truncate()
        self.count, self._crc, self.seconds = count, crc, seconds
        return kept

    def append(self, logits_NK: Logits) -> None:
        """Write the next scores."""
        data = np.ascontiguousarray(logits_NK, dtype="<f4").tobytes()
        self._file.write(data)
        self._crc = zlib.crc32(data, self._crc)
        self.count += len(logits_NK)

    def keep(self, kept: Kept, *, seconds: float | None = None) -> None:
        """Note that the scores so far count, and what the scorer needs to go on.

        Args:
            kept: From the scorer, after the last of these scores.
            seconds: The length of the video, where they are all.
        """
        self._file.flush()
        notes = {"count": str(self.count), "crc": str(self._crc), "seconds": "" if seconds is None else repr(seconds)}
        with replacing(self.state_path, durable=False) as temporary:
            save_file(kept, temporary, metadata=notes)
        self.seconds = seconds

    def logits_NK(self) -> Logits:
        """All scores in the file."""
        self._file.flush()
        self._file.seek(len(self._line))
        data = self._file.read(self.count * self._row_bytes)
        return np.frombuffer(data, dtype="<f4").reshape(-1, self._class_count).astype(np.float32)

    def _checksum(self, count: int) -> int:
        """Of the first scores, read in pieces; the position is then behind them. -1 where there are fewer."""
        crc, left = 0, count * self._row_bytes
        while left:
            piece = self._file.read(min(left, _PIECE_BYTES))
            if not piece:
                return -1
            crc = zlib.crc32(piece, crc)
            left -= len(piece)
        return crc
