"""Which runs there are in a folder, and what each of them is worth.

Notable: everything is read from the folders themselves, so runs of any age and from any machine are listed. A
sweep is one line: that of its best trial, whose accuracy is on validation clips, and says so.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.evaluation.run_accuracy import RunAccuracy, kept_accuracy, unfinished
from muybridge.files import read_rows
from muybridge.models.description import METADATA_FILE
from muybridge.recipes.store import read_values
from muybridge.remote_runs import glanced_at
from muybridge.run_schemas import (
    RUN_WROTE,
    EnsembleFile,
    EnvironmentFile,
    Reasons,
    SplitFile,
    read_environment,
)
from muybridge.runs import RUNS, RunFolder
from muybridge.schemas import read
from muybridge.storage.urls import url_at, written
from muybridge.text import aligned, percent, size_text

Kind = Literal["training", "ensemble", "sweep"]
DEEPEST = 3
"""Folders within folders that are looked through: runs/ holds runs, and runs/sweeps/ sweeps."""


@dataclass(frozen=True)
class RunSummary:
    """One run in a list.

    Attributes:
        path: Its folder.
        name: What it is called in the list: its path within the folder that is listed.
        kind: What made it.
        data: Where its clips lay.
        recipe: Name of its recipe; of an ensemble its rule and members.
        protocol: How its clips were divided.
        accuracy: What it gets right; None if that was not measured.
        started: When it was begun; None if it does not say.
        size_bytes: What it takes on disk.
        problem: What is wrong with it; empty for a finished run.
        resume: The command that goes on with it; empty if there is nothing to go on with.
    """

    path: Path
    name: str
    kind: Kind
    data: str
    recipe: str
    protocol: str
    accuracy: RunAccuracy | None
    started: datetime | None
    size_bytes: int
    problem: str = ""
    resume: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The run as plain values."""
        accuracy = self.accuracy and {
            "value": self.accuracy.value,
            "correct": self.accuracy.correct,
            "clips": self.accuracy.clips,
            "part": self.accuracy.part,
            "wilson_95": [self.accuracy.interval.low, self.accuracy.interval.high],
            "floors": self.accuracy.floors and self.accuracy.floors.to_dict(),
        }
        started = self.started.isoformat(timespec="seconds") if self.started else None
        return {**vars(self), "path": written(self.path), "accuracy": accuracy, "started": started}


