"""What a sweep found: one line per trial, the best of them, and how little that may mean.

Notable: the best of many trials on the same validation clips looks better than it is. The result therefore states
the interval of its accuracy and marks every trial that is within it.
"""

import io
import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table

from muybridge import notebook
from muybridge.evaluation.intervals import Interval, wilson
from muybridge.storage.urls import written
from muybridge.text import counted, percent, share_range
from muybridge.verbs.sweep.space import Value, short

State = Literal["finished", "pruned", "diverged", "failed"]

BEST_RECIPE = "best.yaml"
PICTURE = "sweep.png"


@dataclass(frozen=True)
class SweepTrial:
    """One trial of a sweep.

    Attributes:
        number: Its number, from 1.
        values: What was varied: labels of choices and numbers of ranges, by key.
        state: Came to its end, stopped early, lost its finite loss, or could not run.
        accuracy: Validation accuracy at its best epoch, if it had one.
        loss: Validation loss there.
        best_epoch: That epoch, from 1.
        epochs: Epochs trained.
        seconds: Time of these epochs.
        reason: Why it could not run.
    """

    number: int
    values: dict[str, Value]
    state: State
    accuracy: float | None = None
    loss: float | None = None
    best_epoch: int | None = None
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ""

    @classmethod
    def of_rows(
        cls, number: int, values: dict[str, Value], rows: Sequence[dict[str, Any]], *, monitor: str, pruned: bool
    ) -> "SweepTrial":
        """A trial from a training's figures per epoch."""
        sign = -1 if monitor == "loss" else 1
        finite = [row for row in rows if math.isfinite(row["validation_loss"])]
        # The first of equals, as the training chooses it.
        best: dict[str, Any] = max(finite, key=lambda row: sign * row[f"validation_{monitor}"], default={})
        return cls(
            number=number,
            values=values,
            state="diverged" if has_diverged(rows) else "pruned" if pruned else "finished",
            accuracy=best.get("validation_accuracy"),
            loss=best.get("validation_loss"),
            best_epoch=best.get("epoch"),
            epochs=len(rows),
            seconds=round(sum(row["seconds"] for row in rows), 1),
        )

    @property
    def folder(self) -> str:
        """Name of its run in the sweep's folder."""
        return f"trial-{self.number}"

    def figure(self, monitor: str) -> float | None:
        """The figure that trials are compared by, if it has one."""
        return self.loss if monitor == "loss" else self.accuracy

    def to_row(self) -> dict[str, Any]:
        """The trial as a row of trials.csv."""
        row = asdict(self)
        return {"trial": row.pop("number"), **row.pop("values"), **row}


