"""How an ensemble compares with its members: the figures as values, as text and as JSON."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from muybridge import notebook
from muybridge.evaluation.comparison import Comparison
from muybridge.evaluation.evaluation import Evaluation
from muybridge.evaluation.metrics import negative_log_likelihood
from muybridge.inference.combining import DESCRIPTIONS, Combination
from muybridge.inference.predictions import Predictions
from muybridge.runs import RunFolder
from muybridge.storage.urls import written
from muybridge.text import counted, percent, shortened

# Longer lists of clips are cut here, and say so; comparison.json has all.
_LISTED_CLIPS = 20


@dataclass(frozen=True)
class ValidationFigures:
    """How a model does on the common validation clips: all that a choice may look at.

    Attributes:
        clips: Number of clips.
        correct: Those that are right.
        negative_log_likelihood: In nats per decoded clip; None without one.
    """

    clips: int
    correct: int
    negative_log_likelihood: float | None

    @classmethod
    def of(cls, predictions: Predictions) -> "ValidationFigures":
        """The figures of some predictions."""
        correct = int(predictions.correct_N.sum())
        return cls(len(predictions.clips), correct, negative_log_likelihood(predictions))


@dataclass(frozen=True, eq=False)
class MemberResult:
    """A member alone, and what the ensemble gains on it.

    Attributes:
        name: How the ensemble calls it.
        run: Its run directory.
        weights_sha256: Which weights it has.
        weight: Its weight in the ensemble.
        temperature: What its logits are divided by in the ensemble; 1 without calibration.
        validation: Its figures on the common validation clips, before calibration.
        predictions: What it says of the test clips, before calibration.
        test: The figures about that.
        calibrated_error: Its expected calibration error on the test clips at its temperature.
        gain: What changes on the test clips from this member to the ensemble.
    """

    name: str
    run: Path
    weights_sha256: str
    weight: float
    temperature: float
    validation: ValidationFigures
    predictions: Predictions
    test: Evaluation
    calibrated_error: float | None
    gain: Comparison

    def describe(self) -> dict[str, Any]:
        """What ensemble.json says of it."""
        return {
            "name": self.name,
            "run": written(self.run),
            "weights_sha256": self.weights_sha256,
            "weight": self.weight,
            "temperature": self.temperature,
            "validation": asdict(self.validation),
            "expected_calibration_error": {"before": self.test.calibration.error, "after": self.calibrated_error},
        }


@dataclass(frozen=True, eq=False)
class EnsembleResult:
    """What an ensemble left behind.

    Attributes:
        run: The run directory.
        combination: The rule with its numbers.
        calibrated: Whether temperatures were fitted.
        members: Each member alone, in the order they were named.
        best: Name of the best member: most correct validation clips, then least negative log likelihood there.
        validation: The ensemble's figures on the validation clips that its numbers were fitted on.
        test: The ensemble's figures on the common test clips.
        uncalibrated_error: Expected calibration error of the ensemble on the test clips without temperatures.
        notes: What a reader should know about how it was made, one line each.
        saved: Whether the run directory is there; not so in a `NotSavedError` alone.
    """

    run: Path
    combination: Combination
    calibrated: bool
    members: tuple[MemberResult, ...]
    best: str
    validation: ValidationFigures
    test: Evaluation
    uncalibrated_error: float | None
    notes: tuple[str, ...]
    saved: bool = True

    @property
    def best_on_test(self) -> str:
        """Name of the member with most correct test clips: known only afterwards, so no yardstick."""
        return max(self.members, key=lambda member: (member.test.top1.correct, member.name == self.best)).name

    def gain_on(self, name: str) -> Comparison:
        """What changes on the test clips from a member to the ensemble."""
        return next(member.gain for member in self.members if member.name == name)

    def __str__(self) -> str:
        lines = []
        for member in self.members:
            numbers = f"weight {member.weight:.3f}, " if self.combination.rule == "weighted" else ""
            numbers += f"temperature {member.temperature:.3f}, " if self.calibrated else ""
            lines.append(
                f"{member.name} ({numbers}validation {member.validation.correct} of {member.validation.clips}): "
                f"{member.test.summary()}"
            )
        what = f"ensemble, {DESCRIPTIONS[self.combination.rule]}" if len(self.members) > 1 else "calibrated"
        lines.append(f"{what}: {self.test.summary()}")
        lines += self.test.details()[1:]
        if len(self.members) > 1:
            lines += self._gains()
        if self.calibrated:
            errors = [(m.name, m.test.calibration.error, m.calibrated_error) for m in self.members]
            if len(self.members) > 1:
                errors.append(("ensemble", self.uncalibrated_error, self.test.calibration.error))
            changes = ", ".join(f"{name} {percent(before)} to {percent(after)}" for name, before, after in errors)
            lines.append(f"expected calibration error on the test clips, by the temperatures: {changes}")
        return "\n".join([*lines, *([f"report: {written(RunFolder(self.run).report)}"] if self.saved else [])])

    def _gains(self) -> list[str]:
        gain = self.gain_on(self.best)
        clips = counted(self.validation.clips, "validation clip")
        lines = [f"against {self.best}, the best member on {clips}: {gain.summary()}"]
        for what, ids in (("repaired", gain.repaired), ("broken", gain.broken)):
            lines.append(f"{what}: {shortened(ids, limit=_LISTED_CLIPS) or 'none'}")
        if self.best_on_test != self.best:
            gain = self.gain_on(self.best_on_test)
            lines.append(f"for the reader, against {self.best_on_test}, best on these test clips: {gain.summary()}")
        return lines

    def _repr_html_(self) -> str:
        """The result in a notebook: each member and the ensemble on the test clips, and the gain on the best."""
        table = [
            {
                "model": member.name,
                "weight": member.weight,
                "validation": f"{member.validation.correct} of {member.validation.clips}",
                "test": f"{member.test.top1.correct} of {member.test.top1.clips}",
                "accuracy": percent(member.test.top1.value),
            }
            for member in self.members
        ]
        table.append(
            {
                "model": "ensemble",
                "weight": None,
                "validation": f"{self.validation.correct} of {self.validation.clips}",
                "test": f"{self.test.top1.correct} of {self.test.top1.clips}",
                "accuracy": percent(self.test.top1.value),
            }
        )
        what = f"ensemble of {len(self.members)}" if len(self.members) > 1 else "calibrated"
        gain = f"against {self.best}, the best member: {self.gain_on(self.best).summary()}"
        return notebook.card(
            f"{what}, {DESCRIPTIONS[self.combination.rule]}",
            notebook.rows(table, limit=len(table)),
            notebook.lines([gain] if len(self.members) > 1 else []),
            notebook.lines(self.test.details()),
            notebook.facts({"run": written(self.run), "report": written(RunFolder(self.run).report)}),
        )

    def describe(self) -> dict[str, Any]:
        """What ensemble.json says: all but the figures on the test clips, which have files of their own."""
        return {
            **self.combination.to_dict(),
            "calibrated": self.calibrated,
            "best": self.best,
            "validation": asdict(self.validation),
            "expected_calibration_error": {"before": self.uncalibrated_error, "after": self.test.calibration.error},
            "members": [member.describe() for member in self.members],
            "notes": list(self.notes),
        }

    def comparison(self) -> dict[str, Any]:
        """What comparison.json says: what the ensemble gains on each member."""
        return {
            "best": self.best,
            "best_on_test": self.best_on_test,
            "gains": {member.name: member.gain.to_dict() for member in self.members},
        }

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "run": written(self.run),
            "report": written(RunFolder(self.run).report),
            **self.describe(),
            "comparison": self.comparison(),
            "test": self.test.to_dict(),
            "members_on_test": {member.name: member.test.to_dict() for member in self.members},
        }
