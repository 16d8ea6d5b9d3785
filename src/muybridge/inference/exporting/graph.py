"""A recognizer as an ONNX graph: uint8 frames in, logits out, any number of clips and frames.

Torch's exporter unrolls an LSTM, which fixes the number of frames. So each LSTM is replaced by ONNX's own operator
of that name, which every runtime has a fast kernel for; only the order of the gates differs.

Axes: B clips, T frames, S steps, H, W, C (RGB), D features, R directions, K classes.
"""

import contextlib
import copy
import io
import json
import logging
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.models.encoders.encoder import VideoEncoder
from muybridge.models.network import RecognizerNet

INPUT, OUTPUT = "frames_BTHWC", "logits_BK"
METADATA_KEY = "muybridge"


def to_onnx(net: RecognizerNet, *, frame_count: int, size_px: int, metadata: Mapping[str, Any]) -> Any:
    """Turn a network into an ONNX model (an ``onnx.ModelProto``).

    Args:
        net: The network; it is not changed.
        frame_count: Frames of a typical clip. The graph takes any number.
        size_px: Height and width, which are fixed.
        metadata: What goes into the file, as JSON, under the key ``muybridge``.

    Raises:
        UserError: If a package is missing, or the network has a part that ONNX cannot express.
    """
    exportable = copy.deepcopy(net).cpu().eval().requires_grad_(False)
    _replace_lstms(exportable)
    shape = (2, _example_frames(net, frame_count), size_px, size_px, 3)
    example_BTHWC = torch.zeros(shape, dtype=torch.uint8)
    return written_graph(
        exportable,
        (example_BTHWC,),
        dynamic_shapes={"clip_BTHWC": {0: "batch", 1: "frames"}},
        inputs=[INPUT],
        outputs=[OUTPUT],
        metadata=metadata,
    )


def written_graph(
    module: nn.Module,
    example: tuple[Tensor, ...],
    *,
    inputs: list[str],
    outputs: list[str],
    metadata: Mapping[str, Any],
    dynamic_shapes: dict[str, Any] | None = None,
) -> Any:
    """Trace a module and write it as an ``onnx.ModelProto``.

    Args:
        module: What to write, in evaluation mode.
        example: Its arguments.
        inputs: Their names in the graph.
        outputs: Names of the results.
        metadata: What goes into the file, as JSON, under the key ``muybridge``.
        dynamic_shapes: As ``torch.export`` wants them; None: all shapes are those of the example.

    Raises:
        UserError: If a package is missing, or the module has a part that ONNX cannot express.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter works with it
    except ImportError as error:
        raise UserError(f"exporting needs onnx and onnxscript: pip install 'muybridge[export]' ({error})") from error
    if not hasattr(torch.onnx, "ops"):
        raise UserError(f"exporting needs torch 2.8 or newer, not {torch.__version__}: pip install --upgrade torch")
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                example,
                dynamo=True,
                dynamic_shapes=dynamic_shapes,
                input_names=inputs,
                output_names=outputs,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise UserError(
            f"this network cannot be exported with any number of clips and frames ({reason}); use engine torch"
        ) from error
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(dict(metadata), ensure_ascii=False)})
    onnx.checker.check_model(model)
    return model


def _example_frames(net: RecognizerNet, frame_count: int) -> int:
    """As many frames, or more where these would make one step in time: 1 is taken for a constant."""
    frame_count = max(frame_count, 2)
    while isinstance(net.encoder, VideoEncoder) and net.encoder.step_count(frame_count) < 2:
        frame_count += 1
    return frame_count


class _OnnxLSTM(nn.Module):
    """An ``nn.LSTM`` of one layer, in one or both directions (R of them), that is in the graph as ONNX's LSTM."""

    weight: Tensor
    recurrence: Tensor
    bias: Tensor

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        if lstm.num_layers != 1 or not lstm.batch_first or lstm.proj_size:
            raise UserError(f"only LSTMs of one layer can be exported, not {lstm}; use engine torch")
        self.width = lstm.hidden_size
        self.directions = 2 if lstm.bidirectional else 1
        self.register_buffer("weight", _stacked(lstm, "weight_ih"))
        self.register_buffer("recurrence", _stacked(lstm, "weight_hh"))
        biases = [_stacked(lstm, name) for name in ("bias_ih", "bias_hh")]
        self.register_buffer("bias", torch.cat(biases, dim=1))

    def forward(self, features_BSD: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What ``nn.LSTM`` returns: the states after every step, and the last of each direction."""
        features_SBD = features_BSD.transpose(0, 1)
        steps, batch = features_SBD.shape[:2]
        last = (self.directions, batch, self.width)
        states_SRBD, hidden_RBD, cell_RBD = torch.onnx.ops.symbolic_multi_out(
            "LSTM",
            (features_SBD, self.weight, self.recurrence, self.bias),
            {"hidden_size": self.width, "direction": "bidirectional" if self.directions == 2 else "forward"},
            dtypes=(torch.float32,) * 3,
            shapes=((steps, *last), last, last),
        )
        return states_SRBD.permute(2, 0, 1, 3).flatten(2), (hidden_RBD, cell_RBD)


def _stacked(lstm: nn.LSTM, name: str) -> Tensor:
    """The tensors of all directions, forward first, their gates in ONNX's order: input, output, forget, cell."""
    directions = []
    for suffix in ("_l0", "_l0_reverse") if lstm.bidirectional else ("_l0",):
        input_gate, forget_gate, cell, output_gate = getattr(lstm, name + suffix).detach().chunk(4)
        directions.append(torch.cat([input_gate, output_gate, forget_gate, cell]))
    return torch.stack(directions)


def _replace_lstms(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.LSTM):
            setattr(module, name, _OnnxLSTM(child))
        else:
            _replace_lstms(child)


@contextlib.contextmanager
def _quiet() -> Any:
    """Keeps remarks of the exporter that a user can do nothing about off the screen."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
