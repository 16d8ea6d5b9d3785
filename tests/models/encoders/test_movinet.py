"""MoViNets against another implementation's activations, published layouts and sizes, and themselves frame by frame."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.cost import count_macs
from safetensors.torch import load_file
from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.models.encoders.encoder_factory import VIDEO_ENCODERS
from muybridge.models.encoders.movinet import MoViNet, MoViNetA0, MoViNetA0Base, MoViNetA0Mobile, StreamingMoViNet
from muybridge.models.encoders.movinet_blocks import hard_sigmoid, rounded_channels
from muybridge.models.network import RecognizerNet, build
from muybridge.models.saving import load_recognizer, save_recognizer
from muybridge.models.weights.state_dicts import load_pretrained
from muybridge.recipes.model import ModelConfig

MOBILE_FILE = "movinet_a0_stream_k600_int8dequant_fp16.safetensors"
MOVINETS = {name: kind for name, kind in VIDEO_ENCODERS.items() if issubclass(kind, MoViNet)}


def _lively(net: MoViNet) -> MoViNet:
    """Draw what is 0 or 1 in a fresh network, so that every part of it bears on the result."""
    for name, value in net.state_dict().items():
        if name.endswith("alpha"):
            value.fill_(0.7)
        elif name.endswith(("norm.weight", "running_var")):
            value.uniform_(0.5, 1.5)
        elif name.endswith(("bias", "running_mean")):
            value.normal_(0, 0.2)
    return net.eval()


def _reference_clip(reference: np.lib.npyio.NpzFile) -> Tensor:
    return (torch.from_numpy(reference["frames_THWC"]) / 255).movedim(-1, 0)[None]


# ---- Activations of another implementation under the same weights
# The reference was computed from the same half-precision numbers, so only the order of sums differs.


@pytest.fixture(scope="module")
def mobile(weights_folder: Path) -> MoViNetA0Mobile:
    net = MoViNetA0Mobile(output="logits")
    load_pretrained(net, weights_folder / MOBILE_FILE)
    return net.eval()


@pytest.fixture(scope="module")
def reference(weights_folder: Path) -> np.lib.npyio.NpzFile:
    return np.load(weights_folder / "reference/movinet_a0_stream.npz")


def test_mobile_gives_the_reference_features_and_scores(
    mobile: MoViNetA0Mobile, reference: np.lib.npyio.NpzFile
) -> None:
    maps = _reference_clip(reference)
    with torch.no_grad():
        for stage in mobile.map_stages():
            maps = stage(maps)
        scores_TK = mobile.classifier_stage()(maps)[0, :, :, 0, 0].T
    features_TD = maps.mean(dim=(3, 4))[0].T
    np.testing.assert_allclose(features_TD, reference["features_TD"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scores_TK, reference["logits_TK"], rtol=1e-5, atol=5e-5)


def test_mobile_agrees_with_the_8_bit_network_as_far_as_8_bits_go(
    mobile: MoViNetA0Mobile, reference: np.lib.npyio.NpzFile
) -> None:
    with torch.no_grad():
        scores_K = mobile(_reference_clip(reference))[0, :, -1, 0, 0]
    published_K = reference["tflite_int8_logits_K"]
    assert scores_K.argmax() == published_K.argmax()
    # Its activations have 8 bits, too: scores are up to 2.3 apart where they go up to 18.
    assert np.corrcoef(scores_K, published_K)[0, 1] > 0.97


def test_mobile_frame_by_frame_gives_the_reference_scores(
    mobile: MoViNetA0Mobile, reference: np.lib.npyio.NpzFile
) -> None:
    state, scores = None, []
    with torch.no_grad():
        for frame in _reference_clip(reference).split(1, dim=2):
            given, state = mobile.stream(frame, state)
            scores.append(given[0, :, 0, 0, 0])
    np.testing.assert_allclose(torch.stack(scores), reference["logits_TK"], rtol=1e-5, atol=5e-5)


# ---- Streams


@pytest.mark.parametrize("output", ["maps", "hidden", "maps+hidden", "logits"])
@pytest.mark.parametrize("chunks", [[1] * 7, [3, 1, 2, 1], [5, 2]], ids=["singly", "uneven", "twice"])
@pytest.mark.parametrize("make", [MoViNetA0, MoViNetA0Mobile])
def test_a_stream_gives_what_the_whole_clip_gives(make: type[StreamingMoViNet], chunks: list[int], output: str) -> None:
    net = _lively(make(output=output))
    clip = torch.rand(2, 3, 7, 40, 56)
    state, parts = None, []
    with torch.no_grad():
        whole = net(clip)
        for chunk in clip.split(chunks, dim=2):
            part, state = net.stream(chunk, state)
            parts.append(part)
    assert whole.shape[2] == net.step_count(7) == 7
    torch.testing.assert_close(torch.cat(parts, dim=2), whole, rtol=1e-5, atol=1e-5 * whole.abs().max().item())


@pytest.mark.parametrize("name", ["movinet_a1", "movinet_a2"])
def test_larger_networks_stream_too(name: str) -> None:
    net = _lively(MOVINETS[name](output="maps+hidden"))
    assert isinstance(net, StreamingMoViNet)
    clip = torch.rand(1, 3, 5, 32, 32)
    with torch.no_grad():
        whole = net(clip)
        first, state = net.stream(clip[:, :, :2])
        rest, _ = net.stream(clip[:, :, 2:], state)
    torch.testing.assert_close(torch.cat([first, rest], dim=2), whole, rtol=1e-5, atol=1e-5 * whole.abs().max().item())


def test_a_state_is_a_value_that_two_futures_can_begin_with() -> None:
    net = _lively(MoViNetA0())
    begin, one, other = torch.rand(3, 1, 3, 3, 32, 32).unbind()
    with torch.no_grad():
        _, state = net.stream(begin)
        before = [tensor.clone() for tensor in state]
        expected, _ = net.stream(one, state)
        net.stream(other, state)
        again, after = net.stream(one, state)
    assert torch.equal(again, expected)
    assert all(torch.equal(now, then) for now, then in zip(state, before, strict=True))
    assert [tensor.shape for tensor in after] == [tensor.shape for tensor in state]
    assert after[0] == 6
    # The network itself remembers nothing: a new video begins like the first.
    with torch.no_grad():
        assert torch.equal(net.stream(begin)[0], net(begin))


def test_streaming_networks_see_no_future_and_base_networks_do() -> None:
    clip = torch.rand(1, 3, 6, 32, 32)
    changed = clip.clone()
    changed[:, :, 4:] = 0
    for make, causal in ((MoViNetA0, True), (MoViNetA0Mobile, True), (MoViNetA0Base, False)):
        net = _lively(make())
        with torch.no_grad():
            maps, maps_changed = net(clip), net(changed)
        assert torch.allclose(maps[:, :, :4], maps_changed[:, :, :4], rtol=1e-4, atol=1e-5) is causal
        assert not torch.allclose(maps[:, :, 4:], maps_changed[:, :, 4:])


def test_a_base_network_scores_the_mean_of_the_clip() -> None:
    net, clip = _lively(MoViNetA0Base(output="logits")), torch.rand(2, 3, 4, 32, 32)
    with torch.no_grad():
        maps = clip
        for stage in net.map_stages():
            maps = stage(maps)
        expected = maps.mean(dim=(2, 3, 4), keepdim=True)
        for part in net.classifier:
            expected = part(expected)
        given = net(clip)
    assert given.shape == (2, 600, net.step_count(4), 1, 1) == (2, 600, 1, 1, 1)
    torch.testing.assert_close(given, expected)


@pytest.mark.parametrize("make", [MoViNetA0, MoViNetA0Base, MoViNetA0Mobile])
def test_the_hidden_layer_is_that_of_each_frames_own_maps(make: type[MoViNet]) -> None:
    net, clip = _lively(make(output="maps+hidden")), torch.rand(2, 3, 4, 32, 32)
    with torch.no_grad():
        given = net(clip)
        maps = clip
        for stage in net.map_stages():
            maps = stage(maps)
        pooled = maps.mean(dim=(3, 4), keepdim=True)
        hidden = torch.cat([net.classifier(frame) for frame in pooled.split(1, dim=2)], dim=2)
    assert given.shape == (2, 480 + 2048, net.step_count(4), 1, 1) == (2, 2528, 4, 1, 1)
    torch.testing.assert_close(given, torch.cat([pooled, hidden], dim=1), rtol=1e-4, atol=1e-4)


# ---- Published layouts and sizes


def _layout(net: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in net.state_dict().items()}


def test_the_mobile_files_keys_are_the_networks(weights_folder: Path) -> None:
    published = load_file(weights_folder / MOBILE_FILE)
    with torch.device("meta"):
        assert {key: tuple(value.shape) for key, value in published.items()} == _layout(
            MoViNetA0Mobile(output="logits")
        )


@pytest.mark.parametrize(
    ("name", "keys", "parameters"),
    # Counted in MoViNet-pytorch's own networks, built by its code with the settings of its published weights.
    [
        ("movinet_a0", 451, 3_748_031),
        ("movinet_a1", 694, 6_447_352),
        ("movinet_a2", 752, 7_326_962),
        ("movinet_a0_base", 385, 3_111_799),
        ("movinet_a1_base", 592, 4_690_296),
        ("movinet_a2_base", 638, 5_249_562),
    ],
)
def test_networks_have_as_many_keys_and_parameters_as_the_published_code(name: str, keys: int, parameters: int) -> None:
    with torch.device("meta"):
        net = MOVINETS[name](output="logits")
    assert len(net.state_dict()) == keys
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    parts = {f"{name}.{part}": (size,) for part in ("weight", "bias", "running_mean", "running_var")}
    return parts | {f"{name}.num_batches_tracked": ()}


def _published_block(causal: bool) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of A0's block ``b2_l0``: 32 to 184 to 56 channels, 5 frames, 3x3, stride 2."""
    kind = "conv2d" if causal else "conv3d"
    time = () if causal else (1,)
    seen = 2 if causal else 1
    squeezed = 96 if causal else 48  # of 92 and 46, to multiples of 8
    layout: dict[str, tuple[int, ...]] = {"alpha": ()}
    for unit, inputs, outputs in (("expand", 32, 184), ("project", 184, 56), ("res.1", 32, 56)):
        layout[f"{unit}.conv_1.{kind}.weight"] = (outputs, inputs, *time, 1, 1)
        layout |= _norm(f"{unit}.conv_1.norm", outputs)
    layout[f"deep.conv_1.{kind}.weight"] = (184, 1, 3, 3) if causal else (184, 1, 5, 3, 3)
    layout |= _norm("deep.conv_1.norm", 184)
    if causal:
        layout |= {"deep.conv_2.conv2d.weight": (184, 1, 5, 1)} | _norm("deep.conv_2.norm", 184)
    for unit, inputs, outputs in (("se.fc1", 184 * seen, squeezed), ("se.fc2", squeezed, 184)):
        layout[f"{unit}.conv_1.{kind}.weight"] = (outputs, inputs, *time, 1, 1)
        layout[f"{unit}.conv_1.{kind}.bias"] = (outputs,)
    return layout


