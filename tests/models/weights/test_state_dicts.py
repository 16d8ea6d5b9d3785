"""Files of weights in, an encoder or one clear message out."""

import pickle
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from muybridge.errors import UserError
from muybridge.models.encoders.alexnet import AlexNet
from muybridge.models.encoders.densenet import DenseNet121
from muybridge.models.encoders.encoder_factory import create_encoder
from muybridge.models.encoders.mobilenet import MobileNetV1
from muybridge.models.weights.state_dicts import load_pretrained
from muybridge.recipes.model import ModelConfig


def _as_published_in_2017(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name DenseNet's tensors as the published file does: ``norm.1`` for ``norm1``, no counts of batches."""
    return {
        re.sub(r"(denselayer\d+)\.(norm|conv)([12])\.", r"\1.\2.\3.", name): value
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }


def test_densenet_loads_the_published_names(tmp_path: Path) -> None:
    original = DenseNet121(output="logits")
    published = _as_published_in_2017(original.state_dict())
    assert "features.denseblock1.denselayer1.norm.1.weight" in published
    path = tmp_path / "densenet121-a639ec97.pth"
    torch.save(published, path, _use_new_zipfile_serialization=False)  # the format of its day
    copy = DenseNet121(output="logits")
    load_pretrained(copy, path)
    for name, value in original.state_dict().items():
        assert torch.equal(copy.state_dict()[name], value), name


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_every_encoder_loads_its_own_tensors(encoder_config: ModelConfig, tmp_path: Path, suffix: str) -> None:
    original, copy = create_encoder(encoder_config), create_encoder(encoder_config)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(original.state_dict(), path)
    else:
        torch.save(original.state_dict(), path)
    load_pretrained(copy, path)
    for name, value in original.state_dict().items():
        assert torch.equal(copy.state_dict()[name], value), name


def test_real_files_load(weights_folder: Path) -> None:
    load_pretrained(MobileNetV1(output="logits"), weights_folder / "mobilenetv1_100_timm.safetensors")
    load_pretrained(AlexNet(), weights_folder / "alexnet_features_torchvision.safetensors")


def test_convolutions_alone_give_no_logits(weights_folder: Path) -> None:
    with pytest.raises(UserError, match=r"AlexNet with output 'logits': it lacks classifier\.1\.bias"):
        load_pretrained(AlexNet(output="logits"), weights_folder / "alexnet_features_torchvision.safetensors")


def test_missing_unknown_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    state = AlexNet().state_dict()
    del state["features.3.bias"]
    state["features.99.weight"] = torch.zeros(1)
    state["features.0.bias"] = torch.zeros(65)
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(UserError) as error:
        load_pretrained(AlexNet(), tmp_path / "odd.safetensors")
    assert "lacks features.3.bias" in str(error.value)
    assert "unknown features.99.weight" in str(error.value)
    assert "features.0.bias (65,), not (64,)" in str(error.value)


def test_weights_of_another_encoder_are_refused_and_change_nothing(tmp_path: Path) -> None:
    save_file(MobileNetV1(width=0.25).state_dict(), tmp_path / "mobilenet.safetensors")
    net = AlexNet()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(UserError, match=r"and 7 more; it has unknown .* and \d+ more"):
        load_pretrained(net, tmp_path / "mobilenet.safetensors")
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


class _Dangerous:
    """What an attacker would pickle: loading it runs a command."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple:
        return Path.touch, (self.proof,)


@pytest.mark.parametrize("by_torch", [True, False])
def test_code_in_a_file_never_runs(tmp_path: Path, by_torch: bool) -> None:
    proof, path = tmp_path / "proof", tmp_path / "weights.pth"
    content = {"features.0.weight": _Dangerous(proof)}
    if by_torch:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(UserError, match="could run code"):
        load_pretrained(AlexNet(), path)
    assert not proof.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_damaged_files_are_told(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    for content in (b"", b"<html>404</html>", bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(UserError, match="damaged"):
            load_pretrained(AlexNet(), path)


def test_a_whole_checkpoint_or_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": AlexNet().state_dict(), "epoch": 3}, tmp_path / "checkpoint.pth")
    with pytest.raises(UserError, match=r"state_dict\(\) alone"):
        load_pretrained(AlexNet(), tmp_path / "checkpoint.pth")
    (tmp_path / "weights.onnx").write_bytes(b"")
    with pytest.raises(UserError, match=r"give a \.safetensors"):
        load_pretrained(AlexNet(), tmp_path / "weights.onnx")
