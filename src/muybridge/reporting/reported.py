"""What a report is made of: everything about one run, as plain values that know no HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from muybridge.dataset.catalog import Clip
from muybridge.dataset.split import Split
from muybridge.evaluation.evaluation import Evaluation
from muybridge.inference.predictions import Predictions


@dataclass(frozen=True)
class ModelFacts:
    """What a table says of one network.

    Attributes:
        encoder: name of its encoder, as in a recipe.
        head: its temporal head, as in a recipe, with its widths if it has any.
        weights: which first weights its encoder was to have, as in a recipe.
        layers_to_train: which layers of its encoder learn: ``all``, ``none`` or ``last-N``.
        frames: the frames it sees, in a few words.
        size_px: side of these.
        parameters: how many numbers it has.
    """

    encoder: str
    head: str
    weights: str
    layers_to_train: str
    frames: str
    size_px: int
    parameters: int


@dataclass(frozen=True, eq=False)
class Measured:
    """What a model said about its test clips, and the figures about it."""

    predictions: Predictions
    evaluation: Evaluation

    @cached_property
    def labels(self) -> dict[str, str]:
        """The true class of each clip by its id: equal where two models were measured on the same clips."""
        return {clip.clip_id: clip.label for clip in self.predictions.clips}


@dataclass(frozen=True, eq=False)
class ReportedTraining:
    """How a model was trained.

    Attributes:
        epochs: rows of metrics.csv (see `plot_curves`); none for cross-validation, and for a probe, which has none.
        monitor: the validation figure that chose the weights, ``"loss"`` or ``"accuracy"``; or ``"last"``.
        recipe: the complete recipe, nested mappings allowed.
        left_out: training and validation clips that do not decode, with their reasons.
    """

    epochs: Sequence[Mapping[str, Any]]
    monitor: str
    recipe: Mapping[str, Any]
    left_out: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class ReportedMember:
    """One member of an ensemble, measured on the ensemble's test clips.

    Attributes:
        name: how the ensemble calls it.
        run: the run that it came from.
        weight: its share in the ensemble.
        temperature: what its logits are divided by; 1 when it was not calibrated.
        validation_correct: its correct clips among the ensemble's validation clips.
        calibrated_error: its expected calibration error on the test clips at its temperature; None without clips.
        model: its network.
        measured: its predictions, before its temperature.
    """

    name: str
    run: str
    weight: float
    temperature: float
    validation_correct: int
    calibrated_error: float | None
    model: ModelFacts
    measured: Measured


@dataclass(frozen=True, eq=False)
class ReportedEnsemble:
    """How an ensemble was put together.

    Attributes:
        rule: how its members' scores become one, in words.
        members: its members, in its order.
        best: name of the member that was best on the validation clips: what a reader had without the ensemble.
        validation_clips: number of clips that chose it, and that weights and temperatures were fitted on.
        notes: what a reader should know about how it was made, one line each.
    """

    rule: str
    members: tuple[ReportedMember, ...]
    best: str
    validation_clips: int
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ReportedRun:
    """All that a report says of one run.

    Attributes:
        name: unlike that of any other run in the report.
        classes: the K class names.
        split: which clips were in which part.
        leak: how many test clips share their source with a training clip, in words; None when unknown.
        models: the network; those of all members for an ensemble.
        measured: predictions for the test clips; None when there were none, or they were not measured.
        environment: what environment.json holds; a run of an older version has fewer entries.
        command: the command line that makes this run again.
        training: how it was trained; None for an ensemble.
        ensemble: how it was put together; None for a training.
        refitted: the parts of the split that its model was fitted on after another was measured; else empty.
        unknown: how often a clip of a known class looks more familiar than one of a class left out (AUROC); None where
            that was not tried.
        false_alarms: the share of clips of its classes of which its model may say "none of these"; None: it never does.
        folds: rows of folds.csv, for cross-validation.
        learning_curve: rows of learning_curve.csv, if it was measured.
    """

    name: str
    classes: tuple[str, ...]
    split: Split
    leak: str | None
    models: tuple[ModelFacts, ...]
    measured: Measured | None
    environment: Mapping[str, Any]
    command: str
    training: ReportedTraining | None = None
    ensemble: ReportedEnsemble | None = None
    refitted: tuple[str, ...] = ()
    unknown: float | None = None
    false_alarms: float | None = None
    folds: Sequence[Mapping[str, str]] = ()
    learning_curve: Sequence[Mapping[str, str]] = ()

    @cached_property
    def clips(self) -> dict[str, Clip]:
        """The test clips by their id."""
        return {clip.id: clip for clip in self.split.clips_of("test")}
