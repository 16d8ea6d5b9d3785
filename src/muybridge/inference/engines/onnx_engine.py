"""ONNX Runtime on the CPU.

Axes: B clips, T frames, H, W, C (RGB), K classes.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from muybridge.errors import UserError
from muybridge.inference.engines.engine import FixedLengthEngine, Frames, Logits, Precision


class OnnxEngine(FixedLengthEngine):
    """A recognizer in an ONNX file.

    Args:
        path: The file.
        precision: Of the export; the file says all that ONNX Runtime needs.
        threads: Of the computation; default: as many as torch would take, so OMP_NUM_THREADS counts here, too.

    Raises:
        UserError: If ONNX Runtime is not installed, or does not take the file.
    """

    def __init__(self, path: Path, precision: Precision, *, threads: int | None = None) -> None:
        self.session = open_session(path, threads=threads)
        self.name = f"onnx-{precision}"
        self.input = self.session.get_inputs()[0].name

    def score_batch(self, frames_BTHWC: Frames) -> Logits:
        """Score clips that all have T frames: logits_BK."""
        return np.asarray(self.session.run(None, {self.input: frames_BTHWC})[0])


def open_session(path: Path, *, threads: int | None) -> Any:
    """Open an ONNX file.

    Args:
        path: The file.
        threads: Of the computation; None: as many as torch would take.

    Raises:
        UserError: If ONNX Runtime is not installed, or does not take the file.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(f"ONNX Runtime is not installed: pip install 'muybridge[onnx]' ({error})") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    # Threads that wait for work by spinning would take the cores from the decoders.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base class of their own
        raise UserError(f"{path} is damaged, or this ONNX Runtime cannot run it ({error}); export again") from error
