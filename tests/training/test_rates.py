import dataclasses
from typing import get_args

import pytest
import torch

from muybridge.errors import UserError
from muybridge.models.encoders.encoder_factory import create_encoder
from muybridge.models.network import RecognizerNet
from muybridge.recipes.encoder_names import EncoderName
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.training import TrainingConfig
from muybridge.training.module import RecognizerModule, make_optimizer
from muybridge.training.rates import check_stages, held_epochs, stage_depths

CONFIG = ModelConfig(width=0.25, head_widths=(8,), trainable="last-27", frozen_batch_norm=False)
PER_EPOCH = 10


@pytest.fixture(scope="module")
def net():
    """MobileNet whose last two blocks and a half learn."""
    return RecognizerNet(CONFIG, 3)


def rates_of(net, config, epochs):
    """The rate of every learning parameter by name, at the start of each tenth of an epoch."""
    module = RecognizerModule(net, config, class_counts=[1, 1, 1], batches_per_epoch=PER_EPOCH)
    configured = module.configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    found = {names[id(p)]: [] for group in optimizer.param_groups for p in group["params"]}
    for _ in range(round(epochs * PER_EPOCH)):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                found[names[id(parameter)]].append(group["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_depths_count_from_the_head_down_over_what_learns(net):
    depths = stage_depths(net.encoder)
    names = [name for name, parameter in net.encoder.named_parameters() if parameter.requires_grad]
    assert depths.keys() == {id(parameter) for parameter in net.encoder.parameters() if parameter.requires_grad}
    by_name = [depths[id(net.encoder.get_parameter(name))] for name in names]
    assert by_name == sorted(by_name, reverse=True)
    assert set(by_name) == set(range(max(by_name) + 1))
    assert by_name[-1] == 0


@pytest.mark.parametrize("name", get_args(EncoderName))
def test_every_encoder_has_several_stages_and_none_is_left_out(name):
    with torch.device("meta"):
        encoder = create_encoder(ModelConfig(encoder=name, weights="none"))
    depths = stage_depths(encoder)
    assert depths.keys() == {id(parameter) for parameter in encoder.parameters()}
    assert max(depths.values()) >= 3
    by_layer = [[depths[id(p)] for p in layer.module.parameters()] for layer in encoder.layers() if layer.module]
    assert by_layer[0][0] == max(depths.values())
    assert by_layer[-1][-1] == 0


def test_the_rate_falls_by_the_factor_from_stage_to_stage(net):
    config = TrainingConfig(learning_rate=0.01, encoder_rate=0.1, layer_decay=0.5, weight_decay=0.3)
    depths = stage_depths(net.encoder)
    count = 0
    for group in make_optimizer(net, config).param_groups:
        for parameter in group["params"]:
            count += 1
            depth = depths.get(id(parameter))
            assert group["depth"] == depth
            assert group["lr"] == pytest.approx(0.01 if depth is None else 0.001 * 0.5**depth)
            assert group["weight_decay"] == (0.3 if parameter.ndim > 1 else 0)
    assert count == sum(parameter.requires_grad for parameter in net.parameters())


def test_without_the_options_there_are_the_groups_of_before(net):
    groups = make_optimizer(net, TrainingConfig()).param_groups
    assert [group["depth"] for group in groups] == [None, None, 0, 0]


@pytest.mark.parametrize(("head_epochs", "first"), [(0, 0.2), (1, 1.0)])
def test_stages_start_one_after_the_other_from_the_top(net, head_epochs, first):
    config = TrainingConfig(epochs=8, unfreeze_every=0.2, head_epochs=head_epochs, warmup_epochs=0, schedule="constant")
    depths = stage_depths(net.encoder)
    for name, rates in rates_of(net, config, 8).items():
        depth = depths.get(id(net.get_parameter(name)))
        start = 0 if depth is None else round((first + 0.2 * depth) * PER_EPOCH)
        assert rates[:start] == [0.0] * start
        assert rates[start:] == [rates[-1]] * (len(rates) - start)
        assert rates[-1] > 0


def test_head_epochs_hold_pretrained_encoders_only():
    config = TrainingConfig(head_epochs=2, unfreeze_every=0.5)
    fresh = RecognizerNet(dataclasses.replace(CONFIG, weights="none", trainable="all"), 3)
    pretrained = RecognizerNet(CONFIG, 3)
    assert [held_epochs(depth, pretrained, config) for depth in (None, 0, 3)] == [0, 2, 3.5]
    assert [held_epochs(depth, fresh, config) for depth in (None, 0, 3)] == [0, 0.5, 2]
    plain = dataclasses.replace(config, unfreeze_every=0)
    assert [held_epochs(0, net, plain) for net in (pretrained, fresh)] == [2, 0]


def test_the_last_stage_must_start_before_the_end(net):
    lowest = max(stage_depths(net.encoder).values())
    check_stages(net, TrainingConfig(epochs=lowest + 3, unfreeze_every=1, head_epochs=2))
    with pytest.raises(UserError, match=f"after {lowest + 2} of {lowest + 2} epochs"):
        check_stages(net, TrainingConfig(epochs=lowest + 2, unfreeze_every=1, head_epochs=2))
    check_stages(net, TrainingConfig(epochs=1, layer_decay=0.8))
    frozen = RecognizerNet(dataclasses.replace(CONFIG, trainable="none"), 3)
    for options in ({"unfreeze_every": 1}, {"layer_decay": 0.8}):
        check_stages(frozen, TrainingConfig(epochs=9))
        with pytest.raises(UserError, match="learn"):
            check_stages(frozen, TrainingConfig(epochs=9, **options))


def test_a_held_stage_does_not_move_although_it_has_gradients(net):
    config = TrainingConfig(epochs=8, unfreeze_every=0.2, head_epochs=0, warmup_epochs=0)
    module = RecognizerModule(net, config, class_counts=[1, 1, 1], batches_per_epoch=PER_EPOCH)
    before = {name: value.clone() for name, value in net.named_parameters()}
    optimizer = module.configure_optimizers()["optimizer"]
    net(torch.randint(0, 255, (2, 2, 32, 32, 3))).square().sum().backward()
    optimizer.step()
    for name, value in net.named_parameters():
        held = name.startswith("encoder.") or not value.requires_grad
        assert torch.equal(before[name], value) is held or not value.grad.any()
