import dataclasses
from pathlib import Path

import pytest
import torch

from muybridge.errors import UserError
from muybridge.models.network import RecognizerNet, build
from muybridge.pipeline.batches import Batch
from muybridge.recipes.model import PENALTIES, ModelConfig
from muybridge.recipes.training import TrainingConfig
from muybridge.training.fitting import worker_count
from muybridge.training.module import RecognizerModule, make_optimizer
from muybridge.training.precision import encodes_in_bf16, uses_bf16
from muybridge.training.schedule import rate_factor

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def net():
    return build(ModelConfig(width=0.25, weights="none", head_widths=(8,), dense_widths=(16,)), 3)


def test_cosine_with_warm_up():
    rates = [rate_factor(step, total=100, warmup=10, kind="cosine") for step in range(101)]
    assert rates[0] == pytest.approx(1 / 11)
    assert max(rates) == rates[10] == 1
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)


def test_a_held_group_starts_later_and_joins_the_same_curve():
    free = [rate_factor(step, total=100, warmup=10, kind="cosine") for step in range(101)]
    held = [rate_factor(step, total=100, warmup=10, kind="cosine", held=30) for step in range(101)]
    assert held[:30] == [0.0] * 30
    assert 0 < held[30] < held[35] < free[35]
    assert held[40:] == free[40:]


def test_constant_rate():
    assert [rate_factor(step, total=9, warmup=0, kind="constant") for step in range(9)] == [1.0] * 9


def test_the_encoder_learns_slower_and_biases_do_not_decay(net):
    config = TrainingConfig(learning_rate=0.01, encoder_rate=0.1, weight_decay=0.5)
    groups = make_optimizer(net, config).param_groups
    encoder = {id(parameter) for parameter in net.encoder.parameters()}
    found = 0
    for group in groups:
        for parameter in group["params"]:
            found += 1
            assert group["lr"] == pytest.approx(0.001 if id(parameter) in encoder else 0.01)
            assert group["weight_decay"] == (0.5 if parameter.ndim > 1 else 0.0)
    assert found == sum(parameter.requires_grad for parameter in net.parameters())


def test_frozen_parameters_are_left_to_themselves():
    frozen = build(ModelConfig(width=0.25, weights="none", trainable="none", head_widths=(8,)), 3)
    optimizer = make_optimizer(frozen, TrainingConfig())
    trained = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert trained.isdisjoint(id(parameter) for parameter in frozen.encoder.parameters())


@pytest.mark.parametrize("kind", ["adamw", "adam", "sgd"])
def test_every_optimizer_makes_the_loss_fall(kind):
    torch.manual_seed(0)
    net = build(ModelConfig(width=0.25, weights="none", head_widths=(8,), dense_widths=(), dropout=0.0), 2)
    config = TrainingConfig(optimizer=kind, learning_rate=0.1 if kind == "sgd" else 0.01, encoder_rate=1.0)
    optimizer = make_optimizer(net, config)
    labels = torch.tensor([0, 1, 0, 1])
    frames = torch.randint(0, 100, (4, 2, 32, 32, 3)) + 150 * labels[:, None, None, None, None]
    losses = []
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(net(frames), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def loss_batch():
    return Batch(torch.full((3, 2, 32, 32, 3), 99, dtype=torch.uint8), torch.tensor([2, 2, 1]), torch.tensor([0, 1, 2]))


def loss_of(net, **options):
    module = RecognizerModule(
        net, TrainingConfig(label_smoothing=0, **options), class_counts=[1, 2, 5], batches_per_epoch=1
    )
    module.log = lambda *args, **kwargs: None
    net.eval()  # without dropout the loss is a function of the batch
    batch = loss_batch()
    return module.training_step(batch, 0), net(batch.frames_BTHWC, batch.lengths_B), batch.labels_B


def test_class_weights_are_inverse_shares(net):
    loss, logits, labels = loss_of(net, class_weights=True)
    weights = torch.tensor([8 / 3, 8 / 6, 8 / 15])
    own = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    assert loss.item() == pytest.approx(((own * weights).sum() / weights.sum()).item(), rel=1e-5)


@pytest.mark.parametrize("option", PENALTIES)
def test_penalties_are_on_the_hidden_dense_layers_alone(option):
    torch.manual_seed(0)
    config = ModelConfig(width=0.25, weights="none", head_widths=(8,), dense_widths=(16, 12))
    net = RecognizerNet(dataclasses.replace(config, **{option: 0.1}), 3)
    layers = [net.classifier[0], net.classifier[3]]
    for layer in layers:
        torch.nn.init.normal_(layer.bias)
    penalised, *_ = loss_of(net)
    net.config = config
    plain, _, _ = loss_of(net)
    summed = torch.square if option.startswith("l2") else torch.abs
    if option.endswith("bias"):
        expected = sum(summed(layer.bias).sum() for layer in layers)
    elif option.endswith("activity"):
        batch = loss_batch()
        first = net.classifier[:2](net.head(net.norm(net.encode(batch.frames_BTHWC, batch.lengths_B)), batch.lengths_B))
        second = net.classifier[2:5](first)
        expected = (summed(first).sum() + summed(second).sum()) / len(batch.labels_B)
    else:
        expected = sum(summed(layer.weight).sum() for layer in layers)
    assert (penalised - plain).item() == pytest.approx(0.1 * expected.item(), rel=1e-3)


@pytest.mark.parametrize(("clips", "epochs"), [(20, 40), (100, 30), (375, 8), (9000, 8)])
def test_epochs_suit_the_number_of_clips_unless_given(clips, epochs):
    assert TrainingConfig().resolved(clips).epochs == epochs
    assert TrainingConfig(epochs=3).resolved(clips).epochs == 3


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="asks Linux of its processor")
def test_auto_precision_is_bf16_where_the_processor_says_so():
    flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    assert encodes_in_bf16(TrainingConfig(), CPU) == bool({"avx512_bf16", "amx_tile"} & flags)