@pytest.mark.parametrize("make", [MoViNetA0, MoViNetA0Base])
def test_a_block_has_movinet_pytorchs_keys(make: type[MoViNet]) -> None:
    with torch.device("meta"):
        net = make(output="logits")
    assert _layout(net.get_submodule("blocks.b2_l0")) == _published_block(make is MoViNetA0)
    eps = {module.eps for module in net.modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d)}
    assert eps == {1e-3}


@pytest.mark.parametrize(
    ("name", "size_px", "giga_macs"),
    # Kondratyuk et al., table 1, for 50 frames. It counts a little more than convolutions.
    [("movinet_a0_base", 172, 2.71), ("movinet_a1_base", 172, 6.02)],
)
def test_multiply_adds_are_the_published_ones(name: str, size_px: int, giga_macs: float) -> None:
    with torch.device("meta"):
        macs = count_macs(MOVINETS[name](output="logits").eval(), torch.empty(1, 3, 50, size_px, size_px))
    assert macs / 1e9 == pytest.approx(giga_macs, rel=0.035)


def test_channels_are_rounded_to_eights_but_lose_no_tenth() -> None:
    assert [rounded_channels(count) for count in (6, 20, 46, 92, 11)] == [8, 24, 48, 96, 16]


def test_the_gate_is_keras_hard_sigmoid() -> None:
    values = torch.tensor([-3.0, -2.5, 0.0, 1.0, 2.5, 9.0])
    torch.testing.assert_close(hard_sigmoid(values), torch.tensor([0.0, 0.0, 0.5, 0.7, 1.0, 1.0]))


