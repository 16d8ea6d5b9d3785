"""Encoders of other libraries. Real models of each family, small and with random weights, since no hub is reachable."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from muybridge.errors import UserError
from muybridge.models.encoders.encoder import FrameEncoder, VideoEncoder
from muybridge.models.encoders.encoder_factory import create_encoder
from muybridge.models.encoders.freezing import set_trainable
from muybridge.models.network import RecognizerNet, build
from muybridge.recipes.model import ModelConfig

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
FAMILIES = ["dinov2", "clip", "vit", "swin", "convnext", "videomae", "vjepa2"]


def _config(transformers: Any, family: str) -> Any:
    if family == "clip":
        vision = SMALL | {"intermediate_size": 32, "image_size": 32, "patch_size": 8}
        text = SMALL | {"intermediate_size": 32, "vocab_size": 30}
        return transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=8)
    if family == "dinov2":
        return transformers.Dinov2Config(**SMALL, image_size=28, patch_size=14)
    if family == "vit":
        return transformers.ViTConfig(**SMALL, intermediate_size=32, image_size=32, patch_size=8)
    if family == "swin":
        return transformers.SwinConfig(image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2])
    if family == "convnext":
        return transformers.ConvNextConfig(hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1])
    if family == "videomae":
        return transformers.VideoMAEConfig(**SMALL, intermediate_size=32, image_size=32, patch_size=16, num_frames=8)
    predictor = {"pred_hidden_size": 16, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1}
    return transformers.VJEPA2Config(**SMALL, **predictor, crop_size=32, patch_size=16, frames_per_clip=8)


@pytest.fixture(params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as ``save_pretrained`` leaves it: configuration, weights, and how pixels are scaled."""
    return save(request.param, tmp_path, monkeypatch)


def save(family: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    transformers = pytest.importorskip("transformers", reason="needs the extra transformers")
    transformers.AutoModel.from_config(_config(transformers, family)).save_pretrained(folder)
    scaling = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.1], "do_normalize": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(scaling))
    return folder


def _input(encoder: FrameEncoder | VideoEncoder, frame_count: int = 8) -> torch.Tensor:
    size_px = encoder.minimum_size_px if isinstance(encoder, VideoEncoder) else 56
    shape = (3, size_px, size_px) if isinstance(encoder, FrameEncoder) else (3, frame_count, size_px, size_px)
    return torch.rand(2, *shape)


def test_maps_keep_positions_and_steps(folder: Path) -> None:
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{folder}")).eval()
    assert encoder.mean == (0.5, 0.4, 0.3)
    with torch.no_grad():
        maps = encoder(_input(encoder))
    sides = {"dinov2": 4, "vit": 7, "clip": 7, "swin": 7, "convnext": 1, "videomae": 2, "vjepa2": 2}
    family = json.loads((folder / "config.json").read_text())["model_type"]
    side = sides[family]
    steps = (4,) if isinstance(encoder, VideoEncoder) else ()
    assert maps.shape == (2, encoder.feature_count, *steps, side, side)


