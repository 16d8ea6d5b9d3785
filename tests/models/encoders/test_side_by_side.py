"""Several encoders on one clip: each is given what it would be given alone, and time is brought to one count."""

from pathlib import Path

import pytest
import torch
from benchmarks.cost import measure_cost
from torch.nn import functional

from muybridge.errors import UserError
from muybridge.models.encoders.encoder_factory import create_encoder, member_config
from muybridge.models.encoders.side_by_side import SideBySide, averaged_over_time, evenly_spread, no_larger
from muybridge.models.network import RecognizerNet, build
from muybridge.models.saving import load_recognizer, save_recognizer
from muybridge.models.weights.origin import weights_origins, weights_record
from muybridge.recipes.model import ModelConfig
from muybridge.training.encoding import FrozenPart
from muybridge.video.sampling import UniformSampler

CONFIG = ModelConfig(encoder="i3d+movinet_a0_mobile", encoder_output="maps+hidden", head="probe", weights="none")


@pytest.fixture(scope="module")
def net() -> RecognizerNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return RecognizerNet(CONFIG, 3).eval()


def _clip(frames: int, size_px: int = 64, clips: int = 1) -> torch.Tensor:
    return torch.randint(0, 256, (clips, frames, size_px, size_px, 3), dtype=torch.uint8)


# ---- What a member sees


@pytest.mark.parametrize("frames", [5, 16, 17, 32, 40])
def test_frames_are_those_of_the_uniform_sampler(frames: int) -> None:
    seen = evenly_spread(torch.arange(float(frames)).reshape(1, 1, -1, 1, 1), 16).flatten()
    expected = UniformSampler(frames=min(frames, 16)).views(frames)[0]
    assert seen.tolist() == expected.tolist()


@pytest.mark.parametrize(("height", "width"), [(60, 50), (41, 30), (40, 40), (20, 100)])
def test_pictures_shrink_as_torch_shrinks_them_and_never_grow(height: int, width: int) -> None:
    clip_BCTHW = torch.rand(2, 3, 4, height, width)
    frames_NCHW = clip_BCTHW.transpose(1, 2).flatten(0, 1)
    size = (min(height, 40), min(width, 40))
    expected = functional.interpolate(frames_NCHW, size=size, mode="bilinear", antialias=True)
    given = no_larger(clip_BCTHW, 40).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(given, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("given", "count"), [(16, 4), (13, 4), (5, 5), (7, 1), (5, 4)])
def test_time_is_averaged_as_adaptive_pooling_does(given: int, count: int) -> None:
    features_BRD = torch.rand(2, given, 3)
    expected = functional.adaptive_avg_pool1d(features_BRD.transpose(1, 2), count).transpose(1, 2)
    torch.testing.assert_close(averaged_over_time(features_BRD, count), expected)


def test_each_member_gives_what_it_gives_alone(net: RecognizerNet) -> None:
    """I3D all 32 frames, MoViNet every second, each in its scaling; 4 steps, since I3D has no more."""
    clip_BTHWC = _clip(32, 64)
    encoder = net.encoder
    assert isinstance(encoder, SideBySide)
    assert encoder.block_widths == (1024, 2528)
    with torch.no_grad():
        together_BSD = net.encode(clip_BTHWC)
        assert together_BSD.shape == (1, 4, 1024 + 2528)
        for name, clip, at in (("i3d", clip_BTHWC, 0), ("movinet_a0_mobile", clip_BTHWC[:, 1::2], 1024)):
            alone = RecognizerNet(member_config(CONFIG, name), 3).eval()
            alone.encoder.load_state_dict(encoder.members[name].state_dict())
            alone_BRD = alone.encode(clip)
            expected_BSD = alone_BRD.unflatten(1, (4, -1)).mean(dim=2)
            block_BSD = together_BSD[..., at : at + alone_BRD.shape[2]]
            torch.testing.assert_close(block_BSD, expected_BSD, rtol=1e-4, atol=1e-4)


def test_a_clip_larger_than_a_members_weights_is_shrunk_for_it_alone(net: RecognizerNet) -> None:
    sizes = {}
    for name in ("i3d", "movinet_a0_mobile"):
        member = net.encoder.get_submodule(f"members.{name}")
        member.register_forward_pre_hook(lambda _, inputs, name=name: sizes.update({name: tuple(inputs[0].shape[2:])}))
    with torch.no_grad():
        net.encode(_clip(17, 180))
    assert sizes == {"i3d": (17, 180, 180), "movinet_a0_mobile": (16, 172, 172)}


def test_an_image_network_sees_a_few_frames_one_by_one() -> None:
    config = ModelConfig(encoder="movinet_a0_mobile+alexnet", weights="none", pooling="max", head="mean")
    net = RecognizerNet(config, 2).eval()
    clip_BTHWC = _clip(16, 64)
    alone = RecognizerNet(member_config(config, "alexnet"), 2).eval()
    alone.encoder.load_state_dict(net.encoder.get_submodule("members.alexnet").state_dict())
    with torch.no_grad():
        together_BSD = net.encode(clip_BTHWC)
        assert together_BSD.shape == (1, 8, 480 + 256)
        torch.testing.assert_close(together_BSD[..., 480:], alone.encode(clip_BTHWC[:, 1::2]), rtol=1e-4, atol=1e-4)


