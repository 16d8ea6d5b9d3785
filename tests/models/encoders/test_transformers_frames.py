"""Image networks of transformers give what the library gives, each token where its patch is."""

from pathlib import Path

import pytest
import torch
from tests.helpers.foundation import library, save

from muybridge.errors import UserError
from muybridge.models.encoders import from_transformers
from muybridge.models.encoders.encoder_factory import create_encoder
from muybridge.models.network import build
from muybridge.recipes.model import ModelConfig

pytestmark = pytest.mark.adapters


@pytest.mark.parametrize("family", ["dinov2", "clip", "vit", "swin", "metaclip_2", "siglip2"])
def test_a_patch_that_changes_changes_its_own_position_most(family: str, tmp_path: Path) -> None:
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{save(family, tmp_path)}")).eval()
    frame = torch.rand(1, 3, 112, 56)
    patch = {"dinov2": 14}.get(family, 8)
    changed = frame.clone()
    changed[..., 5 * patch : 6 * patch, patch : 2 * patch] *= -1
    with torch.no_grad():
        difference_HW = (encoder(changed) - encoder(frame)).abs().sum(dim=(0, 1))
    assert difference_HW.shape == (112 // patch, 56 // patch)
    assert divmod(int(difference_HW.argmax()), 56 // patch) == (5, 1)


@pytest.mark.parametrize("family", ["clip", "metaclip_2", "vit", "dinov2"])
def test_maps_are_the_library_s_hidden_states(family: str, tmp_path: Path) -> None:
    transformers = library("transformers")
    net = build(ModelConfig(encoder=f"transformers:{save(family, tmp_path)}", head="mean"), 2).eval()
    model = transformers.AutoModel.from_pretrained(tmp_path).eval()
    model = getattr(model, "vision_model", model)
    frames = torch.rand(2, 3, 56, 56)
    with torch.no_grad():
        maps = net.encoder(frames)
        tokens = model(pixel_values=frames, interpolate_pos_encoding=True).last_hidden_state
    side = maps.shape[-1]
    for row, column in ((0, 0), (0, side - 1), (side - 1, 2)):
        torch.testing.assert_close(maps[:, :, row, column], tokens[:, 1 + row * side + column])  # 1: class token


def test_naflex_sees_what_the_library_s_processor_makes_of_a_frame(tmp_path: Path) -> None:
    transformers = library("transformers")
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    net = build(ModelConfig(encoder=f"transformers:{save('siglip2', tmp_path, scaling=half)}", head="mean"), 2).eval()
    # 48 patches of 8 px are all that there are in a frame of 64x48, so that the processor neither scales nor pads it.
    processor = transformers.Siglip2ImageProcessor(patch_size=8, max_num_patches=48)
    frame_CHW = torch.randint(0, 256, (3, 64, 48), dtype=torch.uint8)
    inputs = processor(images=[frame_CHW], return_tensors="pt")
    assert inputs["spatial_shapes"].tolist() == [[8, 6]]
    whole = transformers.AutoModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        tokens = whole.vision_model(**inputs).last_hidden_state
        maps = net.encoder(net._scale(frame_CHW.movedim(0, -1)[None]))
    torch.testing.assert_close(maps.flatten(2).transpose(1, 2), tokens, rtol=1e-4, atol=1e-5)


def test_naflex_takes_any_size_of_whole_patches(tmp_path: Path) -> None:
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{save('siglip2', tmp_path)}")).eval()
    assert encoder.default_size_px == 32  # 16 patches of 8 px
    with torch.no_grad():
        assert encoder(torch.rand(1, 3, 40, 72)).shape == (1, 16, 5, 9)


@pytest.mark.parametrize("family", ["vit", "swin", "siglip2", "metaclip_2"])
def test_sizes_that_are_no_whole_patches_are_refused_in_one_line(family: str, tmp_path: Path) -> None:
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{save(family, tmp_path)}"))
    for refuse in (lambda: encoder(torch.rand(1, 3, 60, 60)), lambda: encoder.check_input(size_px=60, frame_count=8)):
        with pytest.raises(UserError, match=r"patches of 8 px, and frames of 60x60 px .* say size_px 56 or 64$"):
            refuse()
    encoder.check_input(size_px=64, frame_count=None)


def test_convolutions_take_what_is_left_over(tmp_path: Path) -> None:
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{save('convnext', tmp_path)}")).eval()
    encoder.check_input(size_px=70, frame_count=8)
    with torch.no_grad():
        assert encoder(torch.rand(1, 3, 70, 70)).shape[-2:] == (2, 2)


def test_a_size_that_the_library_refuses_is_told_in_one_line(tmp_path: Path) -> None:
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{save('vit', tmp_path)}"))
    encoder.options = {}  # as of a model that cannot stretch its positions
    with pytest.raises(
        UserError, match=r"cannot encode such frames: Input image size \(64\*64\) doesn't match"
    ) as caught:
        encoder(torch.rand(1, 3, 64, 64))
    assert "\n" not in str(caught.value)


def test_a_model_that_needs_more_than_frames_is_refused(tmp_path: Path) -> None:
    transformers = library("transformers")
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.Siglip2VisionConfig(**small, patch_size=8, num_patches=16)
    model = transformers.Siglip2VisionModel(config)
    model.config.model_type = "another_that_is_given_patches"  # NaFlex itself is known
    assert from_transformers._adapter(model) is None


def test_maps_of_an_unknown_order_are_not_guessed_at(tmp_path: Path) -> None:
    transformers = library("transformers")
    config = transformers.SamVisionConfig(
        hidden_size=16,
        output_channels=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        mlp_dim=16,
        window_size=2,
        global_attn_indexes=[0],
    )
    transformers.SamVisionModel(config).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0, 0, 0], "image_std": [1, 1, 1]}')
    encoder = create_encoder(ModelConfig(encoder=f"transformers:{tmp_path}"))
    with pytest.raises(UserError, match=r"a shape that muybridge does not know, \(1, 8, 4, 4\)"):
        encoder(torch.rand(1, 3, 32, 32))
