"""The run directory: the names of what one training leaves behind."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from muybridge.errors import UserError
from muybridge.files import building_folder, holds_nothing
from muybridge.locks import InUseError, Lock
from muybridge.temporaries import remove_dead, remove_dead_below

RUNS = Path("runs")
"""Where runs go by default."""

LONGEST_PART = 60
"""Characters of a part of a name; the path of an adapter's model can be long."""


@dataclass(frozen=True)
class RunFolder:
    """Paths inside ``runs/<name>/``."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The complete, re-runnable recipe."""
        return self.path / "recipe.yaml"

    @property
    def split(self) -> Path:
        """The exact clips of each part, with a hash."""
        return self.path / "split.json"

    @property
    def leak(self) -> Path:
        """How many test clips share a source with train, in words."""
        return self.path / "leak.json"

    @property
    def undecodable(self) -> Path:
        """Training and validation clips that do not decode, with their reasons."""
        return self.path / "undecodable.json"

    @property
    def environment(self) -> Path:
        """Versions, machine, command and times: see ``experiment.provenance``."""
        return self.path / "environment.json"

    @property
    def metrics(self) -> Path:
        """One row per epoch."""
        return self.path / "metrics.csv"

    @property
    def curves(self) -> Path:
        """Loss, accuracy and rate over the epochs."""
        return self.path / "curves.png"

    @property
    def report(self) -> Path:
        """The page that shows it all."""
        return self.path / "report.html"

    @property
    def model(self) -> Path:
        """All that prediction needs."""
        return self.path / "model"

    @property
    def before_refit(self) -> Path:
        """The model that learned from the training part alone, where ``model`` was then fitted on more clips."""
        return self.path / "before_refit"

    @property
    def deciding_model(self) -> Path:
        """The model that saw no validation and no test clip: what is decided with these is decided with it."""
        return self.before_refit if self.before_refit.is_dir() else self.model

    def fold(self, number: int) -> "RunFolder":
        """What cross-validation keeps of one fold, from 1: its split, model and predictions."""
        return RunFolder(self.path / "folds" / str(number))

    def folds(self, count: int) -> list["RunFolder"]:
        """Those of all folds, the first first."""
        return [self.fold(number) for number in range(1, count + 1)]

    @property
    def fit(self) -> Path:
        """Of a fold: what its fit left besides the model, as a final fit takes it up."""
        return self.path / "fit.json"

    @property
    def fold_figures(self) -> Path:
        """One row per fold; only where there are folds."""
        return self.path / "folds.csv"

    @property
    def predictions(self) -> Path:
        """What was said of each test clip."""
        return self.path / "predictions.csv"

    @property
    def none_of_these(self) -> Path:
        """How well clips of unknown classes are told from those of known ones."""
        return self.path / "none_of_these.json"

    @property
    def learning_curve(self) -> Path:
        """Accuracy over training clips a class, as rows; the picture of the same name lies next to it."""
        return self.path / "learning_curve.csv"

    @property
    def ensemble(self) -> Path:
        """An ensemble's members, rule and numbers; a training has none."""
        return self.path / "ensemble.json"

    @property
    def comparison(self) -> Path:
        """What an ensemble gains on each of its members."""
        return self.path / "comparison.json"

    def member(self, name: str) -> Path:
        """What a member of an ensemble says of the ensemble's test clips."""
        return self.path / "members" / name

    @property
    def lock_file(self) -> Path:
        """What a process locks while it writes the run; it is the first file of all."""
        return self.path / ".lock"

    @property
    def last_checkpoint(self) -> Path:
        """State of training after its last finished epoch."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best_checkpoint(self) -> Path:
        """State of training after its best epoch."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def previous_checkpoint(self) -> Path:
        """The one before ``last_checkpoint``, for the case that it is damaged; gone when fitting is over."""
        return self.path / "checkpoints" / "previous.ckpt"

    @classmethod
    def create(cls, path: Path | None, *, name: str) -> tuple["RunFolder", Lock]:
        """Make a new run directory, and lock it.

        What a training left behind that was ended before its first epoch was over is taken away.

        Args:
            path: The directory, or None for ``runs/<name>-<n>`` with the first free number.
            name: What the run is called without its number.

        Raises:
            UserError: If the directory already holds something, or another process makes it.
        """
        if path is not None:
            run = cls(path)
            if not run.lock_file.is_file():  # else whoever has it locked is told of first
                _require_free(path)
            return run, run.begin()
        while True:
            run = cls(free_path(RUNS / name))
            try:
                return run, run.begin()
            except InUseError:  # somebody else takes the same number in this very moment
                continue

    def lock(self) -> Lock:
        """Lock the run against other processes that would write it, and take away what a dead one left half-written.

        Raises:
            UserError: If another process has it.
        """
        lock = Lock(self.lock_file, what=self.path).acquire()
        remove_dead_below(self.path)
        remove_dead(self.path.parent)
        return lock

    def begin(self) -> Lock:
        """Lock an empty run directory, and clear away what a training left that was ended before its first epoch.

        Raises:
            UserError: If it holds something else, or another process has it.
        """
        lock = self.lock()
        try:
            # Only now is it sure that nobody fills it.
            _require_free(self.path)
            for left in self.path.iterdir():
                if left != self.lock_file:
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
        except BaseException:
            lock.release()
            raise
        return lock

    @classmethod
    @contextmanager
    def building(cls, path: Path | None, *, name: str) -> Iterator[tuple["RunFolder", "RunFolder"]]:
        """A run that is there when all in it is complete, or not at all; its name is free again when this ends early.

        Args:
            path: The directory, or None for ``runs/<name>-<n>`` with the first free number.
            name: What the run is called without its number.

        Yields:
            The run as it will be, and the one to write to.

        Raises:
            UserError: If the directory already holds something, or another process makes it.
        """
        if path is not None:
            lock = Lock(_lock_beside(path), what=path).acquire()
        else:
            path, lock = _reserve(name)
        try:
            if not holds_nothing(path):
                raise _taken(path)
            with building_folder(path) as temporary:
                yield cls(path), cls(temporary)
        finally:
            _lock_beside(path).unlink(missing_ok=True)
            lock.release()

    @property
    def is_begun_only(self) -> bool:
        """Whether there is no more than what a training writes before its first epoch is over."""
        if not self.lock_file.is_file():  # it is of an older version, or no run
            return False
        first = {file.name for file in (self.recipe, self.split, self.environment, self.leak, self.undecodable)}
        first |= {self.lock_file.name}
        inner = (path for path in self.path.rglob("*") if not path.is_dir())
        return all(path.name in first for path in inner)

    @classmethod
    def existing(cls, path: Path) -> "RunFolder":
        """Open a run directory.

        Raises:
            UserError: If there is no run at ``path``.
        """
        run = cls(path)
        if not run.leak.is_file() and run.is_begun_only:
            raise UserError(f"{path} was ended before it began; start it anew with: muybridge train CLIPS --run {path}")
        if not (run.split.is_file() and (run.recipe.is_file() or run.ensemble.is_file())):
            raise UserError(f"{path} is not a run: it has no recipe.yaml and split.json; give a folder made by train")
        return run

    @classmethod
    def trained(cls, path: Path) -> "RunFolder":
        """Open the run directory of a training.

        Raises:
            UserError: If there is no run at ``path``, or it is that of an ensemble.
        """
        run = cls.existing(path)
        if run.ensemble.is_file():
            raise UserError(f"{path} is an ensemble; give the runs that it was made of, or another run made by train")
        return run


