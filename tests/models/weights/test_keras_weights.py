"""Keras's file layout, written here from known tensors and read back."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from muybridge.errors import UserError
from muybridge.models.encoders.mobilenet import MobileNetV1
from muybridge.models.weights.keras_weights import read_keras_mobilenet
from muybridge.models.weights.state_dicts import load_pretrained

# Block number of Keras to stage and index of timm: strides 2 open a stage.
TIMM_BLOCKS = ["0.0", "1.0", "1.1", "2.0", "2.1", "3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "4.0", "4.1"]


def _write_keras_file(path: Path, state: dict[str, Tensor], *, root: str = "/", scope: str = "{layer}") -> None:
    """Write timm-named tensors as Keras 2 saves a MobileNet, with its attributes of names."""
    layers: dict[str, dict[str, np.ndarray]] = {}

    def batch_norm(layer: str, prefix: str) -> None:
        names = (
            ("gamma", "weight"),
            ("beta", "bias"),
            ("moving_mean", "running_mean"),
            ("moving_variance", "running_var"),
        )
        layers[layer] = {keras: state[f"{prefix}.{name}"].numpy() for keras, name in names}

    def kernel(prefix: str) -> np.ndarray:
        return state[f"{prefix}.weight"].permute(2, 3, 1, 0).numpy()  # height, width, input, output

    layers["conv1"] = {"kernel": kernel("conv_stem")}
    batch_norm("conv1_bn", "bn1")
    layers["conv1_relu"] = {}
    for number, place in enumerate(TIMM_BLOCKS, start=1):
        # A depthwise kernel's third axis is the channel, its last the multiplier.
        layers[f"conv_dw_{number}"] = {"depthwise_kernel": kernel(f"blocks.{place}.conv_dw").transpose(0, 1, 3, 2)}
        batch_norm(f"conv_dw_{number}_bn", f"blocks.{place}.bn1")
        layers[f"conv_pw_{number}"] = {"kernel": kernel(f"blocks.{place}.conv_pw")}
        batch_norm(f"conv_pw_{number}_bn", f"blocks.{place}.bn2")
    if "classifier.weight" in state:
        layers["conv_preds"] = {
            "kernel": state["classifier.weight"].T[None, None].numpy(),
            "bias": state["classifier.bias"].numpy(),
        }
    with h5py.File(path, "w") as file:
        top = file.require_group(root)
        top.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer, tensors in layers.items():
            group = top.create_group(layer)
            names = [f"{scope.format(layer=layer)}/{leaf}:0" for leaf in tensors]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, tensor in zip(names, tensors.values(), strict=True):
                group[name] = tensor


def _random_mobilenet(output: str) -> MobileNetV1:
    net = MobileNetV1(width=0.25, output=output)  # type: ignore[arg-type]
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.rand_like(value) + 0.5 if "running_var" in name else torch.randn_like(value))
    return net


@pytest.mark.parametrize("output", ["maps", "logits"])
@pytest.mark.parametrize(("root", "scope"), [("/", "{layer}"), ("/", "{layer}_1"), ("model_weights", "model/{layer}")])
def test_what_keras_saved_is_what_we_read(tmp_path: Path, output: str, root: str, scope: str) -> None:
    original = _random_mobilenet(output)
    _write_keras_file(tmp_path / "weights.h5", original.state_dict(), root=root, scope=scope)
    copy = MobileNetV1(width=0.25, output=output)  # type: ignore[arg-type]
    load_pretrained(copy, tmp_path / "weights.h5")
    for name, value in original.state_dict().items():
        assert torch.equal(copy.state_dict()[name], value), name


def test_the_real_weights_survive_the_way_through_keras(tmp_path: Path, weights_folder: Path) -> None:
    net = MobileNetV1(output="logits")
    load_pretrained(net, weights_folder / "mobilenetv1_100_timm.safetensors")
    _write_keras_file(tmp_path / "mobilenet_1_0_224_tf.h5", net.state_dict())
    back = read_keras_mobilenet(tmp_path / "mobilenet_1_0_224_tf.h5")
    floating = {name: value for name, value in net.state_dict().items() if value.is_floating_point()}
    assert back.keys() == floating.keys()
    assert all(torch.equal(back[name], value) for name, value in floating.items())


def test_an_unused_classifier_is_left_out(tmp_path: Path) -> None:
    _write_keras_file(tmp_path / "weights.h5", _random_mobilenet("logits").state_dict())
    load_pretrained(MobileNetV1(width=0.25), tmp_path / "weights.h5")


def test_a_file_without_top_has_no_logits(tmp_path: Path) -> None:
    _write_keras_file(tmp_path / "no_top.h5", _random_mobilenet("maps").state_dict())
    with pytest.raises(UserError, match=r"lacks classifier\.bias, classifier\.weight"):
        load_pretrained(MobileNetV1(width=0.25, output="logits"), tmp_path / "no_top.h5")


def test_another_width_is_told_with_both_shapes(tmp_path: Path) -> None:
    _write_keras_file(tmp_path / "weights.h5", _random_mobilenet("maps").state_dict())
    with pytest.raises(UserError, match=r"another shape for .*\(8,\), not \(16,\)"):
        load_pretrained(MobileNetV1(width=0.5), tmp_path / "weights.h5")


def test_other_hdf5_files_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["block1_conv1/kernel:0"] = np.zeros((3, 3, 3, 64))
    with pytest.raises(UserError, match=r"not a MobileNet v1 as Keras saves it.*conv1"):
        read_keras_mobilenet(tmp_path / "other.h5")
    (tmp_path / "page.h5").write_text("<html>not found</html>")
    with pytest.raises(UserError, match="not a readable HDF5 file"):
        read_keras_mobilenet(tmp_path / "page.h5")
