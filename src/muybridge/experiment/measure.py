"""Measuring a model on labelled clips: the same steps after a training, in evaluate and in the demonstration."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from muybridge import ranks
from muybridge.console import progress_on, say
from muybridge.dataset.catalog import Clip
from muybridge.dataset.split import Split
from muybridge.disk_errors import keeping_result
from muybridge.evaluation.artefacts import write_evaluation
from muybridge.evaluation.evaluation import Evaluation, evaluate_predictions
from muybridge.evaluation.floors import Floors
from muybridge.evaluation.none_of_these import NoneOfThese
from muybridge.experiment.measure_floors import floors_of_split
from muybridge.inference.predictions import ClipPrediction, Predictions
from muybridge.inference.trained_model import Model
from muybridge.inference.views import AS_TRAINED, Views
from muybridge.recipes.cache import CacheConfig
from muybridge.run_schemas import read_leak
from muybridge.runs import RunFolder


def measure(
    models: Sequence[tuple[Model, Sequence[Clip]]],
    *,
    protocol: str,
    leak: str | None,
    notes: Sequence[str] = (),
    floors: Floors | None = None,
    unknown: Sequence[Clip] = (),
    views: Views = AS_TRAINED,
    found: Sequence[Predictions] | None = None,
    out: Path,
    console: Console,
) -> Evaluation:
    """Measure a model on labelled clips, and write what was found.

    Args:
        models: The model with its clips; or the models of folds, of the same classes, each with its own clips. Clips
            that do not decode count as wrong and are named.
        protocol: How they were chosen, as every accuracy says.
        leak: How many of them share a source with what the model was fitted on, in words; None where unknown.
        notes: What a reader should know, one line each.
        floors: What answers that know no action get right of these clips.
        unknown: Clips of classes that the models do not know, to be told from these.
        views: Which views of each clip to combine.
        found: Of each model its predictions for its clips; default: made here from their files.
        out: Folder for predictions.csv, per_class.csv, confusion_matrix.png and evaluation.json.
        console: Where progress is printed.
    """
    found = found or [predict_labelled(model, clips, views=views, console=console) for model, clips in models]
    strange = [_predict_all(model, unknown, views=views, console=console) for model, _ in models]
    limits = [model.rejection for model, _ in models]
    none_of_these = NoneOfThese.of_answers(
        [part.clips for part in found],
        strange,
        # By folds all have a limit, or none has.
        allowed=None if limits[0] is None or None in limits else limits[0].false_alarms,
    )
    predictions = together(found)
    evaluation = evaluate_predictions(
        predictions, protocol=protocol, leak=leak, notes=notes, floors=floors, none_of_these=none_of_these
    )
    with keeping_result() as kept:
        kept.result = evaluation
        write_evaluation(out, predictions, evaluation)
    return evaluation


def measure_test_part(
    folder: RunFolder,
    split: Split,
    model: Model,
    *,
    cache: CacheConfig,
    predictions: Predictions | None = None,
    console: Console,
) -> Evaluation | None:
    """Measure a finished training on its own test clips; without test clips no accuracy is claimed.

    Args:
        folder: The run.
        split: Its clips.
        model: What was fitted.
        cache: Where tiny frames for the floors are kept.
        predictions: The model's for these clips; default: made from their files.
        console: Where progress is printed.
    """
    if not split.test:
        say(console, "note: no test clips, so no accuracy is claimed")
        return None
    return measure(
        [(model, split.clips_of("test"))],
        protocol=split.protocol,
        leak=read_leak(folder.leak),
        notes=split.notes,
        floors=floors_of_split(split, cache=cache, console=console),
        found=None if predictions is None else [predictions],
        out=folder.path,
        console=console,
    )


def predict_labelled(
    model: Model, clips: Sequence[Clip], *, views: Views = AS_TRAINED, console: Console
) -> Predictions:
    """Predict labelled clips, with a progress bar."""
    return Predictions(model.classes, _predict_all(model, clips, views=views, console=console))


def _predict_all(model: Model, clips: Sequence[Clip], *, views: Views, console: Console) -> tuple[ClipPrediction, ...]:
    if not clips:
        return ()
    with progress_on(console) as progress:
        task = progress.add_task("measuring", total=len(clips))
        report = {"on_clip": lambda: progress.advance(task, ranks.size())}
        return ranks.together(_predict_share, model, clips, views=views, first=report)


def _nothing() -> None:
    """Only the first process shows progress."""


def _predict_share(
    model: Model, clips: Sequence[Clip], *, views: Views, on_clip: Callable[[], None] = _nothing
) -> tuple[ClipPrediction, ...]:
    """The predictions for all clips, in order, of which each process makes a share, none of them twice."""
    own = []
    for prediction in model.predict_clips(ranks.share(clips), views=views, workers=ranks.own_cores()):
        own.append(prediction)
        on_clip()
    parts = [iter(part) for part in ranks.gathered(own)]
    return tuple(next(parts[number % len(parts)]) for number in range(len(clips)))


def together(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several models for clips of their own as one, in the order of the clips' ids."""
    if len(parts) == 1:
        return parts[0]
    clips = sorted((clip for part in parts for clip in part.clips), key=lambda clip: clip.clip_id)
    return Predictions(parts[0].classes, tuple(clips))
