"""Loading a model of either kind from a run or a model folder."""

from pathlib import Path

from muybridge.files import read_json
from muybridge.inference.ensemble import FORMAT as ENSEMBLE_FORMAT
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.recognizer import Recognizer
from muybridge.models.saving import METADATA_FILE


def load_model(path: Path, *, device: str | None = None) -> Recognizer | Ensemble:
    """Load a run, or the model folder inside one.

    Args:
        path: A run directory of a training or an ensemble, or the ``model`` folder inside one.
        device: Where it computes; default: a GPU if there is one.

    Raises:
        UserError: If there is no whole model there.
    """
    folder = path / "model" if (path / "model").is_dir() else path
    if is_ensemble(folder):
        return Ensemble.load(folder, device=device)
    return Recognizer.load(folder, device=device)


def is_ensemble(folder: Path) -> bool:
    """Whether the model in a model folder is an ensemble; False, too, where there is no model."""
    path = folder / METADATA_FILE
    if not path.is_file():
        return False
    content = read_json(path)
    return isinstance(content, dict) and content.get("format") == ENSEMBLE_FORMAT
