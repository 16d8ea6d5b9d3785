"""Engines against the plain network, on random weights; the whole job is tested in tests/jobs/test_exporting.py."""

import itertools

import numpy as np
import pytest
import torch

from muybridge.errors import UserError
from muybridge.inference.engines.engine import FixedLengthEngine
from muybridge.inference.engines.opening import open_engine
from muybridge.inference.engines.torch_engine import TorchEngine, load_prepared, prepare, save_prepared
from muybridge.inference.exporting.writing import write_model
from muybridge.models import network
from muybridge.models.encoders import i3d
from muybridge.models.network import RecognizerNet, build
from muybridge.recipes.model import ModelConfig

SIZE_PX = 32
CPU = torch.device("cpu")
ENGINES = ("torch", "onnx", "openvino")
CONFIGS = {
    "mobilenet": ModelConfig(width=0.25, weights="none", head_widths=(8, 6), dense_widths=(16,)),
    "max": ModelConfig(width=0.25, weights="none", head_widths=(8,), pooling="max", feature_norm="none"),
    "densenet": ModelConfig(encoder="densenet", weights="none", head="mean"),
    "lstm": ModelConfig(encoder="small", weights="none", head="lstm", head_widths=(8,)),
    "attentive": ModelConfig(
        encoder="small", weights="none", trainable="none", head="attentive", head_widths=(8,), feature_norm="standard"
    ),
    "grid": ModelConfig(encoder="small", weights="none", head_widths=(8,), pooling="grid", scaling="unit"),
    "side by side": ModelConfig(encoder="small+mobilenet", weights="none", head="mean"),
}


def make(name: str) -> RecognizerNet:
    """A network whose batch norms have statistics of their own, so that folding them wrongly shows."""
    torch.manual_seed(0)
    net = build(CONFIGS[name], 3)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.normal_(module.bias, std=0.1)
    return net.eval()