def name_of(*parts: str) -> str:
    """What a run is called without its number: its parts, each left out where those before it say the same.

    A part may be the name of an adapter's encoder, with a colon and slashes; those become hyphens.

    Example:
        >>> name_of("default", "timm:resnet18", "bilstm"), name_of("report-alexnet", "alexnet", "bilstm")
        ('default-timm-resnet18-bilstm', 'report-alexnet-bilstm')
    """
    name = ""
    for part in parts:
        safe = re.sub(r"[^\w.]+", "-", part).strip("-.")[-LONGEST_PART:].lstrip("-.")
        if safe and f"-{safe}-".lower() not in f"-{name}-".lower():
            name += f"-{safe}" if name else safe
    return name or "run"


def chosen_folder(run: str | Path | None, name: str | None) -> Path | None:
    """The run directory that a user names by its path or by its name; None where neither is given.

    Raises:
        UserError: If both are given, or the name is not that of a folder.
    """
    if name is None:
        return Path(run) if run else None
    if run:
        raise UserError(f"run {run} and name {name} both say where the run goes; give one of them")
    if not name.strip(" .") or name.startswith("-") or not name.isprintable() or set(name) & set('/\\:*?"<>|'):
        raise UserError(f'{name!r} is no name for a run: give one without / \\ : * ? " < > |, such as first-try')
    return RUNS / name


def _require_free(path: Path) -> None:
    """Refuse a directory that holds something, unless it is what a training left that had hardly begun."""
    if not holds_nothing(path) and not RunFolder(path).is_begun_only:
        raise _taken(path)


def _taken(path: Path) -> UserError:
    return UserError(f"{path} is already there; name another run, or continue it with: muybridge train --resume {path}")


def _reserve(name: str) -> tuple[Path, Lock]:
    """The first of ``runs/<name>-<n>`` that holds nothing and that nobody else is making."""
    for n in count(1):
        path = RUNS / f"{name}-{n}"
        if not holds_nothing(path):
            continue
        with suppress(InUseError):
            return path, Lock(_lock_beside(path), what=path).acquire()
    raise AssertionError("there is always another number")


def _lock_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def free_path(path: Path) -> Path:
    """``path`` with ``-1``, or the first number whose name is free."""
    return next(free for n in count(1) if not (free := path.with_name(f"{path.name}-{n}")).exists())
