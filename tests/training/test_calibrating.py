"""Temperature and threshold from clips that the network was not fitted on, folded into its last layer."""

import numpy as np
import torch
from tests.helpers.clips import tiny_recipe

from muybridge.inference.calibration import COLDEST, HOTTEST, most_likely_temperature
from muybridge.models.network import RecognizerNet
from muybridge.recipes.training import TrainingConfig
from muybridge.training.calibrating import Calibration, smoothed_temperature


def overconfident(clips: int, factor: float):
    """Logits of clips, and labels drawn as likely as the logits say, were they divided by ``factor``."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(clips, 4)) * 2
    odds = np.exp(logits)
    labels = [generator.choice(4, p=row / row.sum()) for row in odds]
    return torch.from_numpy(logits * factor), torch.tensor(labels)


def test_the_temperature_takes_back_what_was_too_bold():
    logits_NK, labels_N = overconfident(4000, 3.0)
    found = Calibration.of_held_out(logits_NK, labels_N, TrainingConfig())
    assert abs(found.temperature - 3.0) < 0.2
    assert Calibration.of_held_out(logits_NK, labels_N, TrainingConfig(calibrate=False)).temperature == 1.0


def test_smoothing_keeps_a_model_that_is_always_right_from_certainty():
    logits_NK = torch.eye(3, dtype=torch.float64).repeat(5, 1) * 4
    labels_N = torch.arange(3).repeat(5)
    assert most_likely_temperature(logits_NK.numpy(), labels_N.numpy()) <= COLDEST * 1.01
    assert COLDEST * 1.5 < smoothed_temperature(logits_NK, labels_N) < HOTTEST
    # More clips, all right, allow bolder scores.
    assert smoothed_temperature(logits_NK.repeat(20, 1), labels_N.repeat(20)) < smoothed_temperature(
        logits_NK, labels_N
    )


def test_the_temperature_is_folded_into_the_scores():
    net = RecognizerNet(tiny_recipe().model, 3).eval()
    features_BSD = torch.randn(2, 4, net.pool.feature_count)
    with torch.inference_mode():
        before = net.classify(features_BSD)
        Calibration(temperature=2.5).apply(net)
        torch.testing.assert_close(net.classify(features_BSD), before / 2.5)


def test_without_clips_nothing_is_claimed():
    assert Calibration.of_held_out(torch.empty(0, 3), torch.empty(0), TrainingConfig()) == Calibration()
