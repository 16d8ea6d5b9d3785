"""One encoder or several, by name: in YAML, in flags and in Python."""

import json

import pytest
import yaml

from muybridge.errors import UserError
from muybridge.recipes.encoder_names import encoders_of
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.options import recipe_with
from muybridge.recipes.store import load_recipe, save_recipe

BOTH = "i3d+movinet_a0"


def test_every_way_to_name_two_encoders_means_the_same(tmp_path):
    (tmp_path / "list.yaml").write_text("model: {encoder: [i3d, movinet_a0]}\n")
    (tmp_path / "text.yaml").write_text("model: {encoder: i3d+movinet_a0}\n")
    configs = [
        ModelConfig(encoder=BOTH),
        ModelConfig(encoder=["i3d", "movinet_a0"]),  # type: ignore[arg-type]
        ModelConfig(encoder=("i3d", "movinet_a0")),  # type: ignore[arg-type]
        load_recipe("default", flags=["--encoder", BOTH, "--size-px", "64"]).model,
        recipe_with("default", {"encoder": ["i3d", "movinet_a0"]}, verb="train").model,
        recipe_with("default", {"model": {"encoder": ("i3d", "movinet_a0")}}, verb="train").model,
        load_recipe(str(tmp_path / "list.yaml")).model,
        load_recipe(str(tmp_path / "text.yaml")).model,
    ]
    for config in configs:
        assert (config.encoder, config.encoders) == (BOTH, ("i3d", "movinet_a0"))
    assert ModelConfig(**json.loads(json.dumps({"encoder": ["mobilenet"]}))) == ModelConfig()
    assert ModelConfig().encoders == ("mobilenet",)


def test_a_runs_recipe_lists_them_and_is_read_back(tmp_path):
    recipe = load_recipe("default", flags=["--encoder", BOTH])
    save_recipe(tmp_path / "recipe.yaml", recipe)
    assert yaml.safe_load((tmp_path / "recipe.yaml").read_text())["model"]["encoder"] == ["i3d", "movinet_a0"]
    assert load_recipe(str(tmp_path / "recipe.yaml")) == recipe
    assert recipe_with(recipe, {"epochs": 3}, verb="train").model == recipe.model
    assert load_recipe("default").to_dict()["model"]["encoder"] == "movinet_a0"


def test_a_plus_joins_only_names_that_are_known():
    assert encoders_of("i3d+movinet_a0+mobilenet") == ("i3d", "movinet_a0", "mobilenet")
    assert encoders_of("transformers:models/a+b") == ("transformers:models/a+b",)
    assert encoders_of("timm:x+i3d") == ("timm:x+i3d",)
    assert ModelConfig(encoder="transformers:models/a+b").adapter == "transformers"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"encoder": ["i3d", "movinet_a9"]}, "of which there is no 'movinet_a9'; did you mean 'movinet_a"),
        ({"encoder": "i3d+mobilnet"}, "is 'i3d.mobilnet', of which there is no 'mobilnet'; did you mean 'mobilenet'"),
        ({"encoder": ["i3d", "resnet18"]}, "no 'resnet18'; for one of timm's say timm:resnet18"),
        ({"encoder": ["i3d", "timm:resnet18"]}, "timm:resnet18 must be alone"),
        ({"encoder": ["i3d", "i3d"]}, "name i3d once"),
        ({"encoder": []}, "give a name, or a list of names"),
        ({"encoder": ["i3d", 3]}, "give a name, or a list of names"),
        ({"encoder": BOTH, "trainable": "last-20"}, "trainable is 'last-20'; it must be none or auto for i3d"),
        ({"encoder": BOTH, "pooling": "grid"}, "pooling is 'grid'; it must be mean or max"),
        ({"encoder": BOTH, "scaling": "unit"}, "each has its own scaling"),
        ({"encoder": BOTH, "weights": "kinetics"}, "it must be pretrained or none"),
        ({"encoder": BOTH, "weights": "a.pth"}, "it must be pretrained or none"),
        ({"encoder": "i3d+mc3_18", "encoder_output": "hidden"}, "choose from logits, maps"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(values, message):
    with pytest.raises(UserError, match=message) as error:
        ModelConfig(**values)
    assert "\n" not in str(error.value)


def test_a_list_in_a_file_is_refused_with_the_files_name(tmp_path):
    (tmp_path / "mine.yaml").write_text("model: {encoder: [i3d, movinet_a9]}\n")
    with pytest.raises(UserError, match=r"mine\.yaml: model\.encoder is .*did you mean 'movinet_a"):
        load_recipe(str(tmp_path / "mine.yaml"))


def test_nothing_of_several_is_trained():
    for values in ({}, {"weights": "none"}, {"head": "probe"}, {"trainable": "none"}):
        assert ModelConfig(encoder=BOTH, **values).layers_to_train == "none"
