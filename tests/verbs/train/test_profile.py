import pytest
import torch
from tests.helpers.clips import tiny_recipe

from muybridge.models.cost import count_macs, count_training_macs
from muybridge.models.network import RecognizerNet
from muybridge.recipes.model import ModelConfig
from muybridge.training.profiling import BACKWARD, ENCODER, HEAD, PHASES, REST, PhaseClock, measure_peak
from muybridge.verbs.train.profile import profile


def test_nested_phases_share_nothing():
    passed = iter((0, 1, 3, 7, 15, 31))
    clock = PhaseClock(now=lambda: next(passed))
    with clock.phase(HEAD), clock.phase(ENCODER):  # entered at 1 and 3, left at 7 and 15
        pass
    seconds = clock.lap()
    assert (seconds[REST], seconds[HEAD], seconds[ENCODER]) == (1 + 16, 2 + 8, 4)


def test_the_profile_of_a_recipe(clips):
    found = profile(clips, tiny_recipe(), steps=4)
    assert found.steps >= 1
    assert found.batch_size == 8
    assert (found.frame_count, found.size_px) == (4, 32)
    assert sum(found.share(name) for name in PHASES) == pytest.approx(1)
    assert found.milliseconds[BACKWARD] > 0
    assert found.milliseconds[ENCODER] > 0
    assert 0 < found.flops < 3 * found.peak_flops
    assert found.to_dict()["clips_per_second"] == pytest.approx(8000 / found.step_milliseconds[0])
    for name in PHASES:
        assert name in str(found)


@pytest.mark.parametrize(("trainable", "factor"), [("all", 3), ("none", 1)])
def test_a_training_step_costs_three_forward_passes_where_all_layers_learn(trainable, factor):
    net = RecognizerNet(ModelConfig(width=0.25, weights="none", trainable=trainable, head="mean"), 2)
    forward = count_macs(net.to("meta").eval(), torch.empty(1, 2, 64, 64, 3, device="meta"))
    counted = count_training_macs(net, frame_count=2, size_px=64)
    # The first convolution needs no gradient of its input, and the classifier learns in both.
    assert factor * forward * 0.9 < counted <= factor * forward * 1.01 + 4 * 1024


def test_the_peak_is_that_of_a_fast_product():
    assert measure_peak(device="cpu", dtype=torch.float32, seconds=0.1) > 1e9


def test_a_frozen_encoder_is_not_run_again(clips):
    found = profile(clips, tiny_recipe("--model.trainable", "none"), steps=4)
    plain = profile(clips, tiny_recipe("--model.trainable", "none", "--cache.features", "off"), steps=4)
    assert found.flops_per_clip < 0.2 * plain.flops_per_clip
    assert found.milliseconds[ENCODER] < 0.5 * plain.milliseconds[ENCODER]


def test_the_profile_of_accumulated_batches(clips):
    recipe = tiny_recipe("--batch-size", "2", "--training.accumulate", "3")
    assert profile(clips, recipe, steps=6).steps >= 6
