"""Opening the engine that an export is for."""

from pathlib import Path

import torch

from muybridge.inference.engines.engine import Engine, EngineName, Precision
from muybridge.inference.engines.exports import Export
from muybridge.inference.engines.onnx_engine import OnnxEngine
from muybridge.inference.engines.openvino_engine import OpenVinoEngine
from muybridge.inference.engines.torch_engine import TorchEngine, load_prepared
from muybridge.models.network import build
from muybridge.models.prepared import Folded
from muybridge.recipes.model import ModelConfig

MODEL_FILES: dict[EngineName, tuple[str, ...]] = {
    "torch": ("model.safetensors",),
    "onnx": ("model.onnx",),
    "openvino": ("model.xml", "model.bin"),
}
"""Files of an export, the first of which names the others."""


def open_engine(
    folder: Path,
    engine: EngineName,
    precision: Precision,
    *,
    config: ModelConfig,
    class_count: int,
    folded: Folded,
) -> Engine:
    """Open the model files in a folder.

    Raises:
        UserError: If the runtime is not installed, or does not take them.
    """
    path = folder / MODEL_FILES[engine][0]
    if engine == "onnx":
        return OnnxEngine(path, precision)
    if engine == "openvino":
        return OpenVinoEngine(path, precision)
    net = load_prepared(path, build(config, class_count, weights="none"), folded, precision)
    return TorchEngine(net, device=torch.device("cpu"), name=f"torch-{precision}", prepare=False)


def load_export(folder: Path, *, config: ModelConfig, class_count: int) -> Engine:
    """Check the files of an export and open its engine.

    Raises:
        UserError: If something is missing or damaged.
    """
    export = Export.load(folder)
    export.check_files(folder)
    return open_engine(
        folder, export.engine, export.precision, config=config, class_count=class_count, folded=export.folded
    )
