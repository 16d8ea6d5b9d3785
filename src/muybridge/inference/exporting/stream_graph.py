"""A causal recognizer as a graph of one step: a frame and the state in, the scores so far and the new state out.

The state is what the encoder's layers carry (``models.encoders.streams``) and, last, the sum of the features of all
frames so far, whose mean the head sees. All zeros is the state before the first frame.

Axes: H, W, C (RGB), T frames, D features, K classes.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.inference.exporting.graph import written_graph
from muybridge.models.encoders.movinet import StreamingMoViNet
from muybridge.models.heads.head import MeanHead
from muybridge.models.heads.probe import ProbeHead
from muybridge.models.network import RecognizerNet

FRAME, SCORES = "frame_HWC", "logits_K"


class StreamStep(nn.Module):
    """One frame on its way through a recognizer that sees past frames only.

    Args:
        net: The network.

    Raises:
        UserError: Its encoder sees frames to come, or its head needs more than the mean over the frames so far.
    """

    def __init__(self, net: RecognizerNet) -> None:
        super().__init__()
        require_streaming(net)
        self.net = net

    def forward(self, frame_HWC: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return logits_K of all frames so far, then the new state."""
        *encoder_state, sum_BD = state
        net, head = self.net, self.net.head
        features_BSD, after = net.encode_stream(frame_HWC[None, None], tuple(encoder_state) or None)
        sum_BD = sum_BD + net.norm(features_BSD)[:, 0]
        mean_BD = sum_BD / after[0].to(sum_BD.dtype)
        summary_BD = head.normal(mean_BD) if isinstance(head, ProbeHead) else mean_BD
        return (net.classifier(summary_BD)[0], *after, sum_BD)

    @torch.inference_mode()
    def first_state(self, size_px: int) -> tuple[Tensor, ...]:
        """The state before the first frame: zeros, in the shapes that frames of this size leave behind."""
        blank = torch.zeros(size_px, size_px, 3, dtype=torch.uint8)
        sum_BD = torch.zeros(1, self.net.pool.feature_count)
        return tuple(torch.zeros_like(tensor) for tensor in self(blank, sum_BD)[1:])


def require_streaming(net: RecognizerNet) -> None:
    """Check that a network can score a video frame by frame.

    Raises:
        UserError: It cannot.
    """
    if not isinstance(net.encoder, StreamingMoViNet):
        raise UserError(
            f"model.encoder {net.config.encoder} cannot go frame by frame; train one that sees past frames only, "
            "such as movinet_a0"
        )
    if net.config.encoder_output == "logits" or not isinstance(net.head, ProbeHead | MeanHead):
        raise UserError(
            f"model.head {net.config.head} on {net.config.encoder_output} cannot go frame by frame; head probe or mean "
            "on maps, hidden or maps+hidden can"
        )


def state_names(count: int, *, after: bool) -> list[str]:
    """Names of the state's tensors as inputs and, with ``after``, as outputs of the graph."""
    return [f"{'next_' if after else ''}state_{number}" for number in range(count)]


def stream_to_onnx(net: RecognizerNet, *, size_px: int, metadata: Mapping[str, Any]) -> Any:
    """Turn a network into an ONNX model (an ``onnx.ModelProto``) of one step.

    Args:
        net: The network, on the CPU; it is not changed.
        size_px: Height and width of a frame.
        metadata: What goes into the file, as JSON, under the key ``muybridge``.

    Raises:
        UserError: If a package is missing, or the network does not stream.
    """
    step = StreamStep(net).eval()
    state = step.first_state(size_px)
    return written_graph(
        step,
        (torch.zeros(size_px, size_px, 3, dtype=torch.uint8), *state),
        inputs=[FRAME, *state_names(len(state), after=False)],
        outputs=[SCORES, *state_names(len(state), after=True)],
        metadata=metadata,
    )
