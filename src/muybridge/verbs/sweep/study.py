"""Optuna's study of a sweep, kept in one SQLite file: which values come next, and which trials are not worth finishing.

Notable: what comes next is a function of the seed and of the trial's number, so a sweep that was killed and continued
tries the same values as one that was not. The only module that imports Optuna.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from muybridge.disk_errors import disk_error
from muybridge.errors import UserError
from muybridge.verbs.sweep.space import Option, Range, Space, Value

NAME = "sweep"

# The median of fewer finished trials says little.
TRIALS_BEFORE_PRUNING = 3
# Early epochs rank trials badly: rates still rise, pretrained encoders are held.
SHARE_BEFORE_PRUNING = 1 / 3


class Study:
    """The trials of one sweep.

    Values: of a grid, each combination once, in an order drawn from the seed, so that a sweep cut short has not seen
    one corner only; with ranges, by TPE (Bergstra et al., Algorithms for Hyper-Parameter Optimization, 2011).
    Pruning: a trial stops when its best figure so far is worse than the median of the finished trials' figures at
    the same epoch (after Golovin et al., Google Vizier, 2017, section 3.2), once three have finished and after a third
    of the epochs.

    Args:
        path: The SQLite file, made where there is none.
        space: What varies.
        prune: Whether trials are stopped early.

    Raises:
        UserError: If the file is damaged.
    """

    def __init__(self, path: Path, space: Space, *, prune: bool) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        training = space.base.training
        pruner = optuna.pruners.MedianPruner(
            n_startup_trials=TRIALS_BEFORE_PRUNING,
            n_warmup_steps=max(training.head_epochs + 1, round(SHARE_BEFORE_PRUNING * training.epochs)),
        )
        try:
            self._storage = optuna.storages.RDBStorage(URL.create("sqlite", database=str(path)).render_as_string())
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=NAME,
                direction="maximize" if training.monitor == "accuracy" else "minimize",
                pruner=pruner if prune else optuna.pruners.NopPruner(),
                load_if_exists=True,
            )
        except SQLAlchemyError as error:
            if full := disk_error(error, path):
                raise full from None
            raise UserError(f"{path} cannot be read ({error.args[0]}); start a new sweep in another folder") from None
        self._space = space
        self._seed = training.seed
        self._order = space.combinations()[0] if space.is_grid else []
        random.Random(self._seed).shuffle(self._order)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The record that ``finish`` stored of every trial that is over, by number."""
        over = self._trials(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        return [trial.user_attrs["record"] for trial in over]

    def next(self) -> "Trial":
        """The trial that was interrupted, if there is one, else a new one."""
        running = self._trials(TrialState.RUNNING)
        number = running[0].number if running else len(self._trials())
        self._study.sampler = optuna.samplers.TPESampler(seed=self._seed * 1_000_003 + number)
        if running:
            study_id = self._storage.get_study_id_from_name(NAME)
            trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
            return Trial(self._study, optuna.Trial(self._study, trial_id), self._space.options)
        if self._order and not self._trials(TrialState.WAITING):
            self._study.enqueue_trial(self._order[number])
        return Trial(self._study, self._study.ask(), self._space.options)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states or None)


class Trial:
    """One trial of a study.

    Attributes:
        number: Its number, from 1.
        values: Labels of choices and numbers within ranges, by key.
    """

    def __init__(self, study: optuna.Study, trial: optuna.Trial, options: Sequence[Option]) -> None:
        self._study = study
        self._trial = trial
        self.number = trial.number + 1
        self.values: dict[str, Value] = {option.key: _suggest(trial, option) for option in options}

    def report(self, epoch: int, figure: float) -> bool:
        """Take the validation figure of an epoch, from 1; returns whether the trial is not worth finishing."""
        # A trial that was interrupted repeats the epoch it was in.
        if epoch - 1 not in self._study.get_trials(deepcopy=False)[self._trial.number].intermediate_values:
            self._trial.report(figure, epoch - 1)
        return self.falls_behind

    @property
    def falls_behind(self) -> bool:
        """Whether, after the epochs reported so far, the trial is not worth finishing."""
        return self._trial.should_prune()

    def finish(self, record: dict[str, Any], *, figure: float | None) -> None:
        """End the trial.

        Args:
            record: What there is to say about it, as plain values.
            figure: The validation figure it is compared by; None if it was stopped.
        """
        self._trial.set_user_attr("record", record)
        self._study.tell(self._trial, figure, TrialState.PRUNED if figure is None else TrialState.COMPLETE)

    def fail(self, record: dict[str, Any]) -> None:
        """End a trial that cannot run."""
        self._trial.set_user_attr("record", record)
        self._study.tell(self._trial, state=TrialState.FAIL)


def _suggest(trial: optuna.Trial, option: Option) -> Value:
    if not isinstance(option, Range):
        label: str = trial.suggest_categorical(option.key, list(option.values))
        return label
    if option.whole:
        return trial.suggest_int(option.key, int(option.low), int(option.high), log=option.log)
    return trial.suggest_float(option.key, option.low, option.high, log=option.log)
