"""The encoders against published counts, published layouts and another implementation's activations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.cost import count_macs
from safetensors.torch import load_file

from muybridge.errors import UserError
from muybridge.models.encoders.alexnet import AlexNet
from muybridge.models.encoders.densenet import DenseNet121
from muybridge.models.encoders.efficientnet import EfficientNetLite0
from muybridge.models.encoders.encoder_factory import create_encoder
from muybridge.models.encoders.freezing import set_trainable
from muybridge.models.encoders.mobilenet import MobileNetV1
from muybridge.models.encoders.same_padding import SamePool, same_padding
from muybridge.models.weights.state_dicts import load_pretrained
from muybridge.recipes.model import ModelConfig

# ---- Activations of another implementation (Keras, torchvision) under the same weights
# The tolerance is relative too: in float64 the same network differs from either by 1e-4 on values up to 6,
# which is what float32 rounds off on the way.


@pytest.fixture(scope="module")
def mobilenet(weights_folder: Path) -> MobileNetV1:
    net = MobileNetV1()
    load_pretrained(net, weights_folder / "mobilenetv1_100_timm.safetensors")
    return net.eval()


def _to_channels_first(frames_THWC: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(frames_THWC).permute(0, 3, 1, 2)


def test_mobilenet_gives_the_reference_maps_at_224_px(weights_folder: Path, mobilenet: MobileNetV1) -> None:
    reference = np.load(weights_folder / "reference/mobilenetv1.npz")
    with torch.no_grad():
        maps_TDHW = mobilenet(_to_channels_first(reference["frames_THWC"]) / 127.5 - 1)
    np.testing.assert_allclose(maps_TDHW.permute(0, 2, 3, 1), reference["features_224_THWD"], rtol=1e-4, atol=1e-4)


def test_mobilenet_gives_the_reference_maps_at_112_px(weights_folder: Path, mobilenet: MobileNetV1) -> None:
    # At 112 px a stride meets 7 rows: Keras makes 3 of them where TensorFlow's "same" would make 4.
    reference = np.load(weights_folder / "reference/mobilenetv1.npz")
    with torch.no_grad():
        maps_TDHW = mobilenet(_to_channels_first(reference["input_112_THWC"]))
    assert maps_TDHW.shape == (2, 1024, 3, 3)
    np.testing.assert_allclose(maps_TDHW.permute(0, 2, 3, 1), reference["features_112_THWD"], rtol=1e-4, atol=1e-4)


def test_alexnet_gives_the_reference_maps(weights_folder: Path) -> None:
    net = AlexNet().eval()
    load_pretrained(net, weights_folder / "alexnet_features_torchvision.safetensors")
    reference = np.load(weights_folder / "reference/alexnet_features.npz")
    frames_TCHW = _to_channels_first(reference["frames_THWC"]) / 255
    mean, std = torch.tensor(net.mean), torch.tensor(net.std)
    with torch.no_grad():
        maps_TDHW = net((frames_TCHW - mean[:, None, None]) / std[:, None, None])
    np.testing.assert_allclose(maps_TDHW, reference["features_TDHW"], rtol=1e-4, atol=1e-4)


def test_efficientnet_gives_the_reference_maps_and_scores(weights_folder: Path) -> None:
    net = EfficientNetLite0(output="logits").eval()
    load_pretrained(net, weights_folder / "tf_efficientnet_lite0_in1k_timm_fp16.safetensors")
    reference = np.load(weights_folder / "reference/tf_efficientnet_lite0.npz")
    frames_TCHW = _to_channels_first(reference["frames_THWC"]) / 255
    mean, std = torch.tensor(net.mean), torch.tensor(net.std)
    scaled = (frames_TCHW - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(scaled, (frames_TCHW * 255 - 127) / 128, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        maps_TDHW = net.maps(scaled)
        logits_TK = net.logits(maps_TDHW)
    # The reference was computed with 32-bit kernels, the file has 16 bits: 3 digits are left of numbers up to 6 and 10.
    np.testing.assert_allclose(maps_TDHW, reference["features_TDHW"], atol=0.06)
    assert (maps_TDHW - torch.from_numpy(reference["features_TDHW"])).abs().mean() < 2e-3
    np.testing.assert_allclose(logits_TK, reference["logits_TK"], atol=0.02)


# ---- Published sizes


@pytest.mark.parametrize(
    ("width", "size_px", "million_macs"),
    # Tables 6 and 7 of the paper, with the classifier.
    [(1.0, 224, 569), (0.75, 224, 325), (0.5, 224, 149), (0.25, 224, 41), (1.0, 192, 418), (1.0, 128, 186)],
)
def test_mobilenet_multiply_adds_are_the_published_ones(width: float, size_px: int, million_macs: int) -> None:
    with torch.device("meta"):
        net = MobileNetV1(width=width, output="logits").eval()
        macs = count_macs(net, torch.empty(1, 3, size_px, size_px))
    assert macs / 1e6 == pytest.approx(million_macs, rel=0.01)


def test_mobilenet_parameters_are_those_keras_counts() -> None:
    net = MobileNetV1(output="logits")
    parameters = sum(parameter.numel() for parameter in net.parameters())
    statistics = sum(value.numel() for name, value in net.named_buffers() if "running" in name)
    assert parameters == 4_231_976
    assert parameters + statistics == 4_253_864


@pytest.mark.parametrize(
    ("encoder", "parameters", "giga_macs"),
    [(DenseNet121, 7_978_856, 2.834), (AlexNet, 61_100_840, 0.714)],
)
def test_parameters_and_multiply_adds_are_those_torchvision_publishes(
    encoder: type[DenseNet121] | type[AlexNet], parameters: int, giga_macs: float
) -> None:
    with torch.device("meta"):
        net = encoder(output="logits").eval()
        macs = count_macs(net, torch.empty(1, 3, 224, 224))
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters
    assert macs / 1e9 == pytest.approx(giga_macs, abs=0.001)


def test_efficientnet_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        net = EfficientNetLite0(output="logits")
    assert sum(parameter.numel() for parameter in net.parameters()) == 4_652_008


# ---- Published layouts


def _published_densenet_layout() -> dict[str, tuple[int, ...]]:
    """The keys and shapes of torchvision's DenseNet121, from the paper's table 1 and torchvision's names."""
    layout: dict[str, tuple[int, ...]] = {}

    def norm(name: str, size: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            layout[f"{name}.{part}"] = (size,)
        layout[f"{name}.num_batches_tracked"] = ()

    layout["features.conv0.weight"] = (64, 3, 7, 7)
    norm("features.norm0", 64)
    inputs_and_layers = {1: (64, 6), 2: (128, 12), 3: (256, 24), 4: (512, 16)}
    for block, (inputs, layers) in inputs_and_layers.items():
        for layer in range(layers):
            name = f"features.denseblock{block}.denselayer{layer + 1}"
            norm(f"{name}.norm1", inputs + 32 * layer)
            layout[f"{name}.conv1.weight"] = (128, inputs + 32 * layer, 1, 1)
            norm(f"{name}.norm2", 128)
            layout[f"{name}.conv2.weight"] = (32, 128, 3, 3)
        outputs = inputs + 32 * layers
        if block < 4:
            norm(f"features.transition{block}.norm", outputs)
            layout[f"features.transition{block}.conv.weight"] = (outputs // 2, outputs, 1, 1)
    norm("features.norm5", 1024)
    layout |= {"classifier.weight": (1000, 1024), "classifier.bias": (1000,)}
    return layout


def test_densenet_has_the_published_keys_and_shapes() -> None:
    with torch.device("meta"):
        state = DenseNet121(output="logits").state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == _published_densenet_layout()
    assert len(state) == 727  # 364 parameters, 121 batch norms of 3 buffers


def test_the_files_keys_are_efficientnets(weights_folder: Path) -> None:
    published = load_file(weights_folder / "tf_efficientnet_lite0_in1k_timm_fp16.safetensors")
    with torch.device("meta"):
        state = EfficientNetLite0(output="logits").state_dict()
    assert {key: value.shape for key, value in state.items()} == {key: value.shape for key, value in published.items()}


# ---- What holds for every encoder


def test_maps_have_the_promised_channels_and_logits_are_a_thousand(encoder_config: ModelConfig) -> None:
    frames_BCHW = torch.rand(2, 3, 64, 96)
    maps = create_encoder(encoder_config).eval()
    with torch.no_grad():
        given = maps(frames_BCHW)
        assert given.shape[:2] == (2, maps.feature_count)
        assert given.shape[2] < given.shape[3]  # a wide frame stays wide


def test_logits_are_a_map_of_one_position() -> None:
    net = MobileNetV1(width=0.25, output="logits").eval()
    with torch.no_grad():
        frames_BCHW = torch.rand(2, 3, 64, 64)
        scores = net(frames_BCHW)
        by_hand = net.classifier(net.maps(frames_BCHW).mean(dim=(2, 3)))
    assert scores.shape == (2, 1000, 1, 1)
    torch.testing.assert_close(scores[:, :, 0, 0], by_hand)


@pytest.mark.parametrize("output", ["maps", "logits"])
@pytest.mark.parametrize("encoder", [MobileNetV1, DenseNet121, AlexNet, EfficientNetLite0])
def test_each_parameter_belongs_to_exactly_one_listed_layer(encoder: type, output: str) -> None:
    with torch.device("meta"):
        net = encoder(output=output)
    modules = [layer.module for layer in net.layers() if layer.module is not None]
    listed = [id(parameter) for module in modules for parameter in module.parameters()]
    assert sorted(listed) == sorted(id(parameter) for parameter in net.parameters())
    names = [layer.name for layer in net.layers()]
    assert len(set(names)) == len(names)


def test_frames_too_small_for_the_strides_are_refused(encoder_config: ModelConfig) -> None:
    net = create_encoder(encoder_config).eval()
    size_px = net.minimum_size_px
    with torch.no_grad():
        assert net(torch.rand(1, 3, size_px, size_px)).numel() > 0
        with pytest.raises(UserError, match=f"at least {size_px} px"):
            net(torch.rand(1, 3, size_px - 1, size_px))


@pytest.mark.parametrize("size", range(1, 40))
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_padding_gives_the_rounded_up_share_of_positions(size: int, stride: int) -> None:
    before, after = same_padding(size, 3, stride)
    positions = len(range(0, before + size + after - 3 + 1, stride))
    assert positions == (size + stride - 1) // stride
    assert 0 <= after - before <= 1


def test_auto_trains_what_efficientnet_has_at_the_lowest_resolution() -> None:
    with torch.device("meta"):
        net = EfficientNetLite0()
        set_trainable(net, ModelConfig(encoder="efficientnet_lite0").layers_to_train)
    learning = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    last = ("blocks.5.", "blocks.6.", "conv_head.", "bn2.")
    assert learning == {name for name, _ in net.named_parameters() if name.startswith(last)}


@pytest.mark.parametrize("size", [5, 6, 7, 8])
def test_average_pooling_counts_real_positions_only(size: int) -> None:
    maps_NDHW = torch.rand(2, 3, size, size + 3)
    tops, lefts = (
        [2 * index - same_padding(extent, 3, 2)[0] for index in range((extent + 1) // 2)] for extent in (size, size + 3)
    )
    rows = [
        torch.stack(
            [maps_NDHW[:, :, max(top, 0) : top + 3, max(left, 0) : left + 3].mean(dim=(2, 3)) for left in lefts], dim=-1
        )
        for top in tops
    ]
    torch.testing.assert_close(SamePool()(maps_NDHW), torch.stack(rows, dim=-2))
