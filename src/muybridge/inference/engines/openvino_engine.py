"""OpenVINO on the CPU.

Axes: B clips, T frames, H, W, C (RGB), K classes.
"""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch

from muybridge.errors import UserError
from muybridge.inference.engines.engine import FixedLengthEngine, Frames, Logits, Precision


class OpenVinoEngine(FixedLengthEngine):
    """A recognizer in OpenVINO's format.

    Args:
        path: The XML file, with the tensors in the file of the same name next to it.
        precision: What it computes in. Where nothing is quantised an ``int8`` model computes in float32.
        threads: Of the computation; default: as many as torch would take, so OMP_NUM_THREADS counts here, too.

    Raises:
        UserError: If OpenVINO is not installed, does not take the file, or the processor has no bfloat16.
    """

    def __init__(self, path: Path, precision: Precision, *, threads: int | None = None) -> None:
        self.compiled = compile_model(path, precision, threads=threads)
        self.name = f"openvino-{precision}"
        # A request serves one call at a time.
        self.request = self.compiled.create_infer_request()
        self.lock = threading.Lock()

    def score_batch(self, frames_BTHWC: Frames) -> Logits:
        """Score clips that all have T frames: logits_BK."""
        with self.lock:
            return np.array(self.request.infer([frames_BTHWC], share_inputs=True)[0])


def compile_model(path: Path, precision: Precision, *, threads: int | None) -> Any:
    """Compile a model for this processor; arguments and errors as those of `OpenVinoEngine`."""
    try:
        import openvino
    except ImportError as error:
        raise UserError(f"OpenVINO is not installed: pip install 'muybridge[openvino]' ({error})") from error
    core = openvino.Core()
    if precision == "bf16" and not has_bf16():
        raise UserError("this processor does not compute in bfloat16; use openvino-fp32 or openvino-int8")
    # Its own choice of precision would be bfloat16 wherever there is any, whatever the model was checked with.
    properties = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads or torch.get_num_threads(),
    }
    try:
        return core.compile_model(path, "CPU", properties)
    except RuntimeError as error:
        raise UserError(f"{path} is damaged, or this OpenVINO cannot run it ({error}); export again") from error


def has_bf16() -> bool:
    """Whether OpenVINO, which must be installed, can compute in bfloat16 on this processor."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