def random_clip(frames: int, seed: int = 0):
    return np.random.default_rng(seed).integers(256, size=(frames, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)


def write(folder, net, engine, precision="fp32"):
    clips = [random_clip(4, seed) for seed in range(4)]
    return write_model(
        folder,
        net,
        engine=engine,
        precision=precision,
        example_THWC=clips[0],
        calibration=lambda: iter(clips),
        calibration_clips=len(clips),
        metadata={"classes": ["a", "b", "é"]},
    )


def require(engine: str) -> None:
    for name in {"torch": (), "onnx": ("onnxruntime", "onnxscript"), "openvino": ("openvino", "onnxscript")}[engine]:
        pytest.importorskip(name)


@pytest.mark.parametrize(
    ("engine", "name"),
    # DenseNet takes long to export, and OpenVINO gets the same graph as ONNX Runtime.
    [pair for pair in itertools.product(ENGINES, CONFIGS) if pair != ("openvino", "densenet")],
)
def test_any_number_of_clips_and_frames_scores_as_in_torch(tmp_path, engine, name):
    require(engine)
    net = make(name)
    exported, _ = write(tmp_path, net, engine)
    plain = TorchEngine(net, device=CPU)
    for clips in (
        [random_clip(4)],
        [random_clip(1)],
        [random_clip(7, 1), random_clip(7, 2), random_clip(7, 3)],
        [random_clip(3, 4), random_clip(6, 5), random_clip(1, 6), random_clip(3, 7)],  # of different lengths
    ):
        expected_BK = plain.score(clips)
        assert np.ptp(expected_BK) > 1e-3
        np.testing.assert_allclose(exported.score(clips), expected_BK, atol=2e-4)


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
@pytest.mark.parametrize("encoder", ["i3d", "i3d+small"])
def test_a_video_encoder_takes_any_number_of_frames(tmp_path, monkeypatch, engine, encoder):
    require(engine)
    # I3D's padding depends on the number of frames. All its strides in time, but few of its blocks and channels.
    few = dict.fromkeys(("Mixed_3b", "Mixed_4b", "Mixed_5b"), (4, 4, 4, 4, 4, 4))
    monkeypatch.setattr(i3d, "MIXED", few)
    torch.manual_seed(0)
    net = build(ModelConfig(encoder=encoder, weights="none", head="mean"), 3).eval()
    exported, _ = write(tmp_path, net, engine)
    plain = TorchEngine(net, device=CPU)
    for frames in (4, 1, 3, 7, 9, 12, 16):
        np.testing.assert_allclose(exported.score([random_clip(frames)]), plain.score([random_clip(frames)]), atol=2e-4)


def test_clips_of_different_lengths_come_back_in_order():
    class Counting(FixedLengthEngine):
        name = "counting"
        batches: list[tuple[int, ...]]

        def score_batch(self, frames_BTHWC):
            self.batches.append(frames_BTHWC.shape[:2])
            return frames_BTHWC.mean(axis=(1, 2, 3, 4), dtype=np.float32)[:, None]

    engine = Counting()
    engine.batches = []
    clips = [np.full((length, 2, 2, 3), level, np.uint8) for length, level in ((3, 9), (5, 1), (3, 4), (5, 7))]
    assert engine.score(clips)[:, 0].tolist() == [9, 1, 4, 7]
    assert sorted(engine.batches) == [(2, 3), (2, 5)]


def test_prepared_networks_have_no_batch_norm_where_a_convolution_can_take_it(monkeypatch):
    net = make("mobilenet")
    prepared, folded = prepare(net, torch.from_numpy(random_clip(2)[None]), "fp32")
    assert len(folded) == 27
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in prepared.modules())
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())  # the original is as it was
    # Nor does it matter that so many frames go through the encoder in chunks.
    monkeypatch.setattr(network, "CHUNK_PIXELS", 2 * SIZE_PX**2)
    assert prepare(net, torch.from_numpy(random_clip(5)[None]), "fp32")[1] == folded
    # DenseNet normalises before most of its convolutions: only the stem and the first of each layer's two.
    assert len(prepare(make("densenet"), torch.from_numpy(random_clip(2)[None]), "fp32")[1]) == 1 + 58


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_loaded_prepared_network_says_the_same(tmp_path, precision):
    net = make("mobilenet")
    prepared, folded = prepare(net, torch.from_numpy(random_clip(2)[None]), precision)
    save_prepared(tmp_path / "model.safetensors", prepared)
    loaded = load_prepared(tmp_path / "model.safetensors", build(net.config, 3, weights="none"), folded, precision)
    clips = [random_clip(4), random_clip(2)]
    scores = [TorchEngine(each, device=CPU).score(clips) for each in (prepared, loaded)]
    np.testing.assert_array_equal(*scores)
    difference = np.abs(scores[0] - TorchEngine(net, device=CPU).score(clips)).max()
    assert difference < (1e-4 if precision == "fp32" else 0.1)
    assert precision == "fp32" or difference > 1e-5  # it does compute in another precision


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_int8_is_quantised_and_near(tmp_path, engine):
    require(engine)
    if engine == "openvino":
        pytest.importorskip("nncf")
    net = make("grid")
    exported, _ = write(tmp_path, net, engine, "int8")
    text = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert (b"QuantizeLinear" if engine == "onnx" else b"FakeQuantize") in text
    clips = [random_clip(4), random_clip(6)]
    difference = np.abs(exported.score(clips) - TorchEngine(net, device=CPU).score(clips)).max()
    assert 1e-6 < difference < 0.2
    assert sorted(path.name for path in tmp_path.iterdir()) == (
        ["model.onnx"] if engine == "onnx" else ["model.bin", "model.xml"]
    )


def test_metadata_stands_in_the_files(tmp_path):
    onnx, openvino = pytest.importorskip("onnx"), pytest.importorskip("openvino")
    require("onnx")
    net = make("grid")
    for precision in ("fp32", "int8"):
        write(tmp_path, net, "onnx", precision)
        properties = {entry.key: entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props}
        assert properties["muybridge"] == '{"classes": ["a", "b", "é"]}'
    write(tmp_path, net, "openvino")
    model = openvino.Core().read_model(tmp_path / "model.xml")
    assert model.get_rt_info(["muybridge"]).astype(str) == '{"classes": ["a", "b", "é"]}'


@pytest.mark.parametrize("engine", ENGINES)
def test_damaged_files_are_said_to_be(tmp_path, engine):
    require(engine)
    net = make("grid")
    _, folded = write(tmp_path, net, engine)
    path = next(path for path in tmp_path.iterdir() if path.suffix != ".bin")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="damaged"):
        open_engine(tmp_path, engine, "fp32", config=net.config, class_count=3, folded=folded)