@dataclass(frozen=True)
class SweepResult:
    """What a sweep found.

    Attributes:
        folder: The sweep's folder.
        clips: Where the clips lie.
        protocol: How they were divided.
        monitor: The validation figure that trials are compared by: ``loss`` or ``accuracy``.
        validation_clips: How many clips it was measured on.
        trials: All trials, by number.
        best: The best of those that came to their end.
        per_window: Whether accuracies count every window of a clip (``sampler.windows: all``) instead of clips.
    """

    folder: Path
    clips: Path
    protocol: str
    monitor: str
    validation_clips: int
    trials: tuple[SweepTrial, ...]
    best: SweepTrial
    per_window: bool = False

    @property
    def correct(self) -> int:
        """Validation clips that the best trial gets right."""
        return round((self.best.accuracy or 0) * self.validation_clips)

    @property
    def interval(self) -> Interval:
        """95 % interval of the best trial's validation accuracy, by Wilson."""
        return wilson(self.correct, self.validation_clips)

    def is_close(self, trial: SweepTrial) -> bool:
        """Whether a finished trial's accuracy lies within the interval of the best one's."""
        if trial.state != "finished" or trial.accuracy is None:
            return False
        return self.interval.low <= trial.accuracy <= self.interval.high

    def commands(self) -> tuple[str, str]:
        """How to measure the best trial: by training it again as a run of its own, or as it lies there."""
        recipe, run = self.folder / BEST_RECIPE, self.folder / self.best.folder
        return (
            shlex.join(["muybridge", "train", written(self.clips), "--recipe", str(recipe)]),
            shlex.join(["muybridge", "train", "--resume", str(run)]),
        )

    def __str__(self) -> str:
        others = [trial for trial in self.trials if trial.state == "finished" and trial != self.best]
        close = sum(map(self.is_close, others))
        right = f"{self.correct} of {counted(self.validation_clips, 'validation clip')} right"
        if self.per_window:
            right = f"as many windows right as {self.correct} of {counted(self.validation_clips, 'validation clip')}"
        interval = share_range(self.interval.low, self.interval.high)
        goal = "lowest" if self.monitor == "loss" else "highest"
        again, resume = self.commands()
        return "\n".join(
            [
                self.table(),
                f"chosen by validation {self.monitor}, {goal} at any epoch; protocol {self.protocol}; the test part "
                "was not measured",
                f"best: trial {self.best.number}, {right}, {percent(self.correct / self.validation_clips)} (95 %, "
                f"Wilson: {interval}); the best of {len(self.trials)} on the same clips, so expect less on others",
                f"~ accuracy within that interval: these clips do not separate {close} of {len(others)} other finished "
                "trials from the best",
                f"picture: {self.folder / PICTURE}",
                "train the best and measure it once, on the test part:",
                f"  {again}",
                "or measure the trial as it is, without training again:",
                f"  {resume}",
            ]
        )

    def _repr_html_(self) -> str:
        """The result in a notebook: all trials, the best first."""
        table = [dict(zip(self._heads(), row, strict=True)) for row in self._rows()]
        interval = f"{100 * self.interval.low:.1f}-{100 * self.interval.high:.1f}"
        best = (
            f"best: trial {self.best.number}, {100 * self.correct / self.validation_clips:.1f} % of "
            f"{counted(self.validation_clips, 'validation clip')} (95 %, Wilson: {interval}); the test part was not "
            "measured"
        )
        facts = {"folder": self.folder, "train the best and measure it": self.commands()[0]}
        title = f"sweep, {counted(len(self.trials), 'trial')}"
        return notebook.card(title, notebook.line(best), notebook.rows(table), notebook.facts(facts))

    def table(self) -> str:
        """All trials as text, the best first, those that were stopped last."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in self._heads():
            table.add_column(name, justify="right" if name else "left")
        for row in self._rows():
            table.add_row(*row)
        text = io.StringIO()
        Console(file=text, width=1000, markup=False, emoji=False).print(table)
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).strip("\n")

    def _heads(self) -> tuple[str, ...]:
        return ("trial", *self.best.values, "accuracy", "loss", "best epoch", "epochs", "seconds", "")

    def _rows(self) -> Iterator[tuple[str, ...]]:
        """The cells of each trial, the best first, those that were stopped last."""
        for trial in sorted(self.trials, key=lambda trial: _rank(trial, self.monitor)):
            if trial == self.best:
                remark = "best"
            elif trial.state == "finished":
                remark = "~" if self.is_close(trial) else ""
            else:
                remark = trial.state
            yield (
                str(trial.number),
                *(short(trial.values[key]) for key in self.best.values),
                "" if trial.accuracy is None else percent(trial.accuracy),
                "" if trial.loss is None else f"{trial.loss:.3f}" if trial.loss < 1000 else f"{trial.loss:.1e}",
                str(trial.best_epoch or ""),
                str(trial.epochs),
                f"{trial.seconds:.0f}",
                remark,
            )

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "folder": str(self.folder),
            "protocol": self.protocol,
            "chosen_by": f"validation {self.monitor}",
            "validation_clips": self.validation_clips,
            "best": {
                **asdict(self.best),
                "recipe": str(self.folder / BEST_RECIPE),
                "wilson_95": [self.interval.low, self.interval.high],
            },
            "trials": [{**asdict(trial), "within_interval_of_best": self.is_close(trial)} for trial in self.trials],
            "measure_with": self.commands()[0],
        }


def best_of(trials: Sequence[SweepTrial], monitor: str) -> SweepTrial | None:
    """The best trial of those that came to their end, if there is one."""
    finished = [trial for trial in trials if trial.state == "finished"]
    return min(finished, key=lambda trial: _rank(trial, monitor), default=None)


def has_diverged(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether the last epoch of a training ended without a finite loss."""
    return not math.isfinite(rows[-1]["validation_loss"])


def _rank(trial: SweepTrial, monitor: str) -> tuple[bool, float, float]:
    """Sorts the best first: finished before stopped, then by the monitored figure, then by the other one."""
    loss = math.inf if trial.loss is None else trial.loss
    wrong = 1 - (trial.accuracy or 0.0)
    return (trial.state != "finished", *((loss, wrong) if monitor == "loss" else (wrong, loss)))
