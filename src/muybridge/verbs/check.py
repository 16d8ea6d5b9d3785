"""Decoding every clip and saying what is wrong with a data set, before anybody trains on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from muybridge import notebook
from muybridge.checking.check_journal import JOURNAL_FILE, Journal
from muybridge.checking.checking import CheckReport, check_catalog
from muybridge.checking.summary import summarise
from muybridge.console import STDERR, progress_on
from muybridge.dataset.annotations.rules import MissingVideos, TimeUnit
from muybridge.dataset.group_rule import LOOK_ALIKE
from muybridge.dataset.labels import alike_in_words
from muybridge.disk_errors import keeping_result
from muybridge.experiment.named_clips import read_clips
from muybridge.files import require_writable
from muybridge.recipes.cache import CacheConfig
from muybridge.recipes.data import DataConfig
from muybridge.text import counted
from muybridge.video.isolation import isolated


@dataclass(frozen=True)
class CheckResult:
    """What a check found, and where it is written.

    Attributes:
        report: Every clip, the duplicates, the classes, and what each protocol would make of them.
        folder: Holds check.json and check.csv.
        saved: Whether it does; not so in a `NotSavedError` alone.
    """

    report: CheckReport
    folder: Path
    saved: bool = True

    def __str__(self) -> str:
        files = f"\nsaved: {self.folder / 'check.json'}, {self.folder / 'check.csv'}" if self.saved else ""
        return summarise(self.report) + files

    def _repr_html_(self) -> str:
        """The result in a notebook: what is wrong with which clips, the classes, the protocols."""
        report = self.report
        wrong = [{"clip": each.clip.id, "problem": each.problem} for each in report.clips if each.problem]
        classes = [{"class": label, **counts} for label, counts in report.classes.items()]
        protocols = [
            {"protocol": name, **protocol.clips, "leak": str(protocol.leak)}
            for name, protocol in report.protocols.items()
        ]
        facts: dict[str, Any] = {
            "do not decode": len(report.with_status("bad")),
            "decode in part": len(report.with_status("damaged")),
            "wrong frame count in the header": len(report.header_lied),
            "byte-identical": len(report.duplicates),
            "the same bytes under different labels": len(report.catalog.contradictions),
            "labels that look alike": "; ".join(alike_in_words(report.catalog)) or "none",
            "saved in": self.folder,
        }
        if report.segments is not None:
            facts |= report.segments.facts()
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
    annotation_unit: TimeUnit = "seconds",
    annotation_tier: str = "",
    annotation_fps: float = 0.0,
    annotation_missing: MissingVideos = "error",
    out: str | Path | None = None,
    workers: int | None = None,
    isolate: bool = False,
    resume: bool = False,
    console: Console = STDERR,
) -> CheckResult:
    """Decode every clip fully, and find bad files, wrong headers, duplicates and leaks between sources.

    Args:
        clips: A folder with a sub-folder per class, a CSV (path, label, ...), annotations of long videos, an HMDB-51 or
            UCF101 folder, or a video.
        groups: What says which clips were cut from one recording, as ``data.groups`` of a recipe.
        annotation_unit: What the times of a CSV are, as ``data.annotation_unit`` of a recipe.
        annotation_tier: Which tier of an annotation file has the labels, as ``data.annotation_tier``.
        annotation_fps: Frames a second that frame numbers count, as ``data.annotation_fps``.
        annotation_missing: What becomes of videos that are not there, as ``data.annotation_missing``.
        out: Folder for check.json and check.csv; default: ``<clips>-check`` in the current folder.
        workers: Processes that decode; default: one per core.
        isolate: Whether each file is decoded in a process of its own, with limits of memory and processor time.
        resume: Whether what an interrupted check wrote down in ``out`` is taken; files that changed since are not.
        console: Where progress is printed.

    Raises:
        UserError: If there are no clips, or the result cannot be written.
    """
    data = DataConfig(
        groups=groups,
        alike_labels="keep",  # they are reported, and train asks about them
        annotation_unit=annotation_unit,
        annotation_tier=annotation_tier,
        annotation_fps=annotation_fps,
        annotation_missing=annotation_missing,
    )
    folder = Path(out) if out else Path(f"{Path(clips).resolve().stem}-check")
    require_writable(folder)
    with isolated(isolate), Journal(folder / JOURNAL_FILE, resume=resume) as journal:
        catalog = read_clips(clips, data, console=console)
        with progress_on(console) as progress:
            task = progress.add_task("decoding", total=len(catalog.clips))
            report = check_catalog(
                catalog,
                workers=workers,
                isolate=isolate,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
                cache=None if groups == LOOK_ALIKE else CacheConfig(),
                journal=journal,
            )
    with keeping_result() as kept:
        kept.result = CheckResult(report, folder, saved=False)
        report.save(folder)
    journal.finish()
    return CheckResult(report, folder)