@pytest.mark.parametrize("family", ["dinov2", "clip", "vit"])
def test_tokens_stand_where_their_patches_are(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # With attention's output and the positions switched off, a token depends on its own patch alone.
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{save(family, tmp_path, monkeypatch)}")).eval()
    for name, parameter in encoder.named_parameters():
        if ("attention" in name or "attn" in name) and ("out" in name or "dense" in name or "v_proj" in name):
            torch.nn.init.zeros_(parameter)
    frame = torch.zeros(1, 3, 56, 56)
    changed = frame.clone()
    changed[..., 28:42, 14:28] = 1  # inside row 2, column 1 of DINOv2's 14 px patches
    with torch.no_grad():
        difference_HW = (encoder(changed) - encoder(frame)).abs().amax(dim=(0, 1))
    side = len(difference_HW)
    rows, columns = torch.where(difference_HW > 1e-5)
    patch = 56 // side
    assert set(rows.tolist()) == set(range(28 // patch, -(-42 // patch)))
    assert set(columns.tolist()) == set(range(14 // patch, -(-28 // patch)))


@pytest.mark.parametrize("family", ["videomae", "vjepa2"])
def test_step_count_is_that_of_the_maps(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{save(family, tmp_path, monkeypatch)}")).eval()
    assert isinstance(encoder, VideoEncoder)
    with torch.no_grad():
        for frame_count in range(1, 20):
            assert encoder(_input(encoder, frame_count)).shape[2] == encoder.step_count(frame_count)


def test_pieces_of_a_long_clip_are_those_seen_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{save('videomae', tmp_path, monkeypatch)}")).eval()
    clip = _input(encoder, 16)
    with torch.no_grad():
        apart = torch.cat([encoder(clip[:, :, :8]), encoder(clip[:, :, 8:])], dim=2)
        torch.testing.assert_close(encoder(clip), apart)


def test_published_weights_are_loaded(folder: Path) -> None:
    config = ModelConfig(encoder=f"transformers:{folder}", head="mean")
    torch.manual_seed(1)
    first = build(config, 2).encoder
    torch.manual_seed(2)
    second, fresh = build(config, 2).encoder, build(config, 2, weights="none").encoder
    for name, value in first.state_dict().items():
        if "pooler" not in name:
            torch.testing.assert_close(second.state_dict()[name], value)
    assert any(not torch.equal(value, fresh.state_dict()[name]) for name, value in first.state_dict().items())


def test_each_parameter_belongs_to_one_layer_and_freezing_holds(folder: Path) -> None:
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{folder}"))
    listed = [id(p) for layer in encoder.layers() if layer.module is not None for p in layer.module.parameters()]
    assert sorted(listed) == sorted(id(p) for p in encoder.parameters())
    set_trainable(encoder, "none")
    batch = _input(encoder)
    with torch.no_grad():
        torch.testing.assert_close(encoder.train()(batch), encoder.eval()(batch))
    set_trainable(encoder, "last-2")
    learning = [name for name, p in encoder.named_parameters() if p.requires_grad]
    assert 0 < len(learning) < len(listed)


def test_a_recognizer_learns_on_top(folder: Path) -> None:
    torch.manual_seed(0)
    net = RecognizerNet(
        ModelConfig(encoder=f"transformers:{folder}", weights="none", trainable="all", head="mean", dropout=0), 2
    ).train()
    size_px = net.encoder.minimum_size_px if isinstance(net.encoder, VideoEncoder) else 56
    clips = torch.randint(0, 256, (2, 8, size_px, size_px, 3), dtype=torch.uint8)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    losses = []
    for _ in range(6):
        loss = torch.nn.functional.cross_entropy(net(clips), torch.tensor([0, 1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_frames_of_another_size_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{save('videomae', tmp_path, monkeypatch)}"))
    with pytest.raises(UserError, match=r"knows frames of 32x32 px only.*size_px 32"):
        encoder(torch.rand(1, 3, 8, 48, 48))


def test_unknown_scaling_and_unknown_names_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save("vit", tmp_path, monkeypatch)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(UserError, match=r"no preprocessor_config\.json"):
        create_encoder(ModelConfig(encoder=f"transformers:{folder}"))
    with pytest.raises(UserError, match="transformers cannot create nobody/nothing"):
        create_encoder(ModelConfig(encoder="transformers:nobody/nothing"))


@pytest.mark.parametrize("library", ["timm", "transformers"])
def test_a_missing_extra_gives_the_install_line(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=rf"install it: pip install 'muybridge\[{library}\]'"):
        create_encoder(ModelConfig(encoder=f"{library}:anything"))


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


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "convnext_atto"])
def test_timm_gives_maps_whose_layers_can_be_frozen(name: str) -> None:
    pytest.importorskip("timm", reason="needs the extra timm", exc_type=ImportError)
    encoder = create_encoder(ModelConfig(encoder=f"timm:{name}")).eval()
    frames = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        maps = encoder(frames)
    side = 14 if name.startswith("vit") else 7
    assert maps.shape == (1, encoder.feature_count, side, side)
    listed = [id(p) for layer in encoder.layers() if layer.module is not None for p in layer.module.parameters()]
    assert sorted(listed) == sorted(id(p) for p in encoder.parameters())
    set_trainable(encoder, "none")
    with torch.no_grad():
        torch.testing.assert_close(encoder.train()(frames), maps)
