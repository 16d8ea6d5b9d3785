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
from muybridge.errors import Interrupted, UserError
from muybridge.inference.engines.torch_engine import TorchEngine
from muybridge.models.network import RecognizerNet, build
from muybridge.recipes.cache import CacheConfig
from muybridge.recipes.model import ModelConfig
from muybridge.system import computes_in_bf16
from muybridge.training.encoding import FrozenPart, encodes_once
from muybridge.video.door import read_frames
from muybridge.video.sampling import UniformSampler

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


def test_bf16_has_its_own_identity_where_it_is_used():
    torch.manual_seed(0)
    clip_BTHWC = torch.randint(0, 256, (2, 3, 64, 64, 3), dtype=torch.uint8).numpy()
    for encoder, changes in (("i3d", True), ("mobilenet", False)):
        net = RecognizerNet(ModelConfig(encoder=encoder, weights="none", trainable="none"), class_count=3).eval()
        plain, bf16 = (FrozenPart(net, bf16=each, device=CPU) for each in (False, True))
        assert (plain.identity != bf16.identity) == changes
        assert bool((plain(clip_BTHWC) != bf16(clip_BTHWC)).any()) == changes
        partly = RecognizerNet(dataclasses.replace(net.config, trainable="last-5"), class_count=3)
        assert FrozenPart(partly, device=CPU).identity == FrozenPart(partly, bf16=True, device=CPU).identity


def test_a_clip_is_encoded_as_if_alone_and_the_network_stays_as_it_is():
    torch.manual_seed(0)
    net = RecognizerNet(CONFIGS[7], class_count=3).eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    clips_BTHWC = torch.randint(0, 256, (3, 9, 64, 64, 3), dtype=torch.uint8).numpy()
    frozen = FrozenPart(net, bf16=True, device=CPU)
    together = frozen(clips_BTHWC)
    alone = np.concatenate([frozen(clips_BTHWC[number : number + 1]) for number in range(3)])
    np.testing.assert_array_equal(together, alone)
    after = net.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


# What is kept in 16 bits for a training against what a prediction computes in it, on real clips with real weights.
REAL = [
    (ModelConfig(encoder="movinet_a0", encoder_output="maps+hidden", trainable="none"), 16, 172),
    (ModelConfig(encoder="i3d", trainable="none"), 32, 160),
    (ModelConfig(encoder="mobilenet", weights="imagenet", trainable="none"), 8, 192),
]


@pytest.mark.parametrize(("config", "frames", "size_px"), REAL, ids=[config.encoder for config, *_ in REAL])
def test_features_of_a_training_are_those_of_its_predictions(shared, config, frames, size_px):
    weights = shared / "weights"
    if config.encoder == "mobilenet":  # the release that is there is timm's
        config = dataclasses.replace(config, weights=str(weights / "mobilenetv1_100_timm.safetensors"))
    net = build(config, 3, weights_dir=weights).eval()
    paths = sorted((shared / "data" / "ucf101-10").rglob("*.mp4"))[::165]
    assert len(paths) >= 3
    wanted = computes_in_bf16(CPU)
    frozen, exact = FrozenPart(net, bf16=wanted, device=CPU), FrozenPart(net, device=CPU)
    for path in paths:
        frames_THWC = read_frames(path, UniformSampler(frames=frames), size_px=size_px).frames_THWC
        engine = TorchEngine(net, device=CPU)
        seen = []
        handle = net.norm.register_forward_hook(lambda _norm, inputs, _output, seen=seen: seen.append(inputs[0]))
        engine.score([frames_THWC])
        handle.remove()
        predicted_D = seen[0][0].mean(dim=0).double().numpy()
        with np.errstate(over="raise"):
            kept_D = frozen(frames_THWC[None]).astype(np.float16)[0].astype(np.float64).mean(axis=0)
        exact_D = exact(frames_THWC[None])[0].astype(np.float64).mean(axis=0)
        with torch.inference_mode():
            plain_D = net.encode(torch.from_numpy(frames_THWC)[None])[0].mean(dim=0).double().numpy()
        assert cosine(kept_D, predicted_D) > 0.99999
        assert cosine(exact_D, plain_D) > 0.9999999
        assert cosine(kept_D, plain_D) > 0.9999
        assert cosine(predicted_D, plain_D) > 0.9999


def cosine(first_D, second_D):
    return first_D @ second_D / np.linalg.norm(first_D) / np.linalg.norm(second_D)


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
