"""The video encoders against published counts, published layouts and another implementation's activations."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.cost import count_macs, measure_cost
from safetensors.torch import load_file
from torch import Tensor, nn

from muybridge.errors import UserError
from muybridge.models.encoders.encoder import VideoEncoder
from muybridge.models.encoders.encoder_factory import VIDEO_ENCODERS
from muybridge.models.encoders.freezing import set_trainable
from muybridge.models.encoders.i3d import I3D, SamePool3d
from muybridge.models.encoders.slowfast import SlowFastR50
from muybridge.models.encoders.video_resnet import MC3_18, R3D_18, R2Plus1D_18, R2Plus1D_34, channels_between
from muybridge.models.network import RecognizerNet, build
from muybridge.models.saving import load_recognizer, save_recognizer
from muybridge.models.weights.state_dicts import load_pretrained
from muybridge.recipes.model import ModelConfig

I3D_FILE = "i3d_rgb_kinetics400_fp16conv.safetensors"
MC3_FILE = "mc3_18_k400_fightfinetuned_fp16conv.safetensors"
LAST_STAGES = {
    "i3d": ("Mixed_5c.",),
    "slowfast_r50": ("blocks.4.",),
    **dict.fromkeys(("r3d_18", "mc3_18", "r2plus1d_18", "r2plus1d_34"), ("layer4.",)),
    **dict.fromkeys((name for name in VIDEO_ENCODERS if "movinet" in name), ("blocks.b4_", "conv7.")),
}


@pytest.fixture(params=VIDEO_ENCODERS)
def make_encoder(request: pytest.FixtureRequest) -> Callable[..., VideoEncoder]:
    return VIDEO_ENCODERS[request.param]


def _through_maps(encoder: VideoEncoder, clip_BCTHW: Tensor) -> Tensor:
    for stage in encoder.map_stages():
        clip_BCTHW = stage(clip_BCTHW)
    return clip_BCTHW


def _scaled(frames_THWC: np.ndarray, encoder: VideoEncoder) -> Tensor:
    pixels = (torch.from_numpy(frames_THWC) / 255 - torch.tensor(encoder.mean)) / torch.tensor(encoder.std)
    return pixels.movedim(-1, 0)[None]


# ---- Activations of another implementation under the same weights


def test_i3d_gives_the_reference_features_and_scores(weights_folder: Path) -> None:
    reference = np.load(weights_folder / "reference/i3d.npz")
    net = I3D(output="logits").eval()
    load_pretrained(net, weights_folder / I3D_FILE)
    with torch.no_grad():
        maps_BDSHW = _through_maps(net, _scaled(reference["frames_THWC"], net))
        scores_BKS = net.logits(maps_BDSHW)[..., 0, 0]
    assert maps_BDSHW.shape == (1, 1024, 2, 7, 7)
    # The published pooling takes both steps and all 7x7 positions at once.
    features_BD = maps_BDSHW.mean(dim=(2, 3, 4))
    np.testing.assert_allclose(features_BD, reference["features_BDTHW"][..., 0, 0, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores_BKS.mean(dim=2), reference["logits_BKT"][..., 0], rtol=1e-4, atol=1e-4)


def test_mc3_gives_the_reference_features_and_scores(weights_folder: Path) -> None:
    reference = np.load(weights_folder / "reference/mc3_18.npz")
    net = MC3_18(output="logits", class_count=2).eval()
    load_pretrained(net, weights_folder / MC3_FILE)
    clip_BCTHW = _scaled(reference["frames_THWC"], net)
    with torch.no_grad():
        features_BD = _through_maps(net, clip_BCTHW).mean(dim=(2, 3, 4))
        scores_BK = net(clip_BCTHW).mean(dim=(2, 3, 4))
    np.testing.assert_allclose(features_BD, reference["features_BD"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores_BK, reference["logits_BK"], rtol=1e-4, atol=1e-5)


# ---- Files of weights


def test_real_files_fill_every_tensor_as_single_precision(weights_folder: Path) -> None:
    for net, name in ((I3D(), I3D_FILE), (MC3_18(), MC3_FILE)):
        load_pretrained(net, weights_folder / name)
        published = load_file(weights_folder / name)
        for key, value in net.state_dict().items():
            assert value.dtype == (torch.int64 if key.endswith("tracked") else torch.float32)
            assert torch.equal(value, published[key].to(value.dtype)), key


def test_a_classifier_of_other_classes_is_refused(weights_folder: Path) -> None:
    with pytest.raises(UserError, match=r"another shape for fc\.weight \(2, 512\), not \(400, 512\)"):
        load_pretrained(MC3_18(output="logits"), weights_folder / MC3_FILE)


def test_weights_of_another_video_resnet_are_refused(weights_folder: Path) -> None:
    with pytest.raises(UserError, match=r"does not fit R3D_18"):
        load_pretrained(R3D_18(), weights_folder / MC3_FILE)


def test_pretrained_means_kinetics_for_a_video_encoder(weights_folder: Path) -> None:
    nets = [
        build(ModelConfig(encoder="i3d", weights=weights, head="mean"), 3, weights_dir=weights_folder)
        for weights in ("pretrained", "kinetics", str(weights_folder / I3D_FILE))
    ]
    published = load_file(weights_folder / I3D_FILE)["Mixed_5c.b0.bn.weight"]
    for net in nets:
        assert torch.equal(net.encoder.get_parameter("Mixed_5c.b0.bn.weight"), published)


def test_a_checkpoint_of_pytorchvideo_is_read(tmp_path: Path) -> None:
    original, copy = SlowFastR50(output="logits", class_count=3), SlowFastR50()
    path = tmp_path / "SLOWFAST_8x8_R50.pyth"
    torch.save({"model_state": original.state_dict()}, path)
    load_pretrained(copy, path)
    for key, value in copy.state_dict().items():
        assert torch.equal(value, original.state_dict()[key]), key
    assert set(original.state_dict()) - set(copy.state_dict()) == {"blocks.6.proj.weight", "blocks.6.proj.bias"}


# ---- Published sizes


@pytest.mark.parametrize(
    ("make", "parameters", "giga_macs", "frame_count", "size_px"),
    [
        # torchvision's documentation of its weights.
        (R3D_18, 33_371_472, 40.697, 16, 112),
        (MC3_18, 11_695_440, 43.343, 16, 112),
        (R2Plus1D_18, 31_505_325, 40.519, 16, 112),
        # VMZ's model zoo: 63.6 M parameters; Feichtenhofer et al. (2019), table 2: 152 GFLOPs.
        (R2Plus1D_34, 63.6e6, 152, 32, 112),
        # pytorchvideo's model zoo, 8x8: 34.57 M, 65.71 GFLOPs.
        (SlowFastR50, 34.57e6, 65.71, 32, 256),
        # Carreira and Zisserman, table 1: 12 M; Feichtenhofer et al., table 2: 108 GFLOPs at 64 frames, by another
        # implementation. (The weights and the activations above leave no doubt about the layers.)
        (I3D, 12.7e6, 108, 64, 224),
    ],
)
def test_parameters_and_multiply_adds_are_the_published_ones(
    make: Callable[..., VideoEncoder], parameters: float, giga_macs: float, frame_count: int, size_px: int
) -> None:
    with torch.device("meta"):
        net = make(output="logits").eval()
        macs = count_macs(net, torch.empty(1, 3, frame_count, size_px, size_px))
    counted = sum(parameter.numel() for parameter in net.parameters())
    if isinstance(parameters, int):
        assert counted == parameters
    assert counted == pytest.approx(parameters, rel=2e-3)
    assert macs / 1e9 == pytest.approx(giga_macs, rel=0.03 if make is I3D else 3e-3)


def test_cost_of_a_clip_counts_the_encoder_once() -> None:
    net = RecognizerNet(ModelConfig(encoder="mc3_18", weights="none", head="mean"), 2)
    cost = measure_cost(net, frame_count=16, size_px=112)
    assert cost.encoder_macs_per_frame * 16 == pytest.approx(43.343e9, rel=1e-3)
    assert cost.macs_per_clip - cost.encoder_macs_per_frame * 16 == pytest.approx(0, abs=16 + 512 * 2)


# ---- Published layouts


def _layout(net: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in net.state_dict().items() if not name.endswith("tracked")}


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": (size,) for part in ("weight", "bias", "running_mean", "running_var")}


def test_the_files_keys_are_the_networks(weights_folder: Path) -> None:
    for net, name in ((I3D(output="logits"), I3D_FILE), (MC3_18(output="logits", class_count=2), MC3_FILE)):
        published = load_file(weights_folder / name)
        assert {key: tuple(value.shape) for key, value in published.items() if not key.endswith("tracked")} == _layout(
            net
        )


def _video_resnet_layout(kind: str, counts: tuple[int, ...], *, own_between: bool) -> dict[str, tuple[int, ...]]:
    """Torchvision's keys and shapes, from table 1 of Tran et al. and torchvision's names."""
    layout: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, inputs: int, outputs: int, between: int) -> None:
        if kind == "3x3x3":
            layout[f"{name}.0.weight"] = (outputs, inputs, 3, 3, 3)
        else:
            layout[f"{name}.0.0.weight"] = (between, inputs, 1, 3, 3)
            layout.update(_norm(f"{name}.0.1", between))
            layout[f"{name}.0.3.weight"] = (outputs, between, 3, 1, 1)
        layout.update(_norm(f"{name}.1", outputs))

    if kind == "3x3x3":
        layout |= {"stem.0.weight": (64, 3, 3, 7, 7)} | _norm("stem.1", 64)
    else:
        layout |= {"stem.0.weight": (45, 3, 1, 7, 7)} | _norm("stem.1", 45)
        layout |= {"stem.3.weight": (64, 45, 3, 1, 1)} | _norm("stem.4", 64)
    inputs = 64
    # Channels between, of a block that doubles the channels and of one that keeps them.
    betweens = {64: (144, 144), 128: (230, 288), 256: (460, 576), 512: (921, 1152)}
    for stage, (outputs, count) in enumerate(zip(betweens, counts, strict=True), start=1):
        for index in range(count):
            name = f"layer{stage}.{index}"
            first, other = betweens[outputs]
            convolution(f"{name}.conv1", inputs, outputs, first if index == 0 else other)
            convolution(f"{name}.conv2", outputs, outputs, first if index == 0 and not own_between else other)
            if inputs != outputs:
                layout[f"{name}.downsample.0.weight"] = (outputs, inputs, 1, 1, 1)
                layout |= _norm(f"{name}.downsample.1", outputs)
            inputs = outputs
    return layout | {"fc.weight": (400, 512), "fc.bias": (400,)}


@pytest.mark.parametrize(
    ("make", "kind", "counts", "own_between"),
    [
        (R3D_18, "3x3x3", (2, 2, 2, 2), False),
        (R2Plus1D_18, "2+1", (2, 2, 2, 2), False),
        (R2Plus1D_34, "2+1", (3, 4, 6, 3), True),
    ],
)
def test_video_resnets_have_torchvisions_keys(
    make: Callable[..., VideoEncoder], kind: str, counts: tuple[int, ...], own_between: bool
) -> None:
    with torch.device("meta"):
        net = make(output="logits")
    assert _layout(net) == _video_resnet_layout(kind, counts, own_between=own_between)
    eps = {module.eps for module in net.modules() if isinstance(module, nn.BatchNorm3d)}
    assert eps == {1e-3 if make is R2Plus1D_34 else 1e-5}


def test_channels_between_keep_the_parameters() -> None:
    for inputs, outputs in ((64, 64), (64, 128), (512, 512)):
        between = channels_between(inputs, outputs)
        assert between * (9 * inputs + 3 * outputs) == pytest.approx(27 * inputs * outputs, rel=0.01)


def _slowfast_layout() -> dict[str, tuple[int, ...]]:
    """Keys and shapes of pytorchvideo's slowfast_r50, from table 1 of the paper and pytorchvideo's names."""
    layout: dict[str, tuple[int, ...]] = {}

    def add(name: str, norm: str, shape: tuple[int, ...]) -> None:
        layout[f"{name}.weight"] = shape
        layout.update(_norm(norm, shape[0]))

    def fusion(block: int, fast: int) -> None:
        name = f"blocks.{block}.multipathway_fusion"
        add(f"{name}.conv_fast_to_slow", f"{name}.norm", (2 * fast, fast, 7, 1, 1))

    for path, (channels, frames) in enumerate(((64, 1), (8, 5))):
        name = f"blocks.0.multipathway_blocks.{path}"
        add(f"{name}.conv", f"{name}.norm", (channels, 3, frames, 7, 7))
    fusion(0, 8)
    stages = [(3, 64, 256, 1), (4, 256, 512, 1), (6, 512, 1024, 3), (3, 1024, 2048, 3)]
    for block, (count, slow_inputs, slow_outputs, slow_frames) in enumerate(stages, start=1):
        paths = [(slow_inputs + slow_inputs // 4, slow_outputs, slow_frames), (slow_inputs // 8, slow_outputs // 8, 3)]
        for path, (first_inputs, outputs, frames) in enumerate(paths):
            for index in range(count):
                inputs = first_inputs if index == 0 else outputs
                name = f"blocks.{block}.multipathway_blocks.{path}.res_blocks.{index}"
                if index == 0:
                    add(f"{name}.branch1_conv", f"{name}.branch1_norm", (outputs, inputs, 1, 1, 1))
                inner = outputs // 4
                add(f"{name}.branch2.conv_a", f"{name}.branch2.norm_a", (inner, inputs, frames, 1, 1))
                add(f"{name}.branch2.conv_b", f"{name}.branch2.norm_b", (inner, inner, 1, 3, 3))
                add(f"{name}.branch2.conv_c", f"{name}.branch2.norm_c", (outputs, inner, 1, 1, 1))
        if block < 4:
            fusion(block, slow_outputs // 8)
    return layout | {"blocks.6.proj.weight": (400, 2304), "blocks.6.proj.bias": (400,)}


def test_slowfast_has_pytorchvideos_keys() -> None:
    with torch.device("meta"):
        net = SlowFastR50(output="logits")
    assert _layout(net) == _slowfast_layout()


# ---- What holds for every video encoder


@pytest.mark.parametrize(
    # MoViNets have a step per frame, or one; test_movinet.py counts them.
    "make_encoder",
    [kind for name, kind in VIDEO_ENCODERS.items() if "movinet" not in name],
)
def test_step_count_is_that_of_the_maps(make_encoder: Callable[..., VideoEncoder]) -> None:
    with torch.device("meta"):
        net = make_encoder(output="logits").eval()
        for frame_count in (*range(net.minimum_frames, 18), 24, 31, 32, 33, 40):
            maps = net(torch.empty(2, 3, frame_count, net.minimum_size_px, net.minimum_size_px + 8))
            assert maps.shape[:3] == (2, net.feature_count, net.step_count(frame_count))


def test_layers_and_stages_are_complete(make_encoder: Callable[..., VideoEncoder]) -> None:
    for output in ("maps", "logits"):
        with torch.device("meta"):
            net = make_encoder(output=output)
        modules = [layer.module for layer in net.layers() if layer.module is not None]
        listed = [id(parameter) for module in modules for parameter in module.parameters()]
        assert sorted(listed) == sorted(id(parameter) for parameter in net.parameters())
        names = [layer.name for layer in net.layers()]
        assert len(set(names)) == len(names)
        in_stages = [id(parameter) for stage in net.stages() for parameter in stage.parameters()]
        assert sorted(in_stages) == sorted(listed)


@pytest.mark.parametrize("encoder", VIDEO_ENCODERS)
def test_auto_begins_at_the_last_stage(encoder: str) -> None:
    with torch.device("meta"):
        net = VIDEO_ENCODERS[encoder]()
        set_trainable(net, ModelConfig(encoder=encoder).layers_to_train)
    learning = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    assert learning == {name for name, _ in net.named_parameters() if name.startswith(LAST_STAGES[encoder])}


def test_frames_too_small_are_refused(make_encoder: Callable[..., VideoEncoder]) -> None:
    with torch.device("meta"):
        net = make_encoder()
        size_px = net.minimum_size_px
        with pytest.raises(UserError, match=f"at least {size_px} px"):
            net(torch.empty(1, 3, 8, size_px - 1, size_px))


@pytest.mark.parametrize(
    "encoder", ["i3d", "mc3_18", "r2plus1d_18", "slowfast_r50", "movinet_a0", "movinet_a0_base", "movinet_a0_mobile"]
)
def test_frozen_is_frozen_and_training_lowers_the_loss(encoder: str) -> None:
    net = RecognizerNet(ModelConfig(encoder=encoder, weights="none", head="mean", dropout=0, trainable="none"), 2)
    clip_BTHWC = torch.randint(0, 256, (2, 8, 32, 32, 3), dtype=torch.uint8)
    before = {name: value.clone() for name, value in net.encoder.state_dict().items()}
    with torch.no_grad():
        expected = net.eval()(clip_BTHWC)
        torch.testing.assert_close(net.train()(clip_BTHWC), expected)
    assert all(torch.equal(value, before[name]) for name, value in net.encoder.state_dict().items())

    set_trainable(net.encoder, "all")
    optimizer = torch.optim.Adam(net.train().parameters(), 1e-3)
    losses = []
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(net(clip_BTHWC), torch.tensor([0, 1]))
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in net.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


# ---- Details of one encoder


@pytest.mark.parametrize(("size", "positions"), [(7, [0, 2, 4, 6]), (8, [0, 2, 4, 6])])
def test_i3d_pools_as_tensorflow_does(size: int, positions: list[int]) -> None:
    # 8 positions lack one zero, which goes after; 7 lack two, one on either side.
    line = torch.zeros(1, 1, 1, 1, size)
    before = 1 if size == 7 else 0
    pooled = []
    for index in range(size):
        line.zero_()
        line[..., index] = 1
        pooled.append(SamePool3d((1, 1, 3), (1, 1, 2))(line)[0, 0, 0, 0])
    for output, first in enumerate(positions):
        seen = [index for index in range(size) if pooled[index][output] == 1]
        assert seen == [index for index in range(first - before, first - before + 3) if 0 <= index < size]


def test_slowfast_repeats_slow_steps_beside_fast_ones() -> None:
    net = SlowFastR50().eval()
    clip = torch.rand(1, 3, 10, 32, 32)
    with torch.no_grad():
        maps_BDSHW = net(clip)
        slow, fast = maps_BDSHW.split([net.slow_feature_count, net.fast_feature_count], dim=1)
    for step in range(10):
        assert torch.equal(slow[:, :, step], slow[:, :, step - step % net.alpha])
    assert not torch.equal(slow[:, :, 0], slow[:, :, 4])
    assert not torch.equal(fast[:, :, 0], fast[:, :, 1])


def test_slowfasts_slow_pathway_sees_every_fourth_frame_and_the_fast_maps() -> None:
    net = SlowFastR50().eval()
    clip = torch.rand(1, 3, 32, 32, 32)
    changed = clip.clone()
    changed[:, :, 1] = 0  # a frame that the slow pathway does not take
    for name, parameter in net.named_parameters():
        if "conv_fast_to_slow" in name:
            nn.init.zeros_(parameter)
    with torch.no_grad():
        slow, slow_changed = net(clip)[:, :2048], net(changed)[:, :2048]
        torch.testing.assert_close(slow, slow_changed)
        for name, parameter in net.named_parameters():
            if "conv_fast_to_slow" in name:
                nn.init.normal_(parameter, std=0.1)
        assert not torch.allclose(net(clip)[:, :2048], net(changed)[:, :2048])


def test_names_in_layers_are_paths_of_modules(make_encoder: Callable[..., VideoEncoder]) -> None:
    with torch.device("meta"):
        net = make_encoder(output="logits")
    for layer in net.layers():
        if layer.module is not None and not re.fullmatch(r"logits|blocks\.6\.proj|.*\.alpha", layer.name):
            assert net.get_submodule(layer.name) is layer.module


@pytest.mark.parametrize("encoder", ["i3d", "slowfast_r50"])
def test_a_saved_recognizer_gives_the_same_scores(encoder: str, tmp_path: Path) -> None:
    config = ModelConfig(encoder=encoder, weights="none", head="mean", frozen_batch_norm=False)
    net = RecognizerNet(config, 2).eval()
    save_recognizer(tmp_path, net, classes=["run", "walk"], preprocessing={})
    loaded, _ = load_recognizer(tmp_path)
    clip_BTHWC = torch.randint(0, 256, (1, 9, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(loaded(clip_BTHWC), net(clip_BTHWC))


@pytest.mark.parametrize(
    ("encoder", "trainable", "cut"),
    [("i3d", "last-20", 15), ("i3d", "none", 16), ("r2plus1d_18", "last-28", 7), ("slowfast_r50", "last-52", 0)],
)
def test_what_is_kept_below_the_cut_gives_the_same_features(encoder: str, trainable: str, cut: int) -> None:
    net = RecognizerNet(ModelConfig(encoder=encoder, head="mean", trainable=trainable), 2).eval()
    assert net.frozen_stages == cut
    clip_BTHWC = torch.randint(0, 256, (1, 9, 32, 40, 3), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(net.encode_upper(net.encode_lower(clip_BTHWC)), net.encode(clip_BTHWC))


def test_a_late_fusion_takes_slowfasts_own_streams() -> None:
    net = RecognizerNet(ModelConfig(encoder="slowfast_r50", weights="none", fusion="late", head_widths=(4,)), 2).eval()
    clip_BTHWC = torch.randint(0, 256, (2, 9, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert net(clip_BTHWC, torch.tensor([9, 6])).shape == (2, 2)
