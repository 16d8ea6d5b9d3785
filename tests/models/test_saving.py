import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from muybridge.errors import UserError
from muybridge.files import content_hash
from muybridge.models.network import RecognizerNet
from muybridge.models.saving import load_recognizer, save_recognizer
from muybridge.recipes.model import ModelConfig

SMALL = ModelConfig(width=0.25, head_widths=(8, 4), dense_widths=(16,), trainable="last-15", scaling="unit")
PREPROCESSING = {"size_px": 64, "sampler": {"name": "uniform", "frame_count": 5}}


def _save(folder: Path, config: ModelConfig = SMALL) -> RecognizerNet:
    net = RecognizerNet(config, class_count=3)
    save_recognizer(folder, net, classes=["a", "b", "ü"], preprocessing=PREPROCESSING)
    return net


def test_what_was_saved_is_what_loads(encoder_config: ModelConfig, tmp_path: Path) -> None:
    config = dataclasses.replace(encoder_config, head_widths=(8,), dense_widths=())
    net = _save(tmp_path / "model", config)
    # One step in training mode moves the running statistics too.
    clip_BTHWC = torch.randint(0, 256, (2, 3, 64, 64, 3), dtype=torch.uint8)
    net.train()(clip_BTHWC)
    save_recognizer(tmp_path / "model", net, classes=["a", "b", "ü"], preprocessing=PREPROCESSING)
    loaded, saved = load_recognizer(tmp_path / "model")
    with torch.no_grad():
        assert torch.equal(loaded(clip_BTHWC), net.eval()(clip_BTHWC))
    assert saved.config == config
    assert saved.classes == ("a", "b", "ü")
    assert saved.preprocessing == PREPROCESSING
    assert saved.weights_sha256 == content_hash(tmp_path / "model" / "model.safetensors")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.safetensors"]


def test_loading_needs_no_pretrained_weights_and_keeps_what_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUYBRIDGE_WEIGHTS", str(tmp_path / "nowhere"))
    net = _save(tmp_path / "model", SMALL)  # its config says weights="imagenet"
    loaded, _ = load_recognizer(tmp_path / "model")
    assert not loaded.training
    learning = [name for name, parameter in net.named_parameters() if parameter.requires_grad]
    assert learning == [name for name, parameter in loaded.named_parameters() if parameter.requires_grad]


@pytest.mark.parametrize("head", ["lstm", "bert", "concat"])
@pytest.mark.parametrize("fusion", ["none", "late"])
def test_every_temporal_head_is_saved_whole(tmp_path: Path, head: str, fusion: str) -> None:
    config = dataclasses.replace(SMALL, head=head, fusion=fusion, head_positions=6, bert_feed_forward=32)
    net = _save(tmp_path, config).eval()
    loaded, saved = load_recognizer(tmp_path)
    clip_BTHWC, lengths_B = torch.randint(0, 256, (2, 5, 32, 32, 3), dtype=torch.uint8), torch.tensor([5, 2])
    with torch.no_grad():
        assert torch.equal(loaded(clip_BTHWC, lengths_B), net(clip_BTHWC, lengths_B))
    assert saved.config == config


def test_a_model_saved_before_there_were_other_heads_loads(tmp_path: Path) -> None:
    net = _save(tmp_path).eval()
    path = tmp_path / "model.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["checksum"]
    for field in ("head_positions", "fusion", "fusion_ratio", *(name for name in content["model"] if "bert" in name)):
        del content["model"][field]
    path.write_text(json.dumps(content), encoding="utf-8")
    loaded, saved = load_recognizer(tmp_path)
    clip_BTHWC = torch.randint(0, 256, (2, 3, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(loaded(clip_BTHWC), net(clip_BTHWC))
    assert saved.config == SMALL


def test_classes_must_match_the_scores(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 class names for 3 scores"):
        save_recognizer(tmp_path, RecognizerNet(SMALL, 3), classes=["a", "b"], preprocessing={})


def test_a_pair_of_two_saves_is_noticed(tmp_path: Path) -> None:
    _save(tmp_path / "old")
    _save(tmp_path / "new")
    (tmp_path / "new/model.safetensors").replace(tmp_path / "old/model.safetensors")
    with pytest.raises(UserError, match="saving was interrupted"):
        load_recognizer(tmp_path / "old")


def test_a_failed_save_leaves_the_old_model_whole(tmp_path: Path) -> None:
    _save(tmp_path / "model")
    net = RecognizerNet(SMALL, class_count=3)
    with pytest.raises(TypeError):
        save_recognizer(tmp_path / "model", net, classes="abc", preprocessing={"sampler": object()})
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.safetensors"]
    load_recognizer(tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "other"}, "does not describe a muybridge recognizer"),
        ({"format_version": 99}, "update muybridge"),
        ({"model": {"encoder": "mobilenet", "colour": 1}}, "colour"),
        ({"model": {"encoder": "mobilnet"}}, "did you mean 'mobilenet'"),
        ({"classes": ["a", "b"]}, "does not hold the tensors"),
        ({"weights_sha256": None}, "damaged"),
    ],
)
def test_changed_metadata_is_told(tmp_path: Path, change: dict, told: str) -> None:
    _save(tmp_path)
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change))
    with pytest.raises(UserError, match=told):
        load_recognizer(tmp_path)


def test_missing_and_damaged_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no .*nowhere; name a run"):
        load_recognizer(tmp_path / "nowhere")
    _save(tmp_path)
    metadata = (tmp_path / "model.json").read_text(encoding="utf-8")
    for content in ("", "[]", metadata[:-10]):
        (tmp_path / "model.json").write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match=r"model\.json"):
            load_recognizer(tmp_path)
    (tmp_path / "model.json").write_text(metadata, encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(UserError, match="the file is damaged"):
        load_recognizer(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"has no model\.safetensors"):
        load_recognizer(tmp_path)


def test_loading_draws_no_weights_and_starts_no_compiler(tmp_path: Path) -> None:
    _save(tmp_path)
    code = (
        "import sys; from pathlib import Path; from muybridge.models.saving import load_recognizer; "
        f"load_recognizer(Path({str(tmp_path)!r})); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
