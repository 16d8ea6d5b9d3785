"""Encoders of other libraries: what holds for each of them. Real models, tiny and random, since no hub is reachable."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.helpers.foundation import IMAGE_FAMILIES, SCALING, VIDEO_FAMILIES, library, save

from muybridge.errors import UserError
from muybridge.models.encoders.encoder import FrameEncoder, VideoEncoder
from muybridge.models.encoders.encoder_factory import create_encoder
from muybridge.models.encoders.freezing import set_trainable
from muybridge.models.network import RecognizerNet, build
from muybridge.models.saving import load_recognizer, save_recognizer
from muybridge.recipes.model import ModelConfig

pytestmark = pytest.mark.adapters

# Positions of a frame (side) and, of 8 frames, steps in time, for the sizes of `frames_of`.
SIDES = {"dinov2": 4, "clip": 7, "vit": 7, "swin": 7, "convnext": 1, "metaclip_2": 7, "siglip2": 7}
VIDEO_SIDES = {"videomae": 2, "vjepa2": 2, "timesformer": 4, "vivit": 4, "xclip": 4, "videoprism": 2}
VIDEO_SIDES |= {"videoprism_vision_model": 2}
STEPS_OF_8 = {"videomae": 4, "vjepa2": 4, "timesformer": 8, "vivit": 4, "xclip": 8, "videoprism": 8}
STEPS_OF_8 |= {"videoprism_vision_model": 8}


@pytest.fixture(params=IMAGE_FAMILIES + VIDEO_FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(family: str, tmp_path: Path) -> Path:
    return save(family, tmp_path / family)


def size_of(encoder: FrameEncoder | VideoEncoder) -> int:
    return encoder.default_size_px if isinstance(encoder, VideoEncoder) else 56


def frames_of(encoder: FrameEncoder | VideoEncoder, frame_count: int = 8) -> torch.Tensor:
    side = (size_of(encoder),) * 2
    shape = (3, *side) if isinstance(encoder, FrameEncoder) else (3, frame_count, *side)
    return torch.rand(2, *shape)


def test_maps_keep_positions_and_steps(folder: Path, family: str) -> None:
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{folder}")).eval()
    assert encoder.mean == tuple(SCALING["image_mean"]) and encoder.std == tuple(SCALING["image_std"])
    assert isinstance(encoder, VideoEncoder) == (family in VIDEO_FAMILIES)
    with torch.no_grad():
        maps = encoder(frames_of(encoder))
    if isinstance(encoder, VideoEncoder):
        assert encoder.step_count(8) == STEPS_OF_8[family]
        assert maps.shape == (2, 16, STEPS_OF_8[family], VIDEO_SIDES[family], VIDEO_SIDES[family])
    else:
        assert maps.shape == (2, 16, SIDES[family], SIDES[family])


def test_a_recognizer_begins_with_the_published_weights_frozen_and_scaled(folder: Path) -> None:
    net = build(ModelConfig(encoder=f"transformers:{folder}", head="mean"), 2)
    assert not any(parameter.requires_grad for parameter in net.encoder.parameters())
    assert net.pools_when_frozen  # so clips are encoded once
    assert net.pixel_mean.tolist() == pytest.approx(SCALING["image_mean"])
    torch.manual_seed(2)
    second = build(net.config, 2).encoder
    fresh = build(net.config, 2, weights="none").encoder
    for name, value in net.encoder.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value)
    changed = [name for name, value in second.state_dict().items() if not torch.equal(value, fresh.state_dict()[name])]
    assert len(changed) >= len(list(second.parameters()))


def test_each_parameter_belongs_to_one_layer_and_freezing_holds(folder: Path) -> None:
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{folder}"))
    listed = [id(p) for layer in encoder.layers() if layer.module is not None for p in layer.module.parameters()]
    assert sorted(listed) == sorted(id(p) for p in encoder.parameters())
    set_trainable(encoder, "none")
    batch = frames_of(encoder)
    with torch.no_grad():
        torch.testing.assert_close(encoder.train()(batch), encoder.eval()(batch))
    set_trainable(encoder, "last-2")
    learning = [name for name, p in encoder.named_parameters() if p.requires_grad]
    assert 0 < len(learning) < len(listed)
    encoder(batch).square().sum().backward()
    assert any(p.grad is not None for p in encoder.parameters())  # the last two are layers that maps depend on


def test_a_saved_model_is_the_same_when_loaded(folder: Path, tmp_path: Path) -> None:
    net = build(ModelConfig(encoder=f"transformers:{folder}", head="bilstm", head_widths=(4,)), 2).eval()
    save_recognizer(tmp_path / "saved", net, classes=["left", "right"], preprocessing={})
    loaded, _ = load_recognizer(tmp_path / "saved")
    side = size_of(net.encoder)
    clips = torch.randint(0, 256, (2, 8, side, side, 3), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(loaded(clips), net(clips), rtol=0, atol=0)


def test_a_recognizer_learns_on_top(folder: Path) -> None:
    torch.manual_seed(0)
    net = RecognizerNet(
        ModelConfig(encoder=f"transformers:{folder}", weights="none", trainable="all", head="mean", dropout=0), 2
    ).train()
    side = size_of(net.encoder)
    clips = torch.randint(0, 256, (2, 8, side, side, 3), dtype=torch.uint8)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    losses = []
    for _ in range(6):
        loss = torch.nn.functional.cross_entropy(net(clips), torch.tensor([0, 1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["timm", "transformers"])
def test_a_missing_extra_gives_the_install_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=rf"install it: pip install 'muybridge\[{name}\]'"):
        create_encoder(ModelConfig(encoder=f"{name}:anything"))


def test_a_library_that_breaks_on_import_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As torchvision does beside a torch it was not made for.
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(
        UserError, match=r"cannot be imported here \(operator torchvision::nms does not exist\); install"
    ):
        create_encoder(ModelConfig(encoder="timm:anything"))


@pytest.mark.parametrize("encoder", ["timm", "timm:", "keras:resnet"])
def test_other_libraries_and_empty_names_are_refused(encoder: str) -> None:
    with pytest.raises(UserError, match=r"model\.encoder is"):
        ModelConfig(encoder=encoder)


@pytest.mark.parametrize(
    "name",
    ["resnet18", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "convnext_atto", "naflexvit_base_patch16_gap"],
)
def test_timm_gives_maps_whose_layers_can_be_frozen(name: str) -> None:
    library("timm")
    encoder = create_encoder(ModelConfig(encoder=f"timm:{name}")).eval()
    frames = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        maps = encoder(frames)
    side = 14 if "vit" in name else 7
    assert maps.shape == (1, encoder.feature_count, side, side)
    listed = [id(p) for layer in encoder.layers() if layer.module is not None for p in layer.module.parameters()]
    assert sorted(listed) == sorted(id(p) for p in encoder.parameters())
    set_trainable(encoder, "none")
    with torch.no_grad():
        torch.testing.assert_close(encoder.train()(frames), maps)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "naflexvit_base_patch16_gap"])
def test_timm_s_patches_are_whole(name: str) -> None:
    library("timm")
    encoder = create_encoder(ModelConfig(encoder=f"timm:{name}")).eval()
    for refuse in (lambda: encoder(torch.rand(1, 3, 40, 40)), lambda: encoder.check_input(size_px=40, frame_count=8)):
        with pytest.raises(UserError, match=r"patches of 16 px, and frames of 40x40 px .* say size_px 32 or 48$"):
            refuse()


@pytest.mark.parametrize(
    ("name", "expected"), [("no_such_network", "Unknown model"), ("resnet18.no_such_tag", "no_such_tag")]
)
def test_what_timm_does_not_know_is_told_in_one_line(name: str, expected: str) -> None:
    library("timm")
    with pytest.raises(UserError, match=f"timm cannot create {name}: .*{expected}") as caught:
        create_encoder(ModelConfig(encoder=f"timm:{name}"))
    assert "\n" not in str(caught.value)


def test_timm_s_weights_out_of_reach_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    timm = library("timm")

    def unreachable(*_: Any, **__: Any) -> None:
        raise KeyError("a key that the file does not have")  # not one of the errors of networks

    monkeypatch.setattr(timm.models._builder, "load_pretrained", unreachable)
    with pytest.raises(UserError, match="timm cannot get the weights of resnet18: 'a key that the file does not have'"):
        build(ModelConfig(encoder="timm:resnet18", head="mean"), 2)
