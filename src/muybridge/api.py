"""The public functions, in one place."""

from pathlib import Path

from muybridge.inference.recognizer import Recognizer
from muybridge.jobs.measuring import evaluate
from muybridge.jobs.training import TrainResult, resume, train

__all__ = ["TrainResult", "evaluate", "load", "resume", "train"]


def load(path: str | Path, *, device: str | None = None) -> Recognizer:
    """Load a trained model.

    Args:
        path: A run directory, or the ``model`` folder inside one.
        device: Where it computes; default: a GPU if there is one.

    Returns:
        A recognizer; ``load("runs/default-1").predict("clip.avi")`` names the action.

    Raises:
        UserError: If there is no whole model at ``path``.
    """
    return Recognizer.load(Path(path), device=device)
