"""What an export left behind, as text, in a notebook and as plain values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge import notebook
from muybridge.inference.engines.exports import Export
from muybridge.storage.urls import written


@dataclass(frozen=True)
class ExportResult:
    """What an export left behind.

    Attributes:
        folder: Where it is.
        export: What it is, and what the check found.
        saved: Whether it is there; not so in a `NotSavedError` alone.
    """

    folder: Path
    export: Export
    saved: bool = True

    def __str__(self) -> str:
        return "\n".join([*self._checks, *([f"export: {written(self.folder)}"] if self.saved else [])])

    @property
    def _checks(self) -> list[str]:
        export = self.export
        return [str(check) for check in (export.parity, export.latency, export.stream) if check is not None]

    def _repr_html_(self) -> str:
        """The result in a notebook."""
        title = f"export {self.export.engine}, {self.export.precision}"
        return notebook.card(title, notebook.lines(self._checks), notebook.facts({"folder": written(self.folder)}))

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "folder": written(self.folder),
            "engine": self.export.engine,
            "precision": self.export.precision,
            "parity": vars(self.export.parity),
            "latency": vars(self.export.latency),
            "stream": None if self.export.stream is None else vars(self.export.stream),
            "versions": self.export.versions,
        }
