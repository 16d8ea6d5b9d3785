import pytest
import torch
from tests.helpers.clips import tiny_recipe

from muybridge import api
from muybridge.training.averaging import MovingAverage, decay_at

FLAGS = ["--epochs", "3", "--training.patience", "0"]


@pytest.fixture(scope="module")
def averaged(clips, tmp_path_factory):
    """A run of three epochs with averaged weights. Not to be changed."""
    run = tmp_path_factory.mktemp("runs") / "averaged"
    api.train(clips, tiny_recipe(*FLAGS, "--training.ema", "0.9"), run=run)
    return run


def test_the_decay_warms_up():
    assert decay_at(0, 0.999) == pytest.approx(0.1)
    assert decay_at(90, 0.999) == pytest.approx(0.91)
    assert decay_at(10**6, 0.999) == 0.999


def test_the_average_follows_the_weights_and_the_statistics_of_batch_norm():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    expected = {name: value.clone() for name, value in net.state_dict().items()}
    callback = MovingAverage(0.5)
    average = torch.optim.swa_utils.AveragedModel(net, use_buffers=True, **callback._kwargs)
    for update in range(12):
        net(torch.randn(4, 3))
        with torch.no_grad():
            net[0].weight.add_(torch.randn(2, 3))
        average.update_parameters(net)
        # torch takes over the first weights whole.
        decay = 0.0 if update == 0 else min(0.5, (1 + update) / (10 + update))
        for name, value in net.state_dict().items():
            exact = name.endswith("num_batches_tracked")
            expected[name] = value.clone() if exact else decay * expected[name] + (1 - decay) * value
    for name, value in average.module.state_dict().items():
        torch.testing.assert_close(value, expected[name])
    # What never changes stays as it is, to the last bit.
    assert torch.equal(average.module[0].bias, net[0].bias)


def test_the_saved_model_is_the_validated_average_and_not_the_last_weights(averaged):
    checkpoint = torch.load(averaged / "checkpoints" / "last.ckpt", weights_only=True)
    mean, last = checkpoint["state_dict"], checkpoint["current_model_state"]
    assert mean.keys() == last.keys()
    changed = [name for name in mean if not torch.equal(mean[name], last[name])]
    assert any(name.endswith("running_mean") for name in changed)
    assert any(name.endswith("weight") for name in changed)
    assert not any(name.endswith("num_batches_tracked") for name in changed)
    best = torch.load(averaged / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    saved = api.load(averaged).net.state_dict()
    assert all(torch.equal(saved[name.removeprefix("net.")], value) for name, value in best.items())


def test_the_weights_that_learn_are_not_touched(averaged, clips, tmp_path):
    """Averaging watches: apart from what is validated, the training is the one without it."""
    rows = api.train(clips, tiny_recipe(*FLAGS), run=tmp_path / "plain").rows
    plain = torch.load(tmp_path / "plain" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    last = torch.load(averaged / "checkpoints" / "last.ckpt", weights_only=True)
    assert all(torch.equal(last["current_model_state"][name], value) for name, value in plain.items())
    assert [row["train_loss"] for row in rows] == [row["train_loss"] for row in rows_of(last)]
    assert [row["validation_loss"] for row in rows] != [row["validation_loss"] for row in rows_of(last)]


def rows_of(checkpoint):
    return next(state["rows"] for state in checkpoint["callbacks"].values() if "rows" in state)
