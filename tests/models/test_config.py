import subprocess
import sys

import pytest

from muybridge.errors import UserError
from muybridge.models.config import ModelConfig, last_layer_count


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"encoder": "mobilnet"}, "did you mean 'mobilenet'"),
        ({"head": "bilsmt"}, "did you mean 'bilstm'"),
        ({"pooling": "avg"}, "choose from grid, max, mean"),
        ({"scaling": "image"}, "did you mean 'imagenet'"),
        ({"encoder_output": "scores"}, "choose from logits, maps"),
        ({"trainable": "last15"}, "all, none or last-N"),
        ({"width": 0.0}, "above 0"),
        ({"encoder": "densenet", "width": 0.5}, "only mobilenet has widths"),
        ({"dropout": 1.0}, r"in \[0, 1\)"),
        ({"head_widths": ()}, "one number per BiLSTM layer"),
        ({"dense_widths": (0,)}, "from 1 on"),
        ({"weights": ""}, "imagenet, none or a path"),
    ],
)
def test_bad_values_are_told_with_the_field_and_the_choices(values: dict, told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        ModelConfig(**values)
    assert any(f"model.{field}" in str(error.value) for field in values)


def test_lists_of_a_recipe_become_tuples() -> None:
    config = ModelConfig(head_widths=[8, 4], dense_widths=[])  # type: ignore[arg-type]
    assert config == ModelConfig(head_widths=(8, 4), dense_widths=())
    assert hash(config) == hash(ModelConfig(head_widths=(8, 4), dense_widths=()))


@pytest.mark.parametrize(("text", "count"), [("all", None), ("none", 0), ("last-15", 15), ("last-0", 0)])
def test_last_layer_count(text: str, count: int | None) -> None:
    assert last_layer_count(text) == count


def test_the_command_line_can_import_the_options_without_torch() -> None:
    code = "import sys, muybridge.models.config, muybridge.models.weights; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("weights", "resolved"), [("imagenet", "last-15"), ("x.safetensors", "last-15"), ("none", "all")]
)
def test_auto_trains_the_top_of_a_pretrained_encoder_and_all_of_a_fresh_one(weights: str, resolved: str) -> None:
    assert ModelConfig(weights=weights).layers_to_train == resolved
    assert ModelConfig(weights=weights, trainable="none").layers_to_train == "none"
