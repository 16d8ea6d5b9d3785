import subprocess
import sys
from typing import get_args

import pytest

from muybridge.errors import UserError
from muybridge.recipes.encoder_names import EncoderName
from muybridge.recipes.model import ModelConfig, last_layer_count


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"encoder": "mobilnet"}, "did you mean 'mobilenet'"),
        ({"head": "bilsmt"}, "did you mean 'bilstm'"),
        ({"pooling": "avg"}, "choose from grid, max, mean"),
        ({"scaling": "image"}, "did you mean 'imagenet'"),
        ({"encoder_output": "scores"}, "choose from auto, logits, maps"),
        ({"trainable": "last15"}, "all, none or last-N"),
        ({"width": 0.0}, "above 0"),
        ({"encoder": "densenet", "width": 0.5}, "only mobilenet has widths"),
        ({"dropout": 1.0}, r"in \[0, 1\)"),
        ({"head_widths": ()}, "one number per layer"),
        ({"dense_widths": (0,)}, "from 1 to 65536"),
        ({"head": "lstm", "head_widths": ()}, "one number per layer"),
        ({"head_positions": 0}, "from 1 to"),
        ({"bert_layers": 0}, "from 1 to"),
        ({"bert_heads": 0}, "from 1 to"),
        ({"bert_feed_forward": 0}, "from 1 to"),
        ({"bert_dropout": 1.0}, r"in \[0, 1\)"),
        ({"bert_keep": 0.0}, r"in \(0, 1\]"),
        ({"fusion": "later"}, "did you mean 'late'"),
        ({"fusion_ratio": 1}, "from 2 to"),
        ({"token_grid": 2}, "0 or 1 for head bilstm"),
        ({"head": "attentive", "token_grid": -1}, "from 0 to"),
        ({"head": "attentive", "token_grid": 2, "pooling": "grid"}, "0 or 1 for pooling grid"),
        ({"head": "attentive", "token_grid": 2, "encoder_output": "logits"}, "one vector a step"),
        ({"head": "attentive", "token_grid": 2, "fusion": "late"}, "0 or 1 for fusion late"),
        ({"head": "attentive", "head_widths": (64, 32)}, "one number for head attentive"),
        ({"head": "attentive", "attentive_heads": 0}, "from 1 to"),
        ({"feature_norm": "batch"}, "choose from layer, none, standard"),
        ({"feature_norm": "standard"}, "unless model.trainable is none"),
        ({"feature_norm": "standard", "trainable": "none", "pooling": "grid"}, "without grid"),
        ({"weights": ""}, "pretrained, none or a path"),
    ],
)
def test_bad_values_are_told_with_the_field_and_the_choices(values: dict, told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        ModelConfig(**values)
    assert any(f"model.{field}" in str(error.value) for field in values)


def test_models_saved_when_the_norm_was_yes_or_no_still_load() -> None:
    assert ModelConfig(feature_norm=True) == ModelConfig(feature_norm="layer")  # type: ignore[arg-type]
    assert ModelConfig(feature_norm=False) == ModelConfig(feature_norm="none")  # type: ignore[arg-type]


def test_lists_of_a_recipe_become_tuples() -> None:
    config = ModelConfig(head_widths=[8, 4], dense_widths=[])  # type: ignore[arg-type]
    assert config == ModelConfig(head_widths=(8, 4), dense_widths=())
    assert hash(config) == hash(ModelConfig(head_widths=(8, 4), dense_widths=()))


@pytest.mark.parametrize(("text", "count"), [("all", None), ("none", 0), ("last-15", 15), ("last-0", 0)])
def test_last_layer_count(text: str, count: int | None) -> None:
    assert last_layer_count(text) == count


def test_the_command_line_can_import_the_options_without_torch() -> None:
    code = "import sys, muybridge.recipes.model, muybridge.models.weights.finding; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("encoder", "top"), [("mobilenet", "last-15"), ("densenet", "last-114"), ("alexnet", "last-5")]
)
@pytest.mark.parametrize("weights", ["imagenet", "x.safetensors"])
def test_auto_trains_the_top_of_a_pretrained_encoder(encoder: EncoderName, top: str, weights: str) -> None:
    assert ModelConfig(encoder=encoder, weights=weights).layers_to_train == top
    assert ModelConfig(encoder=encoder, weights=weights, trainable="none").layers_to_train == "none"


@pytest.mark.parametrize("encoder", get_args(EncoderName))
def test_auto_trains_all_of_a_fresh_encoder(encoder: EncoderName) -> None:
    assert ModelConfig(encoder=encoder, weights="none").layers_to_train == "all"
