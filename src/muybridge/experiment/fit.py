"""From a prepared experiment to a trained model: decode once, encode once if nothing learns, fit, calibrate, save."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from muybridge.console import say
from muybridge.dataset.split import Part
from muybridge.experiment.examples import Kept, fitted_clips, fitted_examples
from muybridge.experiment.frame_source import frame_cache, frames_of
from muybridge.experiment.prepare import Experiment
from muybridge.files import write_rows
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.rejection import Rejection
from muybridge.models.heads.probe import ProbeHead
from muybridge.run_schemas import FitFile
from muybridge.text import percent
from muybridge.training.calibrating import Calibration, calibrate
from muybridge.training.checkpoint_files import finished_epochs, load_weights
from muybridge.training.encoding import encodes_once
from muybridge.training.leaving_classes_out import UnknownFigures, leave_classes_out
from muybridge.training.loggers import logging_to
from muybridge.training.probe_blocks import SomeExamples, drawn_groups, streams
from muybridge.training.probe_fitting import ProbeFit, clip_means, fit_probe

StopEarly = Callable[[list[dict[str, Any]]], bool]


@dataclass(frozen=True)
class FitOutcome:
    """What a fit found besides weights.

    Attributes:
        epoch: The epoch whose weights were kept, from 1.
        temperature: What the scores are divided by.
        rejection: When a clip shows none of the classes; None: never.
        seconds: What fitting took, once the clips were decoded and encoded.
    """

    epoch: int
    temperature: float
    rejection: Rejection | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "rejection": self.rejection.to_dict() if self.rejection else None}

    @classmethod
    def of_file(cls, values: FitFile) -> "FitOutcome":
        """What ``to_dict`` returned, as it was read."""
        rejection = Rejection.of_values(values.rejection) if values.rejection else None
        return cls(values.epoch, values.temperature, rejection, values.seconds)


@dataclass(frozen=True)
class Fitted:
    """What fitting left.

    Attributes:
        recognizer: The model of the best epoch.
        rows: One row of figures per epoch.
        outcome: What a final fit on more clips takes up.
        unknown: How well clips of unknown classes are told from those of known ones, if that was asked for.
    """

    recognizer: Recognizer
    rows: list[dict[str, Any]]
    outcome: FitOutcome
    unknown: UnknownFigures | None = None


def fit_experiment(
    experiment: Experiment,
    *,
    stop_early: StopEarly | None = None,
    like: FitOutcome | None = None,
    refitted: Sequence[Part] = (),
    tries_unknown: bool = False,
    console: Console,
) -> Fitted:
    """Train, and save the model of the best epoch in the run directory.

    Args:
        experiment: What to train.
        stop_early: Asked after every epoch, with all rows of figures; True ends the training there.
        like: An earlier fit whose number of epochs and calibration are taken; default: both are found on the
            validation clips. A probe finds its own on folds of its training clips.
        refitted: What the saved model says of itself: see `Recognizer`.
        tries_unknown: Whether a probe is tried on classes left out, too.
        console: Where progress is printed.

    Raises:
        UserError: If clips cannot be read, or too few are left.
        Interrupted: On Ctrl-C.
    """
    folder, recipe, net = experiment.folder, experiment.recipe, experiment.net
    cache = frames_of(recipe, experiment.split.clips, net, console=console)
    datasets = fitted_clips(experiment, cache, console=console)

    def after_epoch(rows: list[dict[str, Any]]) -> bool:
        write_rows(folder.metrics, rows)
        return (like is not None and len(rows) >= like.epoch) or (stop_early is not None and stop_early(rows))

    if encodes_once(net, recipe.cache) and experiment.resumes and folder.last_checkpoint.exists():
        load_weights(net, folder.last_checkpoint)  # the frozen part is needed now, before the rest is taken up
    examples = fitted_examples(experiment, datasets, console=console)
    started = time.perf_counter()
    unknown = None
    if recipe.model.head == "probe":
        groups = [clip.group for clip, _ in examples["train"].examples]
        probe = _fit_probe(experiment, groups, examples, console=console)
        rows, calibration = probe.rows, probe.calibration
        after_epoch(rows)
    else:
        from muybridge.training.fitting import fit  # Lightning takes two seconds, and a probe does without it

        with logging_to(experiment.logger, folder, recipe.to_dict()) as logger:
            rows = fit(
                net,
                recipe.training,
                train=examples["train"],
                validation=examples["validation"],
                run=folder,
                device=experiment.device,
                console=console,
                on_epoch=after_epoch,
                logger=logger,
                resume=experiment.resumes,
            )
        if like is None:
            calibration = calibrate(net, examples["validation"], recipe.training, device=experiment.device)
        else:
            calibration = Calibration(like.temperature, like.rejection)
            calibration.apply(net)
    seconds = time.perf_counter() - started
    if recipe.model.head == "probe" and tries_unknown:
        unknown = _try_unknown(experiment, groups, examples, penalty=probe.penalty)
    recognizer = _recognizer(experiment, rejection=calibration.rejection, refitted=refitted)
    recognizer.save(folder.model)
    epoch = best_epoch(rows, recipe.training.monitor)
    outcome = FitOutcome(epoch, calibration.temperature, calibration.rejection, round(seconds, 3))
    return Fitted(recognizer, rows, outcome, unknown)


def best_epoch(rows: Sequence[dict[str, Any]], monitor: str) -> int:
    """The epoch whose model is kept, from 1: the first with the best validation figure, or the last without any."""
    found = [row.get(f"validation_{monitor}") for row in rows]
    figures = [figure for figure in found if figure is not None]
    if not figures:  # without validation clips, or where the last epoch is wanted
        return len(rows)
    return figures.index(max(figures) if monitor == "accuracy" else min(figures)) + 1


def keep_best(experiment: Experiment) -> str | None:
    """Make a usable model of the best epoch so far of an interrupted training, marked as such.

    Returns:
        Which epochs it is the best of, in words; None if no epoch was finished.
    """
    folder = experiment.folder
    if not (folder.best_checkpoint.is_file() and folder.last_checkpoint.is_file()):
        return None
    best, last = load_weights(experiment.net, folder.best_checkpoint), finished_epochs(folder.last_checkpoint)
    epochs = experiment.recipe.training.epochs
    unfinished = f"of an interrupted training: epoch {best}, the best of {last}; {epochs} were asked for"
    _recognizer(experiment, unfinished=unfinished).save(folder.model)
    return unfinished


def _recognizer(
    experiment: Experiment,
    *,
    rejection: Rejection | None = None,
    unfinished: str = "",
    refitted: Sequence[Part] = (),
) -> Recognizer:
    """The network of an experiment with all that it needs to read a video."""
    recipe = experiment.recipe
    return Recognizer(
        experiment.net,
        classes=experiment.split.classes,
        sampler=recipe.sampler.build(),
        size_px=recipe.size_px,
        fit=recipe.fit,
        windows=recipe.sampler.windows,
        combine=recipe.sampler.combine,
        no_flip_classes=recipe.augment.no_flip_classes,
        unfinished=unfinished,
        rejection=rejection,
        refitted=refitted,
        device=experiment.device,
    )


def _fit_probe(
    experiment: Experiment, groups: Sequence[str], examples: Mapping[Part, Kept], *, console: Console
) -> ProbeFit:
    """Fit a probe on encoded clips, and say what chose its penalty."""
    probe = fit_probe(
        experiment.net,
        train=examples["train"],
        validation=examples["validation"],
        groups=groups,
        config=experiment.recipe.training,
        scratch=frame_cache(experiment.recipe).folder,
    )
    if probe.fold_accuracy is None:
        how = "no class has two source groups to choose it by"
    else:
        units = "clips, since source groups are unknown" if experiment.split.unknown_groups else "source groups"
        how = f"chosen by folds over {units}, {percent(probe.fold_accuracy)} of the training clips right"
    say(console, f"probe: penalty {probe.penalty:.0e}, {how}; temperature {probe.calibration.temperature:.2f}")
    return probe


def _try_unknown(
    experiment: Experiment, groups: Sequence[str], examples: Mapping[Part, Kept], *, penalty: float
) -> UnknownFigures | None:
    """Leave classes out of a probe's training clips."""
    head = experiment.net.head
    assert isinstance(head, ProbeHead)
    train, seed = examples["train"], experiment.recipe.training.seed
    if streams(train, head.feature_count):
        sample = drawn_groups(groups, seed=seed)
        means_ND, labels_N = clip_means(experiment.net, SomeExamples(train, sample))
        groups = [groups[index] for index in sample]
    else:
        means_ND, labels_N = clip_means(experiment.net, train)
    return leave_classes_out(
        head,
        means_ND,
        labels_N,
        groups,
        classes=experiment.split.classes,
        penalty=penalty,
        seed=experiment.recipe.training.seed,
    )
