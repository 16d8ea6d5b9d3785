"""What comes with a model of transformers: its weights, its pixel scaling, and what is not as it should be."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.helpers.foundation import SCALING, config_of, library, save

from muybridge.errors import UserError
from muybridge.models.encoders.encoder_factory import create_encoder
from muybridge.models.network import RecognizerNet, build
from muybridge.recipes.model import ModelConfig

pytestmark = pytest.mark.adapters


def config(folder: Path) -> ModelConfig:
    return ModelConfig(encoder=f"transformers:{folder}", head="mean")


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        build(config(folder), 2)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600
    return message


def change(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


@pytest.mark.parametrize(
    ("family", "mean", "std"),
    [
        ("timesformer", (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)),
        ("vivit", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("videoprism_vision_model", (0, 0, 0), (1, 1, 1)),
        ("videoprism", (0, 0, 0), (1, 1, 1)),
        ("vjepa2", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("xclip", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("metaclip_2", (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
        ("siglip2", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ],
)
def test_without_a_file_the_published_scaling_is_taken(family: str, mean: Any, std: Any, tmp_path: Path) -> None:
    encoder = create_encoder(config(save(family, tmp_path, scaling={})))
    assert (encoder.mean, encoder.std) == (mean, std)


def test_where_scaling_differs_from_network_to_network_a_file_must_say_it(tmp_path: Path) -> None:
    assert "has no preprocessor_config.json with image_mean and image_std" in refused(save("vit", tmp_path, scaling={}))


@pytest.mark.parametrize("processor", ["VivitImageProcessor", "VivitVideoProcessor", "TimesformerVideoProcessor"])
@pytest.mark.parametrize("normalize", [True, False])
def test_pixels_are_scaled_as_the_library_s_processor_does(processor: str, normalize: bool, tmp_path: Path) -> None:
    transformers = library("transformers")
    family = "timesformer" if "Timesformer" in processor else "vivit"
    save(family, tmp_path, scaling={})
    options = {"do_resize": False, "do_center_crop": False, "do_normalize": normalize}
    theirs = getattr(transformers, processor)(**options)
    theirs.save_pretrained(tmp_path)
    if processor == "VivitVideoProcessor":  # its offset is in its code, and not in its file
        path = tmp_path / "video_preprocessor_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"offset": True}))
    clip_TCHW = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    inputs = theirs(list(clip_TCHW.numpy()) if "Image" in processor else clip_TCHW, return_tensors="pt")
    net = RecognizerNet(config(tmp_path), 2)
    ours = net._scale(clip_TCHW.movedim(1, -1)[None])
    torch.testing.assert_close(ours.transpose(1, 2), inputs["pixel_values"].float(), rtol=1e-4, atol=1e-4)


def test_the_settings_of_a_processor_for_text_and_video_are_nested(tmp_path: Path) -> None:
    save("xclip", tmp_path, scaling={})
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": SCALING, "processor_class": "P"}))
    assert create_encoder(config(tmp_path)).mean == (0.5, 0.4, 0.3)


def test_the_file_for_videos_goes_before_that_for_images(tmp_path: Path) -> None:
    save("vjepa2", tmp_path)
    (tmp_path / "video_preprocessor_config.json").write_text(json.dumps(SCALING | {"image_mean": [0.1, 0.1, 0.1]}))
    assert create_encoder(config(tmp_path)).mean == (0.1, 0.1, 0.1)


@pytest.mark.parametrize(
    "settings",
    [
        {"image_mean": [0.5, 0.5], "image_std": [0.5, 0.5, 0.5]},
        {"image_mean": [0.5, 0.5, 0.5]},
        {"image_mean": [0.5, 0.5, 0.5], "image_std": [0, 0, 0]},
        {"image_mean": ["a", "b", "c"], "image_std": [0.5, 0.5, 0.5]},
        {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "rescale_factor": 0},
    ],
)
def test_a_file_that_does_not_say_the_scaling_is_named(settings: dict[str, Any], tmp_path: Path) -> None:
    message = refused(save("vivit", tmp_path, scaling=settings))
    assert "preprocessor_config.json does not say how pixels are scaled" in message


def test_a_damaged_preprocessing_file_is_named(tmp_path: Path) -> None:
    save("vit", tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{")
    assert "preprocessor_config.json is damaged" in refused(tmp_path)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_published_in_16_bits_compute_in_32(dtype: str, tmp_path: Path) -> None:
    transformers = library("transformers")
    model = transformers.AutoModel.from_config(config_of("vivit")).to(getattr(torch, dtype))
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == dtype
    encoder = build(config(tmp_path), 2).encoder
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    torch.testing.assert_close(encoder.model.layernorm.weight, model.layernorm.weight.float())
    assert encoder(torch.rand(1, 3, 8, 32, 32)).dtype == torch.float32


@pytest.mark.parametrize("family", ["vivit", "xclip", "metaclip_2"])
def test_missing_weights_are_named(family: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save(family, tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    end = "1.layernorm_after.weight" if family == "vivit" else "vision_model.encoder.layers.1.layer_norm1.weight"
    [gone] = [name for name in tensors if name.endswith(end)]
    del tensors[gone]
    save_file(tensors, path, metadata={"format": "pt"})
    message = refused(tmp_path)
    assert f"the weights of transformers:{tmp_path} lack " in message
    assert end.removeprefix("vision_model.") in message


def test_the_text_half_may_be_missing(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save("metaclip_2", tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({k: v for k, v in load_file(path).items() if "vision" in k}, path, metadata={"format": "pt"})
    build(config(tmp_path), 2)


def test_weights_of_another_shape_are_told_in_one_line(tmp_path: Path) -> None:
    save("vivit", tmp_path)
    assert "transformers cannot get the weights of" in refused(change(tmp_path, hidden_size=32))


def test_a_damaged_file_of_weights_is_told_in_one_line(tmp_path: Path) -> None:
    save("timesformer", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not a file of weights")
    assert "transformers cannot get the weights of" in refused(tmp_path)


def test_pickled_weights_are_never_read(tmp_path: Path) -> None:
    save("vivit", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    model = library("transformers").AutoModel.from_config(config_of("vivit"))
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    message = refused(tmp_path)
    assert "transformers cannot get the weights of" in message and "safetensors" in message


@pytest.mark.parametrize("model_type", ["vivit", "a_type_of_its_own"])
def test_code_that_comes_with_a_model_is_never_run(model_type: str, tmp_path: Path) -> None:
    save("vivit", tmp_path)
    marker = tmp_path / "it ran"
    (tmp_path / "theirs.py").write_text(
        f"open({str(marker)!r}, 'w').close()\n"
        "from transformers import VivitConfig, VivitModel\n"
        "class Config(VivitConfig):\n    model_type = 'a_type_of_its_own'\n"
        "class Model(VivitModel):\n    config_class = Config\n"
    )
    change(tmp_path, model_type=model_type, auto_map={"AutoConfig": "theirs.Config", "AutoModel": "theirs.Model"})
    if model_type == "vivit":
        assert type(build(config(tmp_path), 2).encoder.model).__module__.startswith("transformers.")
    else:
        assert "transformers cannot create" in refused(tmp_path)
    assert not marker.exists()


def test_a_configuration_that_the_library_refuses_is_told_in_one_line(tmp_path: Path) -> None:
    save("metaclip_2", tmp_path)
    path = tmp_path / "config.json"
    values = json.loads(path.read_text())
    values["vision_config"]["num_attention_heads"] = 3
    path.write_text(json.dumps(values))
    assert "not a multiple of the number of attention heads" in refused(tmp_path)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"model_type": "no_such_type"}, "transformers cannot create .*no_such_type"),
        ({"hidden_size": "wide"}, "transformers cannot create .*hidden_size"),
        ({"tubelet_size": [2, 8]}, "transformers cannot create "),
    ],
)
def test_a_damaged_configuration_is_told_in_one_line(values: dict[str, Any], expected: str, tmp_path: Path) -> None:
    save("vivit", tmp_path)
    change(tmp_path, **values)
    with pytest.raises(UserError, match=f"^{expected}"):
        build(config(tmp_path), 2)
    refused(tmp_path)


def test_a_text_model_is_refused(tmp_path: Path) -> None:
    transformers = library("transformers")
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    transformers.BertModel(transformers.BertConfig(**small, vocab_size=20)).save_pretrained(tmp_path)
    assert "(bert) is no image encoder, and no video encoder of tubes" in refused(tmp_path)


def test_a_vision_half_without_a_model_of_its_own_is_refused(tmp_path: Path) -> None:
    transformers = library("transformers")
    transformers.Idefics2Config().save_pretrained(tmp_path)
    assert f"transformers cannot create {tmp_path}: it has no model of idefics2_vision alone" in refused(tmp_path)


def test_an_unknown_name_is_told_in_one_line() -> None:
    library("transformers")
    with pytest.raises(UserError, match=r"^transformers cannot create nobody/nothing: ") as caught:
        create_encoder(ModelConfig(encoder="transformers:nobody/nothing"))
    assert "\n" not in str(caught.value)


def test_what_is_left_over_is_not_listed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build(config(save("siglip2", tmp_path)), 2)
    assert "UNEXPECTED" not in "".join(capfd.readouterr())
