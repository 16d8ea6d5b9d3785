"""Networks made ready for inference: other forms of the same layers, and the same numbers."""

import pytest
import torch
from torch import Tensor

from muybridge.models.encoders.encoder import Settling
from muybridge.models.encoders.same_padding import SameConv2d, SamePool
from muybridge.models.network import RecognizerNet
from muybridge.models.prepared import prepared_copy
from muybridge.recipes.model import ModelConfig

# Even and odd sizes are padded differently, and so are their halves: 44 is even and even, 46 even and odd.
SIZES = [(44, 46), (46, 45), (45, 44)]
STREAMS = ("movinet_a0", "movinet_a0_mobile", "movinet_a1")
SETTLING = (*STREAMS, "movinet_a0_base", "efficientnet_lite0")


def _lively(encoder: str) -> RecognizerNet:
    """With numbers other than 0 and 1 in every layer, so that all of them bear on the result."""
    torch.manual_seed(0)
    net = RecognizerNet(ModelConfig(encoder=encoder, weights="none", head="mean"), 2).eval()
    for name, value in net.encoder.state_dict().items():
        if name.endswith("alpha"):
            value.fill_(0.7)
        elif value.ndim == 1 and value.is_floating_point():
            value.uniform_(0.5, 1.5)
    return net


def _clip(height: int, width: int, frames: int = 7) -> Tensor:
    return torch.randint(0, 256, (1, frames, height, width, 3), dtype=torch.uint8)


def _close(given: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("encoder", SETTLING)
@torch.inference_mode()
def test_a_prepared_network_gives_the_same_features(encoder: str, size: tuple[int, int]) -> None:
    net, clip = _lively(encoder), _clip(*size)
    prepared = prepared_copy(net, clip, bf16=False)
    layers = [module for module in prepared.encoder.modules() if isinstance(module, Settling)]
    assert layers and all(layer.settled for layer in layers)
    assert not any(isinstance(module, Settling) and module.settled for module in net.encoder.modules())
    _close(prepared.encode(clip), net.encode(clip))


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("encoder", STREAMS)
@torch.inference_mode()
def test_a_prepared_network_streams_the_same_features(encoder: str, frames: int) -> None:
    net, clip = _lively(encoder), _clip(44, 46)
    prepared, state, parts = prepared_copy(net, clip, bf16=False), None, []
    for part in clip.split(frames, dim=1):
        features, state = prepared.encode_stream(part, state)
        parts.append(features)
    _close(torch.cat(parts, dim=1), net.encode(clip))


@torch.inference_mode()
def test_clips_shorter_than_the_kernel_over_time_have_no_past() -> None:
    net = _lively("movinet_a0_mobile")
    for frames in range(1, 7):
        clip = _clip(44, 44, frames)
        _close(prepared_copy(net, clip, bf16=False).encode(clip), net.encode(clip))


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 8])
@torch.inference_mode()
def test_settled_convolutions_and_pools_are_padded_as_before(size: int, kernel_size: int) -> None:
    maps = torch.rand(2, 4, size, size + 3)
    for layer in (SameConv2d(4, 4, kernel_size, 2, groups=2, bias=True), SamePool()):
        before = layer(maps)
        layer.settle()
        torch.testing.assert_close(layer(maps), before)
