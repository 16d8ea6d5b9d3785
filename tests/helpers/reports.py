"""Runs as a report gets them, without any training: what each model says is made up, clips are real but small."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from muybridge.dataset.catalog import Clip
from muybridge.dataset.split import Split
from muybridge.evaluation.evaluation import evaluate_predictions
from muybridge.inference.predictions import ClipPrediction, Predictions
from muybridge.reporting.reported import (
    Measured,
    ModelFacts,
    ReportedEnsemble,
    ReportedMember,
    ReportedRun,
    ReportedTraining,
)
from tests.helpers.clips import write_clip

EVIL = "<script>alert(1)</script>"
CLASSES = ("draw", EVIL, "pour", "run", "sit", "walk")
CLIPS = 60
NETWORK = ModelFacts("mobilenet", "bilstm 256", "pretrained", "last-15", "8 uniform", 192, 1234567)
EPOCH = {"epoch": "1", "train_loss": "1.0", "validation_accuracy": "0.5", "learning_rate": "0.1", "seconds": "3.5"}


def some_clips(folder: Path, count: int = CLIPS) -> tuple[Clip, ...]:
    """Clips of all classes in groups of four, sorted by id."""
    return tuple(
        Clip(path=folder / f"{EVIL} {n:02}.avi", label=CLASSES[n % 6], group=f"g{n // 4}", root=folder)
        for n in range(count)
    )


def measured(clips: tuple[Clip, ...], wrong: set[int], *, bad: int | None = None) -> Measured:
    """Predictions that are right but for the clips at ``wrong``; of these a later one has a higher score."""
    answers = []
    for number, clip in enumerate(clips):
        truth = CLASSES.index(clip.label)
        scores = np.full(6, 0.02)
        scores[(truth + 1) % 6 if number in wrong else truth] += 0.5 + 0.005 * number
        scores /= scores.sum()
        error = f"no frame {EVIL}" if number == bad else None
        answers.append(
            ClipPrediction(clip.id, str(clip.path), clip.label, clip.group, None if error else scores, error)
        )
    predictions = Predictions(CLASSES, tuple(answers))
    return Measured(predictions, evaluate_predictions(predictions, protocol="grouped", leak="0 of 60 leak"))


def make_run(
    name: str, clips: tuple[Clip, ...], wrong: set[int], *, bad: int | None = None, epochs: int = 0
) -> ReportedRun:
    """A run; without epochs it has no curves, which take their time."""
    ids = tuple(clip.id for clip in clips)
    return ReportedRun(
        name=name,
        classes=CLASSES,
        split=Split("grouped", 7, train=(), validation=(), test=ids, clips=clips, notes=(f"a note {EVIL}",)),
        leak="0 of 60 leak",
        models=(NETWORK,),
        measured=measured(clips, wrong, bad=bad),
        environment={"python": "3.11", "cpu": {"cores": 2}},
        command="muybridge train clips --recipe 'a & b.yaml'",
        training=ReportedTraining(
            epochs=[EPOCH | {"epoch": str(n + 1)} for n in range(epochs)],
            monitor="loss",
            recipe={"name": "plain", "model": {"lstm": [256, 128]}, "seed": 0, "empty": {}},
            left_out={"lost.avi": f"cut off {EVIL}"},
        )
        if epochs
        else None,
    )


def make_ensemble(name: str, clips: tuple[Clip, ...], wrong: set[int], *, before: set[int]) -> ReportedRun:
    """An ensemble of two; the better one, on validation, is wrong at ``before``."""
    run = make_run(name, clips, wrong)
    facts = run.models[0]
    members = (
        ReportedMember("poor", "runs/poor", 0.25, 1.0, 5, None, facts, measured(clips, set(range(30)))),
        ReportedMember("good", "runs/good", 0.75, 1.5, 9, 0.0123, facts, measured(clips, before)),
    )
    return replace(run, ensemble=ReportedEnsemble("majority vote", members, "good", 10, ("fitted on 10 clips",)))


def write_some_clips(folder: Path, count: int) -> Path:
    """Write the first of the clips: hard links to one small video."""
    write_clip(folder / "one.avi", level=100, seed=0, frames=8)
    for clip in some_clips(folder, count):
        clip.path.parent.mkdir(parents=True, exist_ok=True)
        clip.path.hardlink_to(folder / "one.avi")
    return folder
