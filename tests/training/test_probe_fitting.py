"""The probe: the optimum of logistic regression, a penalty chosen over source groups, and a model like any other."""

import json

import numpy as np
import pytest
import torch
from tests.helpers.clips import tiny_recipe
from torch.nn import functional

from muybridge import api
from muybridge.errors import UserError
from muybridge.recipes.model import ModelConfig
from muybridge.training.penalty_choice import PENALTIES, WITHOUT_FOLDS, choose_penalty
from muybridge.training.probe_solving import solve, solve_path


def drawn(clips: int, features: int, *, classes: int = 3, noise: float = 1.0, seed: int = 0):
    """Clips around one centre a class, in groups of two that share an offset."""
    generator = torch.Generator().manual_seed(seed)
    labels_N = torch.arange(clips) % classes
    centres_KD = torch.randn(classes, features, generator=generator, dtype=torch.float64)
    offsets = torch.randn(clips, features, generator=generator, dtype=torch.float64).repeat_interleave(2, 0)[:clips]
    inputs_ND = centres_KD[labels_N] + noise * offsets
    groups = [f"{label}-{number // (2 * classes)}" for number, label in enumerate(labels_N.tolist())]
    return functional.normalize(inputs_ND, dim=1), labels_N, groups


@pytest.mark.parametrize(("clips", "features"), [(24, 90), (60, 12)], ids=["fewer clips", "fewer features"])
@pytest.mark.parametrize("penalty", [1e-4, 1e-2])
def test_the_slope_is_zero_at_the_solution(clips, features, penalty):
    inputs_ND, labels_N, _ = drawn(clips, features)
    weights, bias = (value.clone().requires_grad_() for value in solve(inputs_ND, labels_N, penalty, class_count=3))
    loss = functional.cross_entropy(functional.linear(inputs_ND, weights, bias), labels_N)
    (loss + penalty / 2 * (weights.square().sum() + 1e-3 * bias.square().sum())).backward()
    assert weights.grad is not None and bias.grad is not None
    assert max(weights.grad.abs().max(), bias.grad.abs().max()) < 1e-6


def test_a_path_ends_where_each_penalty_alone_does():
    inputs_ND, labels_N, _ = drawn(30, 40)
    path = solve_path(inputs_ND, labels_N, (1e-3, 1e-2), class_count=3)
    for penalty, (weights_KD, _) in zip((1e-3, 1e-2), path, strict=True):
        alone_KD, _ = solve(inputs_ND, labels_N, penalty, class_count=3)
        torch.testing.assert_close(weights_KD, alone_KD, atol=1e-4, rtol=1e-3)


def test_noisier_clips_get_a_stronger_penalty():
    clear, noisy = (choose_penalty(*drawn(90, 30, noise=noise), class_count=3, seed=0) for noise in (0.3, 6.0))
    assert clear.penalty < noisy.penalty
    assert clear.accuracy is not None and noisy.accuracy is not None
    assert clear.accuracy > noisy.accuracy
    # Five folds learned from four fifths of the clips; on all of them the same hold is a smaller penalty.
    assert {clear.penalty, noisy.penalty} <= {0.8 * penalty for penalty in PENALTIES}


def test_one_source_a_class_leaves_nothing_to_choose_by():
    inputs_ND, labels_N, _ = drawn(6, 10)
    choice = choose_penalty(inputs_ND, labels_N, [str(label) for label in labels_N.tolist()], class_count=3, seed=0)
    assert (choice.penalty, choice.accuracy) == (WITHOUT_FOLDS, None)


@pytest.fixture(scope="module")
def probed(clips, tmp_path_factory):
    """A finished run of a probe on an untrained encoder. Not to be changed."""
    run = tmp_path_factory.mktemp("probe") / "run"
    return api.train(clips, tiny_recipe("--model.head", "probe"), run=run)


def test_a_probe_is_a_run_like_any_other(probed, clips, tmp_path):
    assert probed.evaluation.top1.value > 0.7
    assert len(probed.rows) == 1
    assert probed.rows[0]["validation_accuracy"] > 0.7
    video = next(clips.rglob("*.avi"))
    recognizer = api.load(probed.run)
    assert recognizer.predict(video).ranking == api.load(probed.run).predict(video).ranking
    assert json.loads((probed.run / "model" / "model.json").read_text())["model"]["head"] == "probe"
    before = (probed.run / "model" / "model.safetensors").read_bytes()
    api.resume(probed.run)
    assert (probed.run / "model" / "model.safetensors").read_bytes() == before


def test_training_rows_are_those_of_the_saved_network(probed):
    """The classifier in float32, with the temperature folded in, is the one that was measured."""
    assert np.isfinite([value for key, value in probed.rows[0].items() if key.endswith("loss")]).all()
    net = api.load(probed.run).net
    assert net.norm.__class__.__name__ == "Identity"
    assert (net.head.feature_std_D > 0).all()


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"trainable": "all"}, "model.trainable"),
        ({"dense_widths": (8,)}, "model.dense_widths"),
        ({"fusion": "late"}, "model.fusion"),
    ],
)
def test_what_a_probe_cannot_have_is_refused(options, key):
    with pytest.raises(UserError, match=key):
        ModelConfig(head="probe", **options)


def test_a_probe_needs_kept_features(clips, tmp_path):
    recipe = tiny_recipe("--model.head", "probe", "--cache.features", "off")
    with pytest.raises(UserError, match=r"cache\.features is off"):
        api.train(clips, recipe, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()
