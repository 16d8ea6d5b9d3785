import json

import pytest
from tests.helpers.clips import tiny_recipe

from muybridge.verbs.train.profile import BACKWARD, ENCODER, OPTIMISER, PARTS, WAITING, profile


def test_the_profile_of_a_recipe(clips):
    found = profile(clips, tiny_recipe(), steps=4)
    assert found.steps >= 1
    assert found.batch_size == 8
    assert min(found.milliseconds.values()) > 0
    assert found.milliseconds[BACKWARD] > found.milliseconds[OPTIMISER]
    assert found.milliseconds[ENCODER] + found.milliseconds[BACKWARD] < found.step_milliseconds
    values = json.loads(json.dumps(found.to_dict()))
    assert sum(part["share"] for part in values["phases"].values()) == pytest.approx(1)
    assert values["clips_per_second"] == pytest.approx(8000 / found.step_milliseconds)
    assert 0.05 < values["peak_gb"] < 64  # torch alone takes more than the least
    assert "8 clips of 4 frames of 32 px" in found.setting
    for name in PARTS:
        assert name in str(found)


def test_a_frozen_encoder_is_not_run_again(clips):
    found = profile(clips, tiny_recipe("--model.trainable", "none"), steps=4)
    plain = profile(clips, tiny_recipe("--model.trainable", "none", "--cache.features", "off"), steps=4)
    assert found.milliseconds[ENCODER] < 0.5 * plain.milliseconds[ENCODER]
    assert found.milliseconds[WAITING] < plain.milliseconds[WAITING]  # no frame is read and augmented


def test_the_profile_of_accumulated_batches(clips):
    recipe = tiny_recipe("--batch-size", "2", "--training.accumulate", "3")
    assert profile(clips, recipe, steps=6).steps >= 6