def test_precision_and_workers():
    for decides in (uses_bf16, encodes_in_bf16):
        assert not decides(TrainingConfig(precision="32"), CPU)
        assert decides(TrainingConfig(precision="bf16"), CPU)
    assert not uses_bf16(TrainingConfig(), CPU)
    assert worker_count(3) == 3
    assert 0 <= worker_count(-1) <= 8


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"layer_decay": 0.0}, "layer_decay"),
        ({"layer_decay": 1.1}, "layer_decay"),
        ({"unfreeze_every": -1}, "unfreeze_every"),
        ({"accumulate": 0}, "accumulate"),
    ],
)
def test_options_out_of_range(options, name):
    with pytest.raises(UserError, match=f"training.{name}"):
        TrainingConfig(**options)


def test_the_schedule_counts_optimiser_steps(net):
    config = TrainingConfig(epochs=2, accumulate=3, batch_size=2, warmup_epochs=1)
    module = RecognizerModule(net, config, class_counts=[4, 4, 5], batches_per_epoch=7)
    assert module.steps_per_epoch == 3
    configured = module.configure_optimizers()
    schedule = configured["lr_scheduler"]["scheduler"]
    head = next(n for n, group in enumerate(configured["optimizer"].param_groups) if group["depth"] is None)
    factors = [schedule.lr_lambdas[head](step) for step in range(7)]
    assert factors == [rate_factor(step, total=6, warmup=3, kind="cosine") for step in range(7)]


def test_slowfast_with_late_fusion_learns_in_both_pathways_and_both_heads():
    torch.manual_seed(0)
    config = ModelConfig(
        encoder="slowfast_r50", weights="none", trainable="all", head="lstm", head_widths=(4,), fusion="late"
    )
    net = build(config, 2)
    training = TrainingConfig(epochs=1, warmup_epochs=0, head_epochs=0, learning_rate=0.01, encoder_rate=1.0)
    module = RecognizerModule(net, training, class_counts=[1, 1], batches_per_epoch=1)
    module.log = lambda *args, **kwargs: None
    optimizer = module.configure_optimizers()["optimizer"]
    lengths_B = torch.tensor([8, 5])
    batch = Batch(torch.randint(0, 256, (2, 8, 32, 32, 3), dtype=torch.uint8), lengths_B, torch.tensor([0, 1]))
    assert net(batch.frames_BTHWC, lengths_B).shape == (2, 2)
    before = {name: value.clone() for name, value in net.named_parameters()}
    loss = module.training_step(batch, 0)
    loss.backward()
    optimizer.step()
    assert torch.isfinite(loss)
    changed = {name for name, value in net.named_parameters() if not torch.equal(value, before[name])}
    parts = ("multipathway_blocks.0", "multipathway_blocks.1", "multipathway_fusion", "head.slow", "head.fast")
    for part in (*parts, "classifier"):
        assert any(part in name for name in changed), part
