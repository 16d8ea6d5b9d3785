"""The recipe ``strong``: complete, and trained with a tiny stand-in for its encoder, whose weights are far away."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from benchmarks.cost import measure_cost
from tests.helpers.commands import run
from tests.helpers.foundation import library, save

import muybridge
from muybridge.models.encoders.encoder import VideoEncoder
from muybridge.models.network import RecognizerNet, build
from muybridge.recipes.store import load_recipe

STRONG = load_recipe("strong")


def test_it_is_for_the_published_encoder_frozen_at_its_size():
    assert STRONG.model.encoder == "transformers:facebook/vjepa2-vitl-fpc64-256"
    assert (STRONG.size_px, STRONG.model.layers_to_train, STRONG.cache.features) == (256, "none", "auto")
    augment = STRONG.augment
    assert (augment.zoom, augment.flip, augment.rotation_degrees, augment.shift, STRONG.cache.variants) == (0,) * 4 + (
        1,
    )


def test_it_is_listed_on_one_line_as_not_measured():
    [info] = [info for info in muybridge.list_recipes() if info.name == "strong"]
    assert not info.measured
    line = str(info)
    assert "not measured" in line and f"vjepa2+{STRONG.model.head}" in line and len(line) <= 80


@pytest.mark.adapters
def test_it_costs_what_is_said_of_it(tmp_path):
    library("transformers").VJEPA2Config().save_pretrained(tmp_path)  # its values without being told are ViT-L's
    [info] = [info for info in muybridge.list_recipes() if info.name == "strong"]
    with torch.device("meta"):
        net = RecognizerNet(replace(STRONG.model, encoder=f"transformers:{tmp_path}"), 10)
    net.encoder.check_input(size_px=STRONG.size_px, frame_count=STRONG.sampler.frames)
    cost = measure_cost(net, frame_count=STRONG.sampler.frames, size_px=STRONG.size_px)
    assert 2 * cost.macs_per_clip / 1e9 == pytest.approx(info.gflops, abs=0.06)
    assert cost.parameters / 1e6 == pytest.approx(info.million_parameters, abs=0.06)


@pytest.mark.adapters
def test_the_head_sees_every_token_of_the_encoder(tmp_path):
    net = build(replace(STRONG.model, encoder=f"transformers:{save('vjepa2', tmp_path)}"), 2).eval()
    assert isinstance(net.encoder, VideoEncoder)
    clip = torch.randint(0, 256, (1, STRONG.sampler.frames, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        features = net.encode(clip)
        steps = net.step_lengths(torch.tensor([STRONG.sampler.frames]))
        assert steps is not None and features.shape[1] == int(steps[0]) == 8 * 16 * 16
        assert net(clip).shape == (1, 2)


@pytest.mark.adapters
def test_a_stand_in_is_trained_evaluated_and_asked_by_the_recipe(clips: Path, tmp_path: Path, capsys):
    folder = save("vjepa2", tmp_path / "tiny")
    options = ("--encoder", f"transformers:{folder}", "--size-px", "32", "--epochs", "2", "--run", tmp_path / "run")
    code, out, err = run("train", clips, "--recipe", "strong", *options, "--json", capsys=capsys)
    assert code == 0, err
    saved = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert saved["model"]["encoder"] == f"transformers:{folder}"
    code, _, err = run("evaluate", tmp_path / "run", capsys=capsys)
    assert code == 0, err
    code, out, err = run("predict", tmp_path / "run", next(clips.rglob("*.avi")), "--json", capsys=capsys)
    assert code == 0, err
    assert {action["label"] for action in json.loads(out)[0]["actions"]} == {"bright", "dim"}


@pytest.mark.adapters
def test_another_size_is_one_line(clips: Path, tmp_path: Path, capsys):
    folder = save("vjepa2", tmp_path / "tiny")
    code, _, err = run(
        "train",
        clips,
        "--recipe",
        "strong",
        "--encoder",
        f"transformers:{folder}",
        "--run",
        tmp_path / "r",
        capsys=capsys,
    )
    assert code == 2
    assert err.strip().endswith("knows frames of 32x32 px only, these are 256x256; say --size-px 32"), err
