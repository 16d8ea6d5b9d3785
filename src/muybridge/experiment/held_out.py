"""Predicting clips from what is kept of them: their frames in the cache, or what the frozen encoder made of these.

Axes: V views of one clip, K classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from muybridge.dataset.catalog import Clip
from muybridge.errors import VideoError
from muybridge.experiment.examples import encoded, other_clips
from muybridge.experiment.prepare import Experiment
from muybridge.inference.predictions import Predictions
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.trained_model import clip_prediction
from muybridge.training.scoring import score_examples


def predict_kept(
    experiment: Experiment, recognizer: Recognizer, clips: Sequence[Clip], *, console: Console
) -> Predictions:
    """What a trained model says of clips that it was not fitted on; none is decoded or encoded twice.

    Args:
        experiment: The training, whose cache holds what is kept.
        recognizer: Its model.
        clips: Labelled clips; one that does not decode is predicted as an error.
        console: Where progress is printed.
    """
    decoded = other_clips(experiment, clips, console=console)
    recipe, device = experiment.recipe, experiment.device
    kept = encoded({"test": decoded.clips}, recognizer.net, recipe, variants=1, device=device, console=console)
    examples = kept["test"]
    failed = {**decoded.failed, **examples.left_out}
    logits_NK = score_examples(recognizer.net, examples, device=device).numpy()
    views: dict[str, list[NDArray[Any]]] = {}
    for (clip, _), logits_K in zip(examples.examples, logits_NK, strict=True):
        views.setdefault(clip.id, []).append(logits_K)
    answers = (
        clip_prediction(clip, recognizer.answer(np.stack(views[clip.id])))
        if clip.id in views
        else clip_prediction(clip, VideoError(clip.path, failed[clip.id], "muybridge check says more"))
        for clip in clips
    )
    return Predictions(recognizer.classes, tuple(answers))
