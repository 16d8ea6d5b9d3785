"""The public functions, in one place."""

from pathlib import Path

from muybridge.inference.ensemble import Ensemble
from muybridge.inference.loading import load_model
from muybridge.inference.recognizer import Recognizer
from muybridge.jobs.ensemble_result import EnsembleResult
from muybridge.jobs.ensembling import ensemble
from muybridge.jobs.measuring import evaluate
from muybridge.jobs.reporting import report
from muybridge.jobs.sweeping import sweep
from muybridge.jobs.training import TrainResult, resume, train
from muybridge.sweeping.results import SweepResult

__all__ = [
    "EnsembleResult",
    "SweepResult",
    "TrainResult",
    "ensemble",
    "evaluate",
    "load",
    "report",
    "resume",
    "sweep",
    "train",
]


def load(path: str | Path, *, device: str | None = None) -> Recognizer | Ensemble:
    """Load a trained model.

    Args:
        path: A run directory of a training or an ensemble, or the ``model`` folder inside one.
        device: Where it computes; default: a GPU if there is one.

    Returns:
        A recognizer or an ensemble, used in the same way: ``load("runs/default-1").predict("clip.avi")`` names the
        action.

    Raises:
        UserError: If there is no whole model at ``path``.
    """
    return load_model(Path(path), device=device)