@dataclass(frozen=True)
class RunList:
    """The runs in a folder, the newest last.

    Attributes:
        folder: The folder.
        runs: Its runs.
    """

    folder: Path
    runs: tuple[RunSummary, ...]

    def __str__(self) -> str:
        if not self.runs:
            return f"no runs in {written(self.folder)}; make one with: muybridge train CLIPS"
        rows = [("run", "data", "recipe", "protocol", "accuracy (95 %, Wilson)", "floors", "started", "size")]
        for run in self.runs:
            accuracy = str(run.accuracy) if run.accuracy else run.problem or "not measured: no test clips"
            known = run.accuracy.floors.named() if run.accuracy and run.accuracy.floors else []
            floors = " and ".join(percent(floor.value) for _, floor in known) or "–"
            started = f"{run.started:%Y-%m-%d %H:%M}" if run.started else "–"
            data = Path(run.data).name or run.data
            size = size_text(run.size_bytes)
            rows.append((run.name, data, run.recipe, run.protocol, accuracy, floors, started, size))
        lines = aligned(rows, right=(7,))
        unfinished = [run for run in self.runs if run.resume]
        lines += [f"{run.name} is {run.problem}; go on with: {run.resume}" for run in unfinished]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The list as plain values."""
        return {"folder": written(self.folder), "runs": [run.to_dict() for run in self.runs]}


def list_runs(folder: str | Path = RUNS) -> RunList:
    """List the trainings, ensembles and sweeps in a folder.

    Args:
        folder: Where to look, its sub-folders included; or one run. Also by URL: then small files are fetched, and what
            lies directly in a bucket where train and push put runs is listed.

    Raises:
        UserError: If there is no such folder.
    """
    folder, url = Path(folder), url_at(folder)
    if url is not None:
        with glanced_at(url) as runs:
            return _sorted(folder, [_remote(*run, url) for run in runs])
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; runs are made by: muybridge train CLIPS")
    found = [_summary(path, path.relative_to(folder).as_posix()) for path in _runs_in(folder, DEEPEST)]
    if len(found) == 1 and found[0].name == ".":
        found = [_summary(folder, folder.resolve().name)]
    return _sorted(folder, found)


def _sorted(folder: Path, runs: Sequence[RunSummary]) -> RunList:
    epoch = datetime.fromtimestamp(0).astimezone()
    return RunList(folder, tuple(sorted(runs, key=lambda run: (run.started or epoch, run.name))))


def _remote(url: str, place: Path | UserError, size_bytes: int, below: str) -> RunSummary:
    """A run of a bucket, of which this machine has what is small."""
    name = url.removeprefix(below).strip("/") or url.rpartition("/")[2]
    if isinstance(place, UserError):
        return _damaged(Path(url), name, "training", size_bytes, place)
    found = _summary(place, name)
    resume = found.resume and shlex.join(["muybridge", "train", "--resume", url])
    return replace(found, path=Path(url), size_bytes=size_bytes, resume=resume)


def _damaged(path: Path, name: str, kind: Kind, size: int, error: Exception) -> RunSummary:
    return RunSummary(path, name, kind, "–", "–", "–", None, None, size, problem=f"damaged: {error}")


def _runs_in(folder: Path, depth: int) -> Iterator[Path]:
    """Folders of runs and of sweeps, not those within them."""
    if _is_run(folder) or (folder / "sweep.json").is_file():
        yield folder
        return
    if depth:
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
                yield from _runs_in(path, depth - 1)


def _is_run(path: Path) -> bool:
    run = RunFolder(path)
    return run.split.is_file() and (run.recipe.is_file() or run.ensemble.is_file())


def _summary(path: Path, name: str) -> RunSummary:
    """One run; a damaged one is listed with what is wrong, so that it hides no other."""
    run = RunFolder(path)
    kind: Kind = "ensemble" if run.ensemble.is_file() else "training" if _is_run(path) else "sweep"
    size = sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())
    try:
        if kind == "sweep":
            return _sweep(path, name, size)
        accuracy = kept_accuracy(run)
        problem = _problem(run, accuracy)
        resume = shlex.join(["muybridge", "train", "--resume", str(path)]) if problem and kind == "training" else ""
        return _of_run(run, path, name, kind, accuracy, size, problem=problem, resume=resume)
    except (UserError, KeyError, TypeError, ValueError, OSError) as error:
        return _damaged(path, name, kind, size, error)


def _of_run(
    run: RunFolder,
    path: Path,
    name: str,
    kind: Kind,
    accuracy: RunAccuracy | None,
    size: int,
    *,
    problem: str = "",
    resume: str = "",
) -> RunSummary:
    environment = read_environment(run.environment)[1] if run.environment.is_file() else EnvironmentFile()
    if run.ensemble.is_file():
        combined = read(run.ensemble, EnsembleFile, hint=RUN_WROTE)
        recipe = f"{combined.rule} of {', '.join(member.name for member in combined.members)}"
    else:
        recipe = str(read_values(str(run.recipe))[0].get("name", "–"))
    return RunSummary(
        path=path,
        name=name,
        kind=kind,
        data=environment.clips or "–",
        recipe=recipe,
        protocol=_split(run).protocol,
        accuracy=accuracy,
        started=datetime.fromisoformat(environment.started).astimezone() if environment.started else None,
        size_bytes=size,
        problem=problem,
        resume=resume,
    )


def _problem(run: RunFolder, accuracy: RunAccuracy | None) -> str:
    if not (run.model / METADATA_FILE).is_file():
        return "unfinished: no model yet"
    if unfinished(run):
        return "unfinished: interrupted, with a model to use"
    if accuracy is None and _split(run).test:
        return "unfinished: not measured yet"
    return ""


def _split(run: RunFolder) -> SplitFile:
    """The split as it is written: a list has no use for the clips, of which there may be very many."""
    return read(run.split, SplitFile, hint=RUN_WROTE)


def _sweep(path: Path, name: str, size: int) -> RunSummary:
    """A sweep as its best trial: the one finished run in it that keeps its checkpoints."""
    trials = [RunFolder(trial) for trial in path.glob("trial-*") if _is_run(trial)]
    best = [run for run in trials if run.last_checkpoint.is_file() and (run.model / METADATA_FILE).is_file()]
    best = [run for run in best if not unfinished(run)]
    if not best:
        return RunSummary(path, name, "sweep", "–", "–", "–", None, None, size, problem="unfinished: no trial is done")
    run = best[0]
    trial = f"sweep of {len(trials)}, best {run.path.name}"
    found = _of_run(run, path, name, "sweep", _validation_accuracy(run), size)
    return RunSummary(**{**vars(found), "recipe": f"{found.recipe} ({trial})"})


def _validation_accuracy(run: RunFolder) -> RunAccuracy:
    """At the epoch that was chosen, the first of equals, as the training chooses it."""
    recipe, _ = read_values(str(run.recipe))
    monitor = recipe["training"]["monitor"]
    rows = read_rows(run.metrics)
    sign = -1 if monitor == "loss" else 1
    row = max(rows, key=lambda row: sign * float(row[f"validation_{monitor}"]))
    clips = len(set(Split.load(run.split).validation) - set(read(run.undecodable, Reasons, hint=RUN_WROTE)))
    return RunAccuracy(round(float(row["validation_accuracy"]) * clips), clips, "validation")
