from collections.abc import Callable

import pytest
import torch
from torch import nn

from muybridge.errors import UserError
from muybridge.models.encoders.alexnet import AlexNet
from muybridge.models.encoders.densenet import DenseNet121
from muybridge.models.encoders.encoder import FrameEncoder
from muybridge.models.encoders.encoder_factory import create_encoder
from muybridge.models.encoders.freezing import set_trainable
from muybridge.models.encoders.mobilenet import MobileNetV1
from muybridge.models.network import RecognizerNet
from muybridge.recipes.encoder_names import EncoderName
from muybridge.recipes.model import ModelConfig


def _disturb_batch_norms(net: nn.Module) -> None:
    """Give batch norms statistics and weights as training leaves them, instead of zeros and ones."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)


def test_last_15_of_mobilenet_is_the_reports_choice() -> None:
    net = MobileNetV1()
    set_trainable(net, "last-15")
    learning = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    # Keras's blocks 11, 12 and 13 are timm's blocks 3.5, 4.0 and 4.1; bn2 follows the pointwise convolution.
    expected = {name for name, _ in net.named_parameters() if name.startswith("blocks.4.")}
    assert learning == expected | {"blocks.3.5.bn2.weight", "blocks.3.5.bn2.bias"}
    assert [layer.name for layer in net.layers()[-15:]] == [
        "conv_pw_11_bn", "conv_pw_11_relu",
        "conv_pad_12", "conv_dw_12", "conv_dw_12_bn", "conv_dw_12_relu",
        "conv_pw_12", "conv_pw_12_bn", "conv_pw_12_relu",
        "conv_dw_13", "conv_dw_13_bn", "conv_dw_13_relu", "conv_pw_13", "conv_pw_13_bn", "conv_pw_13_relu",
    ]  # fmt: skip


def test_last_15_trains_exactly_that_part() -> None:
    net = RecognizerNet(ModelConfig(width=0.25, weights="none", trainable="last-15"), class_count=3)
    before = {name: value.clone() for name, value in net.encoder.state_dict().items()}
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1)
    net.train()
    for _ in range(2):
        optimizer.zero_grad()
        clip_BTHWC = torch.randint(0, 256, (2, 2, 64, 64, 3), dtype=torch.uint8)
        torch.nn.functional.cross_entropy(net(clip_BTHWC), torch.tensor([0, 2])).backward()
        optimizer.step()
    changed = {name for name, value in net.encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if name.startswith(("blocks.3.5.bn2", "blocks.4."))}


@pytest.mark.parametrize(
    "make_encoder",
    [lambda: MobileNetV1(width=0.25), DenseNet121, AlexNet, lambda: AlexNet(output="logits")],
    ids=["mobilenet", "densenet", "alexnet", "alexnet-with-dropout"],
)
def test_a_frozen_encoder_gives_the_same_in_training_as_in_evaluation(
    make_encoder: Callable[[], FrameEncoder],
) -> None:
    net = make_encoder()
    _disturb_batch_norms(net)
    frames_BCHW = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = net.eval()(frames_BCHW)
        state = {name: value.clone() for name, value in net.state_dict().items()}
        set_trainable(net.train(), "none")
        # As a trainer does between validation and training.
        for mode in (True, False, True):
            torch.testing.assert_close(net.train(mode)(frames_BCHW), expected)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_thawing_undoes_freezing(encoder_config: ModelConfig) -> None:
    net = create_encoder(encoder_config).train()
    set_trainable(net, "none")
    set_trainable(net, "all")
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert all(module.training for module in net.modules())


def test_more_layers_than_there_are_is_an_error() -> None:
    with pytest.raises(UserError, match="MobileNetV1 has 85 layers"):
        set_trainable(MobileNetV1(width=0.25), "last-86")


def test_frozen_batch_norms_stay_as_they_are_while_the_rest_learns() -> None:
    net = RecognizerNet(ModelConfig(width=0.25, trainable="all", frozen_batch_norm=True, head_widths=(4,)), 2)
    norms = [module for module in net.encoder.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [{name: value.clone() for name, value in norm.state_dict().items()} for norm in norms]
    kernel = net.encoder.conv_stem.weight.detach().clone()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    net.train()
    net(torch.randint(0, 255, (2, 2, 32, 32, 3))).logsumexp(1).sum().backward()
    optimizer.step()
    assert len(norms) == 27
    for norm, old in zip(norms, before, strict=True):
        assert all(torch.equal(value, old[name]) for name, value in norm.state_dict().items())
    assert not torch.equal(kernel, net.encoder.conv_stem.weight)


@pytest.mark.parametrize(("encoder", "first"), [("densenet", "features.denseblock4"), ("alexnet", "features.8")])
def test_auto_begins_at_the_last_stage(encoder: EncoderName, first: str) -> None:
    net = RecognizerNet(ModelConfig(encoder=encoder, head_widths=(4,), frozen_batch_norm=False), 2)
    learning = [name for name, parameter in net.encoder.named_parameters() if parameter.requires_grad]
    stages = {name.removeprefix("features.").split(".")[0] for name in learning}
    assert learning[0].startswith(first)
    assert stages == ({"denseblock4", "norm5"} if encoder == "densenet" else {"8", "10"})
