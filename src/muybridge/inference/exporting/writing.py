"""Writing the files of an export, and opening the engine that runs them."""

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from muybridge.errors import UserError
from muybridge.inference.engines.engine import Engine, EngineName, Frames, Precision
from muybridge.inference.engines.opening import MODEL_FILES, open_engine
from muybridge.inference.engines.stream_engine import StreamEngine, open_stream
from muybridge.inference.engines.torch_engine import prepare, save_prepared
from muybridge.inference.exporting.graph import METADATA_KEY, to_onnx
from muybridge.inference.exporting.quantizing import CalibrationClips, quantize_onnx, quantize_openvino
from muybridge.inference.exporting.stream_graph import stream_to_onnx
from muybridge.models.network import RecognizerNet
from muybridge.models.prepared import Folded

PRECISIONS: dict[EngineName, tuple[Precision, ...]] = {
    "torch": ("fp32", "bf16"),
    "onnx": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
}
"""What each engine computes in on a CPU."""

_PACKAGES: dict[EngineName, tuple[str, ...]] = {
    "torch": ("muybridge", "torch", "numpy"),
    "onnx": ("muybridge", "torch", "numpy", "onnx", "onnxscript", "onnxruntime"),
    "openvino": ("muybridge", "torch", "numpy", "onnx", "onnxscript", "openvino", "nncf"),
}


def write_model(
    folder: Path,
    net: RecognizerNet,
    *,
    engine: EngineName,
    precision: Precision,
    example_THWC: Frames,
    calibration: CalibrationClips,
    calibration_clips: int,
    metadata: Mapping[str, Any],
) -> tuple[Engine, Folded]:
    """Write the model files of an export and open them.

    Args:
        folder: Where; it exists.
        net: The trained network.
        engine: What is to run it.
        precision: One of ``PRECISIONS`` of the engine.
        example_THWC: A clip as the network sees it.
        calibration: For int8, clips to observe.
        calibration_clips: How many these are.
        metadata: What is written inside the model, where the format has a place for it.

    Returns:
        The engine, running what was written, and for torch what was folded.

    Raises:
        UserError: If a package is missing or the network cannot be expressed.
    """
    path = folder / MODEL_FILES[engine][0]
    folded: Folded = ()
    if engine == "torch":
        prepared, folded = prepare(net, torch.from_numpy(example_THWC[None]), precision)
        save_prepared(path, prepared)
    else:
        frame_count, size_px = example_THWC.shape[:2]
        graph = to_onnx(net, frame_count=frame_count, size_px=size_px, metadata=metadata)
        if engine == "openvino":
            _write_openvino(path, graph, precision, calibration, calibration_clips, metadata)
        elif precision == "int8":
            quantize_onnx(graph, calibration, path)
        else:
            path.write_bytes(graph.SerializeToString())
    return open_engine(folder, engine, precision, config=net.config, class_count=net.class_count, folded=folded), folded


def versions_of(engine: EngineName) -> dict[str, str]:
    """Versions of the packages that an export is made with; those not installed are left out."""
    found = {}
    for name in _PACKAGES[engine]:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


STREAM_FILES: dict[EngineName, str] = {"onnx": "stream.onnx", "openvino": "stream.xml"}
"""The graph of one step next to a model, for the engines that take one."""


def write_stream(
    folder: Path, net: RecognizerNet, *, engine: EngineName, size_px: int, metadata: Mapping[str, Any]
) -> StreamEngine:
    """Write the graph of one step of a streaming model in fp32, and open it.

    Args:
        folder: Where; it exists.
        net: The trained network.
        engine: One of ``STREAM_FILES``.
        size_px: Height and width of a frame.
        metadata: What is written inside the graph.

    Raises:
        UserError: If a package is missing or the network does not stream.
    """
    path = folder / STREAM_FILES[engine]
    graph = stream_to_onnx(net, size_px=size_px, metadata=metadata)
    if engine == "openvino":
        _write_openvino(path, graph, "fp32", lambda: iter(()), 0, metadata)
    else:
        path.write_bytes(graph.SerializeToString())
    return open_stream(path)


def _write_openvino(
    path: Path, graph: Any, precision: Precision, calibration: CalibrationClips, clips: int, metadata: Mapping[str, Any]
) -> None:
    try:
        import openvino
    except ImportError as error:
        raise UserError(f"OpenVINO is not installed: pip install 'muybridge[openvino]' ({error})") from error
    model = openvino.Core().read_model(graph.SerializeToString())
    if precision == "int8":
        model = quantize_openvino(model, calibration, clips)
    model.set_rt_info(json.dumps(dict(metadata), ensure_ascii=False), [METADATA_KEY])
    # bf16 is how it is computed, not how it is stored: halved weights would be float16, another rounding.
    openvino.save_model(model, path, compress_to_fp16=False)
