import copy

import pytest
import torch

from muybridge.models import economy, network
from muybridge.models.network import RecognizerNet
from muybridge.recipes.model import ModelConfig


def step(net, frames):
    """Features, gradients and buffers after one training step."""
    torch.manual_seed(3)
    net = copy.deepcopy(net).train()
    features = net.encode(frames, torch.tensor([3, 5]))
    features.square().sum().backward()
    gradients = [parameter.grad for parameter in net.encoder.parameters() if parameter.requires_grad]
    return [features.detach(), *gradients, *net.encoder.buffers()]


CASES = {
    "batch norm learns": ModelConfig(width=0.25, weights="none", trainable="all", frozen_batch_norm=False),
    "batch norm frozen": ModelConfig(width=0.25, trainable="all"),
    "last layers": ModelConfig(width=0.25, trainable="last-15"),
}


@pytest.mark.parametrize("name", CASES)
def test_chunks_and_checkpoints_change_nothing(name, monkeypatch):
    torch.manual_seed(0)
    net = RecognizerNet(CASES[name], 3)  # the file of weights is not read here, so any machine can run this
    frames = torch.randint(0, 256, (2, 5, 64, 64, 3), dtype=torch.uint8)
    plain = step(net, frames)
    for name_ in ("CHUNK_PIXELS", "CHECKPOINT_PIXELS"):
        monkeypatch.setattr(network, name_, 2 * 64 * 64)
    assert economy.frames_are_independent(net.train().encoder) == (name != "batch norm learns")
    chunked = step(net, frames)
    net.checkpointing = True
    twice = step(net, frames)
    for one, two, three in zip(plain, chunked, twice, strict=True):
        torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(three, one, rtol=1e-4, atol=1e-5)


def test_checkpoints_keep_less_and_frozen_layers_keep_nothing():
    torch.manual_seed(0)
    frames = torch.randint(0, 256, (2, 5, 64, 64, 3), dtype=torch.uint8)
    kept = {}
    for trainable in ("all", "last-15", "none"):
        for checkpointing in (False, True):
            net = RecognizerNet(ModelConfig(width=0.25, trainable=trainable), 3).train()
            net.checkpointing = checkpointing
            storages = {}

            def keep(tensor, storages=storages):
                storages[tensor.untyped_storage().data_ptr()] = tensor
                return tensor

            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                result = net.encode(frames)
            own = {tensor.untyped_storage().data_ptr() for tensor in net.state_dict().values()}
            kept[trainable, checkpointing] = sum(
                tensor.untyped_storage().nbytes() for key, tensor in storages.items() if key not in own
            )
            del result
    assert kept["all", True] < 0.2 * kept["all", False]
    assert kept["last-15", False] < 0.2 * kept["all", False]
    assert kept["none", False] == 0


def test_predictions_in_chunks_are_the_same(monkeypatch):
    torch.manual_seed(0)
    net = RecognizerNet(ModelConfig(width=0.25, weights="none"), 3).eval()
    frames = torch.randint(0, 256, (2, 5, 64, 64, 3), dtype=torch.uint8)
    seen = []
    net.encoder.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
    with torch.no_grad():
        whole = net(frames)
        monkeypatch.setattr(network, "CHUNK_PIXELS", 4 * 64 * 64)
        torch.testing.assert_close(net(frames), whole, rtol=1e-4, atol=1e-5)
    assert seen == [10, 4, 4, 2]
