"""A recognizer as an ONNX graph: uint8 frames in, logits out, any number of clips and frames.

Torch's exporter unrolls an LSTM, which fixes the number of frames. So each LSTM is replaced by ONNX's own operator
of that name, which every runtime has a fast kernel for; only the order of the gates differs.

Axes: B clips, T frames, H, W, C (RGB), D features, K classes.
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
from muybridge.models.recognizer import RecognizerNet

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
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter works with it
    except ImportError as error:
        raise UserError(f"exporting needs onnx and onnxscript: pip install 'muybridge[export]' ({error})") from error
    if not hasattr(torch.onnx, "ops"):
        raise UserError(f"exporting needs torch 2.8 or newer, not {torch.__version__}: pip install --upgrade torch")
    exportable = copy.deepcopy(net).cpu().eval().requires_grad_(False)
    _replace_lstms(exportable)
    # 1 would be taken for a constant.
    example_BTHWC = torch.zeros((2, max(frame_count, 2), size_px, size_px, 3), dtype=torch.uint8)
    try:
        with _quiet():
            program = torch.onnx.export(
                exportable,
                (example_BTHWC,),
                dynamo=True,
                dynamic_shapes={"clip_BTHWC": {0: "batch", 1: "frames"}},
                input_names=[INPUT],
                output_names=[OUTPUT],
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise UserError(f"this network cannot be exported with any number of clips and frames: {reason}") from error
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(dict(metadata), ensure_ascii=False)})
    onnx.checker.check_model(model)
    return model


class _OnnxLSTM(nn.Module):
    """A bidirectional ``nn.LSTM`` of one layer that stands in the graph as ONNX's operator LSTM."""

    weight: Tensor
    recurrence: Tensor
    bias: Tensor

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        if lstm.num_layers != 1 or not lstm.bidirectional or not lstm.batch_first or lstm.proj_size:
            raise UserError(f"only bidirectional LSTMs of one layer can be exported, not {lstm}")
        self.width = lstm.hidden_size
        self.register_buffer("weight", _both_directions(lstm, "weight_ih"))
        self.register_buffer("recurrence", _both_directions(lstm, "weight_hh"))
        biases = [_both_directions(lstm, name) for name in ("bias_ih", "bias_hh")]
        self.register_buffer("bias", torch.cat(biases, dim=1))

    def forward(self, features_BTD: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What ``nn.LSTM`` gives: the states after every frame, and the last of each direction."""
        features_TBD = features_BTD.transpose(0, 1)
        frames, batch = features_TBD.shape[:2]
        last = (2, batch, self.width)
        states_T2BD, hidden_2BD, cell_2BD = torch.onnx.ops.symbolic_multi_out(
            "LSTM",
            (features_TBD, self.weight, self.recurrence, self.bias),
            {"hidden_size": self.width, "direction": "bidirectional"},
            dtypes=(torch.float32,) * 3,
            shapes=((frames, *last), last, last),
        )
        return states_T2BD.permute(2, 0, 1, 3).flatten(2), (hidden_2BD, cell_2BD)


def _both_directions(lstm: nn.LSTM, name: str) -> Tensor:
    """Forward and backward tensors, stacked, their gates in ONNX's order: input, output, forget, cell."""
    directions = []
    for suffix in ("_l0", "_l0_reverse"):
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
