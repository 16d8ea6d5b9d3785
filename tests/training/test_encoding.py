"""Encoding once against the plain path: the same features, the same training."""

import csv
import dataclasses
import shutil

import numpy as np
import pytest
import torch
from tests.helpers.clips import tiny_recipe
from tests.helpers.experiments import fit_run

from muybridge import api
from muybridge.errors import UserError
from muybridge.models.network import RecognizerNet
from muybridge.recipes.cache import CacheConfig
from muybridge.recipes.model import ModelConfig
from muybridge.training.encoding import FrozenPart, encodes_once
from muybridge.training.fitting import Interrupted

CPU = torch.device("cpu")
CONFIGS = [
    ModelConfig(width=0.25, weights="none", trainable="none"),
    ModelConfig(width=0.25, weights="none", trainable="last-15"),
    ModelConfig(width=0.25, weights="none", trainable="none", pooling="grid"),
    ModelConfig(width=0.25, weights="none", trainable="none", encoder_output="logits"),
    ModelConfig(encoder="densenet", weights="none", trainable="last-114"),
    ModelConfig(encoder="alexnet", weights="none", trainable="last-5"),
    ModelConfig(encoder="alexnet", weights="none", trainable="none", encoder_output="logits"),
    ModelConfig(encoder="i3d", weights="none", trainable="none"),
    ModelConfig(encoder="i3d", weights="none", trainable="last-22"),
    ModelConfig(width=0.25, weights="none", trainable="none", head="attentive", token_grid=3),
    ModelConfig(width=0.25, weights="none", trainable="last-15", head="attentive"),
    ModelConfig(encoder="i3d", weights="none", trainable="none", head="attentive"),
    ModelConfig(encoder="i3d", weights="none", trainable="last-22", head="attentive"),
]
IDS = [f"{c.encoder}-{c.trainable}-{c.pooling}-{c.encoder_output}-{c.head}" for c in CONFIGS]


@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
@pytest.mark.parametrize("lengths", [None, [3, 9, 1]], ids=["full", "padded"])
def test_the_two_halves_give_what_the_whole_gives(config, lengths):
    torch.manual_seed(0)
    net = RecognizerNet(config, class_count=3).eval()
    assert net.frozen_stages > 0
    clip_BTHWC = torch.randint(0, 256, (3, 9, 64, 64, 3), dtype=torch.uint8)
    lengths_B = None if lengths is None else torch.tensor(lengths)
    with torch.inference_mode():
        whole_BSD = net.encode(clip_BTHWC, lengths_B)
        parts = [
            net.encode_lower(clip[None, :length])[0]
            for clip, length in zip(clip_BTHWC, lengths or [9] * 3, strict=True)
        ]
        steps_B = torch.tensor([len(part) for part in parts])
        activations = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
        halves_BSD = net.encode_upper(activations, steps_B)
        torch.testing.assert_close(halves_BSD, whole_BSD, rtol=1e-4, atol=1e-4)
        assert (
            (activations.ndim == 3)
            == net.pools_when_frozen
            == (config.trainable == "none" and config.pooling != "grid")
        )


def test_the_identity_tells_weights_and_settings_apart():
    torch.manual_seed(0)
    config = ModelConfig(width=0.25, weights="none", trainable="none")
    net = RecognizerNet(config, class_count=3)
    same = RecognizerNet(config, class_count=5)
    same.encoder.load_state_dict(net.encoder.state_dict())
    assert FrozenPart(net, device=CPU).identity == FrozenPart(same, device=CPU).identity  # the head does not matter
    identities = {
        FrozenPart(net, device=CPU).identity,
        FrozenPart(RecognizerNet(config, class_count=3), device=CPU).identity,
    }
    tokens = {"head": "attentive", "token_grid": 2}
    for change in ({"pooling": "max"}, {"scaling": "unit"}, {"trainable": "last-15"}, tokens):
        other = RecognizerNet(dataclasses.replace(config, **change), class_count=3)
        other.encoder.load_state_dict(net.encoder.state_dict())
        identities.add(FrozenPart(other, device=CPU).identity)
    assert len(identities) == 6


def test_bf16_is_what_a_training_in_bf16_computes_and_has_its_own_identity():
    torch.manual_seed(0)
    net = RecognizerNet(ModelConfig(width=0.25, weights="none", trainable="none"), class_count=3).eval()
    clip_BTHWC = torch.randint(0, 256, (2, 3, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        plain_BSD = net.encode(clip_BTHWC).float()
    frozen = FrozenPart(net, bf16=True, device=CPU)
    np.testing.assert_allclose(frozen(clip_BTHWC.numpy()), plain_BSD.numpy(), rtol=1e-2, atol=1e-2)
    assert np.abs(frozen(clip_BTHWC.numpy()) - FrozenPart(net, device=CPU)(clip_BTHWC.numpy())).max() > 0
    assert frozen.identity != FrozenPart(net, device=CPU).identity


def test_when_clips_are_encoded_once():
    def answer(trainable, features):
        net = RecognizerNet(ModelConfig(width=0.25, weights="none", trainable=trainable), class_count=2)
        return encodes_once(net, CacheConfig(features=features))

    assert [answer("none", features) for features in ("auto", "on", "off")] == [True, True, False]
    assert [answer("last-15", features) for features in ("auto", "on", "off")] == [False, True, False]
    assert [answer("all", features) for features in ("auto", "off")] == [False, False]
    with pytest.raises(UserError, match=r"freeze some of it, for example model.trainable none"):
        answer("all", "on")


def figures(run):
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(value) for key, value in row.items() if key != "seconds"] for row in rows])


# Without randomness in the frames, and with batch norms that do not learn, both paths see the same features.
STILL = ("--augment.zoom", "0", "--augment.no-flip", "--augment.rotation-degrees", "0")
STILL += ("--augment.shift", "0", "--augment.brightness", "0", "--sampler.jitter", "1")


@pytest.mark.parametrize("trainable", ["none", "last-15"])
def test_training_on_kept_features_is_training(clips, tmp_path, trainable):
    flags = [*STILL, "--training.precision", "32", "--model.trainable", trainable]
    if trainable == "last-15":
        flags += ["--training.encoder-rate", "0.1"]
    for features in ("on", "off"):
        recipe = tiny_recipe(*flags, "--cache.features", features, "--cache.variants", "1")
        api.train(clips, recipe, run=tmp_path / features)
    np.testing.assert_allclose(figures(tmp_path / "on"), figures(tmp_path / "off"), rtol=0.02, atol=0.02)


def test_an_interrupted_training_on_kept_features_ends_with_the_same_bits(clips, tmp_path):
    recipe = tiny_recipe("--model.trainable", "none", "--cache.variants", "2")
    api.train(clips, recipe, run=tmp_path / "whole")

    def interrupt(rows):
        if len(rows) == 2:
            raise Interrupted(tmp_path / "broken")
        return False

    with pytest.raises(Interrupted):
        fit_run(clips, recipe, run=tmp_path / "broken", stop_early=interrupt)
    shutil.rmtree(tmp_path / "broken" / "model", ignore_errors=True)
    api.resume(tmp_path / "broken")
    whole, broken = (tmp_path / name / "model" / "model.safetensors" for name in ("whole", "broken"))
    assert whole.read_bytes() == broken.read_bytes()
    np.testing.assert_array_equal(figures(tmp_path / "whole"), figures(tmp_path / "broken"))
