"""Decoding every clip and saying what is wrong with a data set, before anybody trains on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from muybridge import notebook
from muybridge.checking.checking import CheckReport, check_catalog
from muybridge.checking.summary import summarise
from muybridge.console import STDERR, progress_on
from muybridge.dataset.group_rule import LOOK_ALIKE
from muybridge.experiment.named_clips import read_clips
from muybridge.recipes.cache import CacheConfig
from muybridge.recipes.data import DataConfig
from muybridge.text import counted


@dataclass(frozen=True)
class CheckResult:
    """What a check found, and where it is written.

    Attributes:
        report: Every clip, the duplicates, the classes, and what each protocol would make of them.
        folder: Holds check.json and check.csv.
    """

    report: CheckReport
    folder: Path

    def __str__(self) -> str:
        return f"{summarise(self.report)}\nsaved: {self.folder / 'check.json'}, {self.folder / 'check.csv'}"

    def _repr_html_(self) -> str:
        """The result in a notebook: what is wrong with which clips, the classes, the protocols."""
        report = self.report
        wrong = [{"clip": each.clip.id, "problem": each.problem} for each in report.clips if each.problem]
        classes = [{"class": label, **counts} for label, counts in report.classes.items()]
        protocols = [
            {"protocol": name, **protocol.clips, "leak": str(protocol.leak)}
            for name, protocol in report.protocols.items()
        ]
        facts = {
            "do not decode": len(report.with_status("bad")),
            "decode in part": len(report.with_status("damaged")),
            "wrong frame count in the header": len(report.header_lied),
            "byte-identical": len(report.duplicates),
            "saved in": self.folder,
        }
        title = f"{counted(len(report.clips), 'clip')} in {counted(len(classes), 'class')}"
        tables = (notebook.rows(table) for table in (wrong, protocols, classes))
        return notebook.card(title, notebook.facts(facts), *tables)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return self.report.to_dict()


def check(
    clips: str | Path,
    *,
    groups: str = "auto",
    out: str | Path | None = None,
    workers: int | None = None,
    console: Console = STDERR,
) -> CheckResult:
    """Decode every clip fully, and find bad files, wrong headers, duplicates and leaks between sources.

    Args:
        clips: A folder with a sub-folder per class, a CSV (path, label, ...), or an HMDB-51 or UCF101 folder.
        groups: What says which clips were cut from one recording, as ``data.groups`` of a recipe.
        out: Folder for check.json and check.csv; default: ``<clips>-check`` in the current folder.
        workers: Processes that decode; default: one per core.
        console: Where progress is printed.

    Raises:
        UserError: If there are no clips, or the result cannot be written.
    """
    catalog = read_clips(clips, DataConfig(groups=groups), console=console)
    with progress_on(console) as progress:
        task = progress.add_task("decoding", total=len(catalog.clips))
        report = check_catalog(
            catalog,
            workers=workers,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
            cache=None if groups == LOOK_ALIKE else CacheConfig(),
        )
    folder = Path(out) if out else Path(f"{Path(clips).resolve().stem}-check")
    report.save(folder)
    return CheckResult(report, folder)