# ---- In a recognizer


@pytest.mark.parametrize("frames", [1, 7, 9, 20])
def test_padding_changes_nothing(net: RecognizerNet, frames: int) -> None:
    clip_BTHWC = _clip(20, 48, clips=2)
    lengths_B = torch.tensor([20, frames])
    steps_B = net.step_lengths(lengths_B)
    assert steps_B is not None
    with torch.no_grad():
        padded_BSD = net.encode(clip_BTHWC, lengths_B)
        alone_BSD = net.encode(clip_BTHWC[1:, :frames])
        assert steps_B.tolist() == [3, alone_BSD.shape[1]]
        torch.testing.assert_close(padded_BSD[1:, : alone_BSD.shape[1]], alone_BSD, rtol=1e-4, atol=1e-4)
        assert not padded_BSD[1:, alone_BSD.shape[1] :].any()


def test_nothing_learns_and_all_is_encoded_once(net: RecognizerNet) -> None:
    assert not any(parameter.requires_grad for parameter in net.encoder.parameters())
    assert net.pools_when_frozen
    clip_BTHWC = _clip(9)
    with torch.no_grad():
        expected_BSD = net.encode(clip_BTHWC)
        try:
            net.train()
            torch.testing.assert_close(net.encode_upper(net.encode_lower(clip_BTHWC)), expected_BSD)
        finally:
            net.eval()


@pytest.mark.parametrize("changed", ["i3d.Conv3d_1a_7x7.bn.bias", "movinet_a0_mobile.conv7.conv_1.conv2d.bias"])
def test_kept_features_belong_to_the_weights_of_every_member(net: RecognizerNet, changed: str) -> None:
    before = FrozenPart(net, device=torch.device("cpu")).identity
    assert FrozenPart(net, device=torch.device("cpu")).identity == before
    bias = net.encoder.state_dict()[f"members.{changed}"]
    bias += 1
    try:
        assert FrozenPart(net, device=torch.device("cpu")).identity != before
    finally:
        bias -= 1


def test_a_saved_model_is_the_same_after_loading(net: RecognizerNet, tmp_path: Path) -> None:
    save_recognizer(tmp_path, net, classes=["a", "b", "c"], preprocessing={})
    loaded, saved = load_recognizer(tmp_path)
    assert saved.config == CONFIG
    clip_BTHWC = _clip(9)
    with torch.no_grad():
        torch.testing.assert_close(loaded(clip_BTHWC), net(clip_BTHWC))


def test_the_cost_is_the_sum_of_the_members(net: RecognizerNet) -> None:
    both = measure_cost(net, frame_count=16, size_px=64)
    alone = [
        measure_cost(RecognizerNet(member_config(CONFIG, name), 3), frame_count=16, size_px=64)
        for name in ("i3d", "movinet_a0_mobile")
    ]
    assert both.macs_per_clip == pytest.approx(sum(cost.macs_per_clip for cost in alone), rel=1e-3)
    assert both.parameters == sum(cost.parameters for cost in alone) - 3  # one bias of the classifier


# ---- First weights


def test_each_member_is_loaded_from_its_own_file(weights_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ModelConfig(encoder="i3d+movinet_a0", encoder_output="maps+hidden", head="probe")
    net = build(config, 2, weights_dir=weights_folder)
    assert net.config.encoder == "i3d+movinet_a0_mobile"  # the only file of A0 that is here
    for name in net.config.encoders:
        alone = build(member_config(net.config, name), 2, weights_dir=weights_folder).encoder.state_dict()
        own = net.encoder.get_submodule(f"members.{name}").state_dict()
        assert own.keys() == alone.keys()
        assert all(torch.equal(value, alone[key]) for key, value in own.items())

    monkeypatch.setenv("MUYBRIDGE_WEIGHTS", str(weights_folder))
    origins = weights_origins(net.config)
    assert [origin.trained_on for origin in origins] == ["Kinetics-400", "Kinetics-600"]
    record = weights_record(net.config)
    assert isinstance(record, list)
    assert [entry["sha256"] for entry in record] == [origin.sha256 for origin in origins]
    assert all(origin.sha256 for origin in origins)


def test_a_member_whose_weights_are_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pretrained weights are published for small"):
        build(ModelConfig(encoder="small+mobilenet", head="mean"), 2, weights_dir=tmp_path)


def test_each_member_keeps_the_output_that_it_has() -> None:
    encoder = create_encoder(CONFIG)
    assert isinstance(encoder, SideBySide)
    assert {name: member.output for name, member in encoder.encoders().items()} == {
        "i3d": "maps",
        "movinet_a0_mobile": "maps+hidden",
    }
