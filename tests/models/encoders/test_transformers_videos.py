"""Video networks of transformers give what the library gives, each token at its time and place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.helpers.foundation import VIDEO_FAMILIES, library, save

from muybridge.errors import UserError
from muybridge.models.encoders.encoder import VideoEncoder
from muybridge.models.encoders.freezing import set_trainable
from muybridge.models.network import RecognizerNet, build
from muybridge.recipes.model import ModelConfig

pytestmark = pytest.mark.adapters

# Frames of a piece (None: any number), frames of a tube, size of a frame and of a patch.
SHAPES = {
    "videomae": (8, 2, 32, 16),
    "vjepa2": (None, 2, 32, 16),
    "timesformer": (4, 1, 32, 8),
    "vivit": (8, 2, 32, 8),
    "xclip": (4, 1, 32, 8),
    "videoprism_vision_model": (None, 1, 36, 18),
    "videoprism": (None, 1, 36, 18),
}
FIXED_SIZE = ["videomae", "vjepa2", "timesformer", "vivit", "xclip"]


def encoder_of(family: str, folder: Path, **changes: Any) -> VideoEncoder:
    encoder = build(ModelConfig(encoder=f"transformers:{save(family, folder, **changes)}", head="mean"), 2).encoder
    assert isinstance(encoder, VideoEncoder)
    return encoder.eval()


def clip_of(family: str, frames: int, clips: int = 1) -> torch.Tensor:
    side = SHAPES[family][2]
    return torch.rand(clips, 3, frames, side, side)


def whole_model(folder: Path) -> torch.nn.Module:
    model: torch.nn.Module = library("transformers").AutoModel.from_pretrained(folder).eval()
    return model


@pytest.mark.parametrize("family", VIDEO_FAMILIES)
def test_what_changes_at_a_time_and_place_changes_its_own_position_most(family: str, tmp_path: Path) -> None:
    _, tube, side, patch = SHAPES[family]
    encoder = encoder_of(family, tmp_path)
    clip = clip_of(family, 8)
    changed = clip.clone()
    changed[:, :, 5, :patch, patch : 2 * patch] *= -1
    with torch.no_grad():
        difference_SHW = (encoder(changed) - encoder(clip)).abs().sum(dim=(0, 1))
    assert difference_SHW.shape == (8 // tube, side // patch, side // patch)
    most = torch.unravel_index(difference_SHW.argmax(), difference_SHW.shape)
    assert [int(index) for index in most] == [5 // tube, 0, 1]


# How to run the whole model of the library on a clip of one piece, and which of its tokens is (step, row, column) of
# a grid with so many steps and rows a side.
DIRECT: dict[str, tuple[Callable[[Any, torch.Tensor], torch.Tensor], Callable[..., tuple[int, int]]]] = {
    "videomae": (
        lambda model, clip_BTCHW: model(pixel_values=clip_BTCHW).last_hidden_state,
        lambda step, row, column, steps, side: (0, (step * side + row) * side + column),
    ),
    "vjepa2": (
        lambda model, clip_BTCHW: model.get_vision_features(clip_BTCHW),
        lambda step, row, column, steps, side: (0, (step * side + row) * side + column),
    ),
    "vivit": (
        lambda model, clip_BTCHW: model(pixel_values=clip_BTCHW).last_hidden_state,
        lambda step, row, column, steps, side: (0, 1 + (step * side + row) * side + column),
    ),
    "timesformer": (
        lambda model, clip_BTCHW: model(pixel_values=clip_BTCHW).last_hidden_state,
        lambda step, row, column, steps, side: (0, 1 + (row * side + column) * steps + step),
    ),
    "xclip": (
        lambda model, clip_BTCHW: model.vision_model(pixel_values=clip_BTCHW.flatten(0, 1)).last_hidden_state,
        lambda step, row, column, steps, side: (step, 1 + row * side + column),
    ),
    "videoprism_vision_model": (
        lambda model, clip_BTCHW: model(pixel_values_videos=clip_BTCHW).last_hidden_state,
        lambda step, row, column, steps, side: (0, (step * side + row) * side + column),
    ),
    "videoprism": (
        lambda model, clip_BTCHW: model.video_model.vision_model(pixel_values_videos=clip_BTCHW).last_hidden_state,
        lambda step, row, column, steps, side: (0, (step * side + row) * side + column),
    ),
}


@pytest.mark.parametrize("family", VIDEO_FAMILIES)
def test_maps_are_the_library_s_hidden_states(family: str, tmp_path: Path) -> None:
    piece, tube, side_px, patch = SHAPES[family]
    encoder = encoder_of(family, tmp_path)
    model = whole_model(tmp_path)
    run, index = DIRECT[family]
    clip = clip_of(family, piece or 4)
    with torch.no_grad():
        maps = encoder(clip)
        tokens = run(model, clip.transpose(1, 2))
    steps, side = maps.shape[2], side_px // patch
    assert steps == (piece or 4) // tube
    for step in range(steps):
        for row, column in ((0, 0), (0, side - 1), (side - 1, 0), (side - 1, side - 1)):
            expected = tokens[index(step, row, column, steps, side)]
            torch.testing.assert_close(maps[0, :, step, row, column], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attention_type", ["space_only", "joint_space_time"])
def test_timesformer_s_other_kinds_of_attention(attention_type: str, tmp_path: Path) -> None:
    encoder = encoder_of("timesformer", tmp_path, attention_type=attention_type)
    clip = clip_of("timesformer", 4, clips=2)
    with torch.no_grad():
        maps = encoder(clip)
        tokens = whole_model(tmp_path)(clip.transpose(1, 2)).last_hidden_state
    assert maps.shape == (2, 16, 4, 4, 4)
    token = tokens[4 + 3, 1 + 2 * 4 + 1] if attention_type == "space_only" else tokens[1, 1 + (2 * 4 + 1) * 4 + 3]
    torch.testing.assert_close(maps[1, :, 3, 2, 1], token, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", VIDEO_FAMILIES)
def test_clips_of_any_length_have_the_steps_that_are_counted(family: str, tmp_path: Path) -> None:
    piece, tube, _, _ = SHAPES[family]
    encoder = encoder_of(family, tmp_path)
    unit = piece or tube
    with torch.no_grad():
        for frame_count in (1, 2, 3, 4, 7, 8, 9, 16, 17):
            steps = -(-frame_count // unit) * unit // tube
            assert encoder(clip_of(family, frame_count)).shape[2] == encoder.step_count(frame_count) == steps


@pytest.mark.parametrize("family", ["videomae", "timesformer", "vivit", "xclip"])
def test_pieces_of_a_long_clip_are_those_seen_alone(family: str, tmp_path: Path) -> None:
    piece = SHAPES[family][0]
    assert piece is not None
    encoder = encoder_of(family, tmp_path)
    clip = clip_of(family, 2 * piece, clips=2)
    with torch.no_grad():
        apart = torch.cat([encoder(clip[:, :, :piece]), encoder(clip[:, :, piece:])], dim=2)
        torch.testing.assert_close(encoder(clip), apart, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", VIDEO_FAMILIES)
def test_numbers_of_frames_it_was_not_made_for_are_refused_beforehand(family: str, tmp_path: Path) -> None:
    piece, tube, size_px, _ = SHAPES[family]
    encoder = encoder_of(family, tmp_path)
    unit = piece or tube
    for frame_count in (unit, 3 * unit, None):
        encoder.check_input(size_px=size_px, frame_count=frame_count)
    if unit > 1:
        with pytest.raises(
            UserError, match=rf"^sampler\.frames is {unit + 1}; .* sees {unit} at a time, so give {unit}"
        ):
            encoder.check_input(size_px=size_px, frame_count=unit + 1)


@pytest.mark.parametrize("family", FIXED_SIZE)
def test_frames_of_another_size_are_refused(family: str, tmp_path: Path) -> None:
    encoder = encoder_of(family, tmp_path)
    assert encoder.default_size_px == encoder.minimum_size_px == 32
    for refuse in (
        lambda: encoder(torch.rand(1, 3, 8, 48, 48)),
        lambda: encoder.check_input(size_px=48, frame_count=None),
    ):
        with pytest.raises(UserError, match=r"knows frames of 32x32 px only, these are 48x48; say size_px 32$"):
            refuse()


def test_videoprism_takes_any_size_of_whole_patches(tmp_path: Path) -> None:
    encoder = encoder_of("videoprism_vision_model", tmp_path)
    with torch.no_grad():
        assert encoder(torch.rand(1, 3, 6, 54, 72)).shape == (1, 16, 6, 3, 4)
    with pytest.raises(UserError, match=r"patches of 18 px, and frames of 50x50 px .* say size_px 36 or 54$"):
        encoder(torch.rand(1, 3, 4, 50, 50))


def test_clips_of_different_lengths_are_encoded_as_if_alone(tmp_path: Path) -> None:
    net = build(ModelConfig(encoder=f"transformers:{save('vivit', tmp_path)}", head="mean"), 2).eval()
    clips = torch.randint(0, 256, (2, 16, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        together = net.encode(clips, torch.tensor([16, 8]))
        torch.testing.assert_close(together[1:, :4], net.encode(clips[1:, :8]), rtol=1e-4, atol=1e-5)
        assert not together[1, 4:].any()


def test_the_last_layers_of_vjepa2_are_not_its_predictor(tmp_path: Path) -> None:
    encoder = encoder_of("vjepa2", tmp_path)
    set_trainable(encoder, "last-2")
    learning = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert learning and not any("predictor" in name for name in learning)
    encoder(clip_of("vjepa2", 8)).square().sum().backward()
    assert all(dict(encoder.named_parameters())[name].grad is not None for name in learning)


def test_all_tokens_of_vjepa2_reach_the_pooling(tmp_path: Path) -> None:
    net = RecognizerNet(
        ModelConfig(encoder=f"transformers:{save('vjepa2', tmp_path)}", weights="none", pooling="grid", head="mean"), 2
    )
    with torch.no_grad():
        assert net.encoder(clip_of("vjepa2", 16)).shape == (1, 16, 8, 2, 2)
        assert net.encode(torch.zeros(1, 16, 32, 32, 3, dtype=torch.uint8)).shape[:2] == (1, 8)
