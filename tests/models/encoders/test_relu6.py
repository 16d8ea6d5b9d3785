import pytest
import torch
import torch.nn.functional as F

from muybridge.models.encoders.mobilenet import MobileNetV1
from muybridge.models.encoders.relu6 import relu6_


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_and_gradients_are_torchs_to_the_bit(dtype):
    torch.manual_seed(0)
    first = 4 * torch.randn(4, 8, 5, 5, dtype=dtype)
    first.view(-1)[:4] = torch.tensor([0.0, 6.0, -0.0, float("nan")])
    weight = torch.randn(4, 8, 5, 5, dtype=dtype)
    found = []
    for clip in (relu6_, F.relu6):
        leaf = first.clone().requires_grad_()
        result = clip(leaf * 1)
        (result * weight).sum().backward()
        found.append((result.detach(), leaf.grad))
    for ours, plain in zip(*found, strict=True):
        assert torch.equal(ours.nan_to_num(99), plain.nan_to_num(99))


def kept_bytes(encoder, frames):
    """Bytes of activations that a forward pass keeps for the backward pass."""
    kept = {}
    own = {tensor.untyped_storage().data_ptr() for tensor in encoder.state_dict().values()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = encoder(frames)
    del result
    return sum(kept.values())


def test_a_training_step_of_mobilenet_keeps_less_and_gives_the_same_gradients(monkeypatch):
    torch.manual_seed(0)
    encoder = MobileNetV1(width=0.25).train()
    frames = torch.randn(2, 3, 64, 64)
    ours = kept_bytes(encoder, frames)
    encoder(frames).sum().backward()
    gradients = [parameter.grad.clone() for parameter in encoder.parameters()]
    encoder.zero_grad()
    monkeypatch.setattr("muybridge.models.encoders.mobilenet.relu6_", lambda maps: F.relu6(maps, inplace=True))
    assert ours < 0.8 * kept_bytes(encoder, frames)
    encoder(frames).sum().backward()
    for ours_, parameter in zip(gradients, encoder.parameters(), strict=True):
        assert torch.equal(ours_, parameter.grad)


def test_without_gradients_it_is_torchs_own():
    with torch.no_grad():
        maps = torch.tensor([-1.0, 3.0, 7.0])
        assert relu6_(maps).tolist() == [0.0, 3.0, 6.0] == maps.tolist()
