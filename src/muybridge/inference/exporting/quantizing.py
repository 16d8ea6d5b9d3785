"""Int8: quantisation after training, calibrated on real clips.

The ranges of all intermediate values are observed on training clips; convolutions and dense layers then compute in 8
bits. Whether the model still knows its classes is not decided here: see ``muybridge.verbs.export.job``.

Axes: B clips (always 1 here), T frames, H, W, C (RGB).
"""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.errors import UserError
from muybridge.inference.engines.engine import Frames
from muybridge.inference.exporting.graph import INPUT

CalibrationClips = Callable[[], Iterator[Frames]]
"""Yields the calibration clips, THWC, from the first one, each time it is called."""


def quantize_onnx(model: Any, clips: CalibrationClips, path: Path) -> None:
    """Quantise an ONNX model and write it.

    Args:
        model: The float model (``onnx.ModelProto``).
        clips: What to calibrate on.
        path: The file to write.

    Raises:
        UserError: If ONNX Runtime is not installed.
    """
    try:
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise UserError(f"int8 for ONNX Runtime needs onnxruntime: pip install 'muybridge[onnx]' ({error})") from error
    import onnx

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.clips = clips()

        def get_next(self) -> dict[str, Any] | None:
            frames_THWC = next(self.clips, None)
            return None if frames_THWC is None else {INPUT: frames_THWC[None]}

    prepared = path.with_name("prepared.onnx")
    with _quiet():
        onnx.save(model, prepared)
        # Symbolic shapes cannot be followed through a free number of frames, and are not needed.
        quant_pre_process(prepared, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            path,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    prepared.unlink()
    quantized = onnx.load(path)
    del quantized.metadata_props[:]
    quantized.metadata_props.extend(model.metadata_props)
    onnx.save(quantized, path)


def quantize_openvino(model: Any, clips: CalibrationClips, clip_count: int) -> Any:
    """Quantise an OpenVINO model.

    Args:
        model: The float model (``openvino.Model``).
        clips: What to calibrate on.
        clip_count: How many these are.

    Raises:
        UserError: If NNCF is not installed.
    """
    os.environ.setdefault("NNCF_CI", "1")  # it would report its use to its makers
    try:
        import nncf
    except ImportError as error:
        raise UserError(f"int8 for OpenVINO needs NNCF: pip install 'muybridge[openvino]' ({error})") from error

    class Clips:
        def __iter__(self) -> Iterator[Any]:
            return (np.ascontiguousarray(frames_THWC[None]) for frames_THWC in clips())

    nncf.set_log_level(logging.ERROR)
    # OpenVINO's CPU kernel of the LSTM takes float weights only.
    floats = nncf.IgnoredScope(types=["LSTMSequence"], validate=False)
    with _quiet():
        return nncf.quantize(model, nncf.Dataset(Clips()), subset_size=clip_count, ignored_scope=floats)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps progress of the quantisers out of the result on standard output, and advice off the screen."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        root.setLevel(level)
