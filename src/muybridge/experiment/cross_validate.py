"""Cross-validation: every clip tested once, by a model that never saw its source.

Notable: where the encoder is frozen and nothing is drawn, each clip is decoded and encoded once for all folds; the
folds' test clips are then predicted from what is kept of them.
"""

import statistics
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from muybridge.console import say
from muybridge.dataset.split import Split
from muybridge.disk_errors import keeping_result
from muybridge.evaluation.artefacts import write_evaluation
from muybridge.evaluation.evaluation import Evaluation, evaluate_predictions
from muybridge.evaluation.floors import Floors
from muybridge.experiment.examples import encoded, other_clips
from muybridge.experiment.fit import FitOutcome, fit_experiment
from muybridge.experiment.held_out import predict_kept
from muybridge.experiment.measure import together
from muybridge.experiment.measure_floors import each_of, summed
from muybridge.experiment.prepare import Experiment
from muybridge.files import write_json, write_rows
from muybridge.inference.predictions import Predictions
from muybridge.run_schemas import RUN_WROTE, FitFile, Reasons, read_leak
from muybridge.runs import RunFolder
from muybridge.schemas import read
from muybridge.text import percent
from muybridge.training.encoding import encodes_once


def cross_validate(experiment: Experiment, *, console: Console) -> tuple[Evaluation, FitOutcome]:
    """Fit a model for each fold, and measure each on the clips that it was kept from.

    Folds that were finished before an interruption are not fitted again.

    Returns:
        The evaluation over all clips, and what the folds' fits found, in the middle.
    """
    quiet = console
    if encodes_once(experiment.net, experiment.recipe.cache):
        _encode_all(experiment, console=console)
        quiet = Console(quiet=True)
    rows, found, outcomes = [], [], []
    folders = experiment.folder.folds(len(experiment.folds))
    floors = each_of(
        [(fold.clips_of("train"), fold.clips_of("test")) for fold in experiment.folds],
        cache=experiment.recipe.cache,
        console=console,
    )
    for number, (split, folder) in enumerate(zip(experiment.folds, folders, strict=True), 1):
        if not folder.predictions.is_file():
            _fit_fold(experiment, split, folder, console=quiet)
        predictions = Predictions.read_csv(folder.predictions)
        found.append(predictions)
        outcomes.append(FitOutcome.of_file(read(folder.fit, FitFile, hint=RUN_WROTE)))
        rows.append(_row(number, split, predictions, outcomes[-1], floors[number - 1]))
        right = f"{rows[-1]['correct']} of {rows[-1]['clips']}"
        say(
            console,
            f"fold {number} of {len(experiment.folds)}: {right} right, {percent(rows[-1]['accuracy'])} "
            f"({floors[number - 1]})",
        )
    # Every clip is to be learned from in some fold, so these are all that do not decode.
    failed = {
        clip: reason for folder in folders for clip, reason in read(folder.undecodable, Reasons, hint=RUN_WROTE).items()
    }
    write_json(experiment.folder.undecodable, failed)
    write_rows(experiment.folder.fold_figures, rows)
    predictions = together(found)
    evaluation = evaluate_predictions(
        predictions,
        protocol=experiment.split.protocol,
        leak=read_leak(experiment.folder.leak),
        notes=experiment.split.notes,
        floors=summed(floors),
    )
    with keeping_result() as kept:
        kept.result = evaluation
        write_evaluation(experiment.folder.path, predictions, evaluation)
    return evaluation, _middle(outcomes)


def _fit_fold(experiment: Experiment, split: Split, folder: RunFolder, *, console: Console) -> None:
    """Fit the model of one fold; the predictions for its test clips are written last."""
    own = experiment.over(split, folder)
    fitted = fit_experiment(own, console=console)
    write_json(folder.fit, fitted.outcome.to_dict())
    predict_kept(own, fitted.recognizer, split.clips_of("test"), console=console).write_csv(folder.predictions)


def _middle(outcomes: Sequence[FitOutcome]) -> FitOutcome:
    """The median of each figure; the limit of the fold whose is the median."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.rejection.threshold if outcome.rejection else 0.0)
    return FitOutcome(
        epoch=round(statistics.median(outcome.epoch for outcome in outcomes)),
        temperature=statistics.median(outcome.temperature for outcome in outcomes),
        rejection=ordered[len(ordered) // 2].rejection,
        seconds=statistics.median(outcome.seconds for outcome in outcomes),
    )


def _encode_all(experiment: Experiment, *, console: Console) -> None:
    """Decode and encode every clip, with a bar over all of them in place of one for each fold."""
    clips = other_clips(experiment, experiment.split.clips, console=console).clips
    net, recipe, device = experiment.net, experiment.recipe, experiment.device
    encoded({"test": clips}, net, recipe, variants=1, device=device, console=console)


def _row(number: int, split: Split, predictions: Predictions, outcome: FitOutcome, floors: Floors) -> dict[str, Any]:
    correct = int(predictions.correct_N.sum())
    return {
        "fold": number,
        "train": len(split.train),
        "validation": len(split.validation),
        "clips": len(predictions.clips),
        "correct": correct,
        "accuracy": correct / len(predictions.clips),
        "majority": floors.majority.value if floors.majority else None,
        "colours": floors.colours.value if floors.colours else None,
        "epoch": outcome.epoch,
        "temperature": outcome.temperature,
        "seconds": outcome.seconds,
    }
