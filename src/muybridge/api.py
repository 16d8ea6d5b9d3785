"""The public functions, in one place."""

from pathlib import Path

from muybridge.inference.ensemble import Ensemble
from muybridge.inference.loading import load_model
from muybridge.inference.recognizer import Recognizer
from muybridge.jobs.ensemble_result import EnsembleResult
from muybridge.jobs.ensembling import ensemble
from muybridge.jobs.exporting import ExportResult, export
from muybridge.jobs.measuring import evaluate
from muybridge.jobs.reporting import report
from muybridge.jobs.sweeping import sweep
from muybridge.jobs.training import TrainResult, resume, train
from muybridge.sweeping.results import SweepResult

__all__ = [
    "EnsembleResult",
    "ExportResult",
    "SweepResult",
    "TrainResult",
    "ensemble",
    "evaluate",
    "export",
    "load",
    "report",
    "resume",
    "sweep",
    "train",
]


def load(path: str | Path, *, device: str | None = None, engine: str = "torch") -> Recognizer | Ensemble:
    """Load a trained model.

    Args:
        path: A run directory of a training or an ensemble, or the ``model`` folder inside one.
        device: Where torch computes; default: a GPU if there is one.
        engine: What computes: ``torch``; ``onnx`` or ``openvino``, the fastest export for it; an export by name, such
            as ``openvino-int8``; or ``auto``, the fastest of all that is installed and passed its check.

    Returns:
        A recognizer or an ensemble, used in the same way: ``load("runs/default-1").predict("clip.avi")`` names the
        action.

    Raises:
        UserError: If there is no whole model at ``path``, or not the engine asked for.
    """
    return load_model(Path(path), device=device, engine=engine)
