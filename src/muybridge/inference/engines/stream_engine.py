"""Running the graph of one step of a streaming model: a frame and the state in, scores and the next state out.

The state is a value and stays with whoever asks, so that one model serves any number of cameras.

    stream = open_stream(folder / "stream.onnx")
    state = stream.first_state()
    for frame_HWC in frames:
        logits_K, state = stream.score(frame_HWC, state)     # of all frames so far

Axes: H, W, C (RGB), K classes.
"""

import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from muybridge.errors import UserError
from muybridge.inference.engines.engine import Frames, Logits
from muybridge.inference.engines.onnx_engine import open_session
from muybridge.inference.engines.openvino_engine import compile_model

State = tuple[npt.NDArray[Any], ...]


class StreamEngine(ABC):
    """Scores a video frame by frame."""

    @abstractmethod
    def first_state(self) -> State:
        """The state before the first frame of a video."""

    @abstractmethod
    def score(self, frame_HWC: Frames, state: State) -> tuple[Logits, State]:
        """Score all frames up to this one.

        Args:
            frame_HWC: uint8 RGB, of the size that the model sees.
            state: What the frame before left.

        Returns:
            logits_K, before the softmax, and the state for the next frame.
        """


class OnnxStream(StreamEngine):
    """A step in an ONNX file."""

    def __init__(self, path: Path) -> None:
        self._session: Any = open_session(path, threads=None)
        self._names = [each.name for each in self._session.get_inputs()]

    def first_state(self) -> State:
        """The state before the first frame of a video."""
        kinds = {"tensor(int64)": np.int64, "tensor(float)": np.float32}
        return tuple(np.zeros(each.shape, kinds[each.type]) for each in self._session.get_inputs()[1:])

    def score(self, frame_HWC: Frames, state: State) -> tuple[Logits, State]:
        """Score all frames up to this one; see ``StreamEngine``."""
        logits_K, *after = self._session.run(None, dict(zip(self._names, (frame_HWC, *state), strict=True)))
        return np.asarray(logits_K), tuple(after)


class OpenVinoStream(StreamEngine):
    """A step in OpenVINO's format."""

    def __init__(self, path: Path) -> None:
        self._compiled = compile_model(path, "fp32", threads=None)
        # A request serves one call at a time.
        self._request = self._compiled.create_infer_request()
        self._lock = threading.Lock()

    def first_state(self) -> State:
        """The state before the first frame of a video."""
        return tuple(np.zeros(tuple(each.shape), each.element_type.to_dtype()) for each in self._compiled.inputs[1:])

    def score(self, frame_HWC: Frames, state: State) -> tuple[Logits, State]:
        """Score all frames up to this one; see ``StreamEngine``."""
        with self._lock:
            results = self._request.infer([frame_HWC, *state])
            logits_K, *after = (np.array(results[number]) for number in range(len(results)))
        return logits_K, tuple(after)


def open_stream(path: str | Path) -> StreamEngine:
    """Open the graph of one step that ``muybridge export RUN --to ENGINE --streaming`` wrote.

    Args:
        path: ``stream.onnx`` or ``stream.xml``.

    Raises:
        UserError: The runtime is not installed, or does not take the file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} is no file; make it with: muybridge export RUN --to onnx --streaming")
    return OpenVinoStream(path) if path.suffix == ".xml" else OnnxStream(path)