# ---- Files of weights


@pytest.mark.parametrize("output", ["maps", "hidden", "maps+hidden", "logits"])
@pytest.mark.parametrize("make", [MoViNetA0, MoViNetA0Base])
def test_files_without_suffix_in_the_published_layout_load(make: type[MoViNet], output: str, tmp_path: Path) -> None:
    original, copy = make(output="logits"), make(output=output)
    path = tmp_path / "modelA0_statedict_v3"
    torch.save(original.state_dict(), path)
    load_pretrained(copy, path)
    for key, value in copy.state_dict().items():
        assert torch.equal(value, original.state_dict()[key]), key


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    torch.save(MoViNetA0Base(output="logits").state_dict(), tmp_path / "modelA0_statedict_v3")
    with pytest.raises(UserError, match=r"does not fit MoViNetA0 .* it lacks blocks\.b0_l0\.deep\.conv_1\.conv2d"):
        load_pretrained(MoViNetA0(), tmp_path / "modelA0_statedict_v3")


def test_the_mobile_network_stands_in_for_a0_where_only_its_file_is(weights_folder: Path, tmp_path: Path) -> None:
    config = ModelConfig(encoder="movinet_a0", head="mean", encoder_output="maps+hidden", trainable="none")
    net = build(config, 3, weights_dir=weights_folder)
    assert isinstance(net.encoder, MoViNetA0Mobile)
    assert net.config.encoder == "movinet_a0_mobile"
    assert net.pool.feature_count == 2528
    save_recognizer(tmp_path, net, classes=["a", "b", "c"], preprocessing={})
    loaded, _ = load_recognizer(tmp_path)
    clip_BTHWC = torch.randint(0, 256, (1, 3, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(loaded(clip_BTHWC), net.eval()(clip_BTHWC))


def test_hidden_layers_are_movinets_alone() -> None:
    with pytest.raises(UserError, match="encoder_output is 'hidden'; choose from auto, logits, maps"):
        ModelConfig(encoder="i3d", encoder_output="hidden")


# ---- In a recognizer


@pytest.mark.parametrize("encoder", ["movinet_a0", "movinet_a0_base"])
@pytest.mark.parametrize("trainable", ["none", "auto"])
def test_padding_and_the_frozen_half_change_nothing(encoder: str, trainable: str) -> None:
    net = RecognizerNet(ModelConfig(encoder=encoder, head="mean", trainable=trainable), 2).eval()
    assert isinstance(net.encoder, MoViNet)
    _lively(net.encoder)
    assert net.frozen_stages == (17 if trainable == "none" else 12)
    clip_BTHWC = torch.randint(0, 256, (2, 6, 32, 40, 3), dtype=torch.uint8)
    with torch.no_grad():
        whole = net.encode(clip_BTHWC, torch.tensor([6, 4]))
        torch.testing.assert_close(whole[1:, :4], net.encode(clip_BTHWC[1:, :4]), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            net.encode_upper(net.encode_lower(clip_BTHWC)), net.encode(clip_BTHWC), rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("encoder", ["movinet_a0", "movinet_a0_mobile"])
def test_a_clip_can_be_exported(encoder: str) -> None:
    net = _lively(MOVINETS[encoder](output="maps+hidden"))
    clip = torch.rand(1, 3, 4, 40, 40)
    program = torch.export.export(net, (clip,))
    with torch.no_grad():
        torch.testing.assert_close(program.module()(clip), net(clip), rtol=1e-4, atol=1e-4)


def test_a_step_of_a_stream_can_be_exported_with_its_state_as_input_and_output() -> None:
    class Step(nn.Module):
        def __init__(self, encoder: StreamingMoViNet) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, frame: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
            return self.encoder.stream(frame, state)

    net = _lively(MoViNetA0(output="logits"))
    assert isinstance(net, StreamingMoViNet)
    frame = torch.rand(1, 3, 1, 32, 32)
    with torch.no_grad():
        _, state = net.stream(frame)
        program = torch.export.export(Step(net).eval(), (frame, state))
        given, after = program.module()(frame, state)
        expected, expected_after = net.stream(frame, state)
    torch.testing.assert_close(given, expected)
    assert len(after) == len(expected_after) == len(state)
