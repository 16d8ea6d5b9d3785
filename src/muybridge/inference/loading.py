"""Loading a model of either kind from a run or a model folder."""

from collections.abc import Callable
from pathlib import Path

from muybridge.errors import UserError
from muybridge.inference.engines.choosing import choose_export
from muybridge.inference.engines.opening import load_export
from muybridge.inference.ensemble import FORMAT as ENSEMBLE_FORMAT
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.recognizer import Recognizer
from muybridge.models.description import METADATA_FILE, model_folder
from muybridge.remote_runs import opened_run
from muybridge.schemas import read_json
from muybridge.storage.urls import written


def load(
    path: str | Path,
    *,
    device: str = "auto",
    engine: str = "torch",
    announce: Callable[[str], None] | None = None,
) -> Recognizer | Ensemble:
    """Load a trained model.

    Args:
        path: A run directory of a training or an ensemble, or the ``model`` folder inside one; or a URL of such a run,
            ``s3://bucket/run`` or ``hf://owner/name``. Nothing that is loaded runs code.
        device: Where torch computes: ``auto``, a GPU if there is one; ``cpu``, ``cuda``, ``cuda:1`` or ``mps``. Exports
            compute on the CPU.
        engine: What computes: ``torch``; ``onnx`` or ``openvino``, the fastest export for it; an export by name, such
            as ``openvino-int8``; or ``auto``, the fastest of all that is installed and passed its check.
        announce: Called with the engine and why it is that one.

    Returns:
        A recognizer or an ensemble, used in the same way: ``load("runs/default-1").predict("clip.avi")`` names the
        action.

    Raises:
        UserError: If there is no whole model there, or not the engine or the device asked for.
    """
    with opened_run(Path(path), announce=announce or (lambda line: None)) as run:
        folder = model_folder(run)
        if is_ensemble(folder):
            if engine not in ("auto", "torch"):
                raise UserError(
                    f"{written(path)} is an ensemble, which computes in torch; engine {engine} is for its members"
                )
            if announce is not None:
                announce("engine torch: an ensemble computes in torch")
            return Ensemble.load(folder, device=device)
        recognizer = Recognizer.load(folder, device=device)
        choice = choose_export(
            run,
            engine,
            weights_sha256=recognizer.weights_sha256,
            device=recognizer.device,
        )
        if choice.export is not None:
            if recognizer.device.type != "cpu" and device != "auto":
                raise UserError(
                    f"engine {engine} computes on the CPU; leave out device {device}, or choose engine torch"
                )
            net = recognizer.net
            recognizer.use(load_export(choice.export, config=net.config, class_count=net.class_count))
        if announce is not None:
            announce(choice.why)
            if recognizer.unfinished:
                announce(f"note: {written(path)} is {recognizer.unfinished}")
        return recognizer


def is_ensemble(folder: Path) -> bool:
    """Whether the model in a model folder is an ensemble; False, too, where there is no model."""
    path = folder / METADATA_FILE
    if not path.is_file():
        return False
    content = read_json(path)
    return isinstance(content, dict) and content.get("format") == ENSEMBLE_FORMAT
