import dataclasses
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest

from muybridge.errors import UserError
from muybridge.recipes.options import Options, option_values, recipe_with, section_keys, short_names
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import load_recipe, save_recipe


def test_type_checkers_know_every_option_there_is():
    fields = {field.name for field in dataclasses.fields(Recipe)}
    assert set(get_type_hints(Options)) == {*fields - {"name"}, "recipe_name", *short_names()}
    assert not fields & short_names().keys()


def test_options_are_those_of_the_flags():
    options = {"epochs": 2, "encoder": "i3d", "frames": 16, "size_px": 112, "batch_size": "auto", "seed": 3}
    options |= {"head": "bert", "protocol": "random", "learning_rate": 0.1 + 0.2, "weights": Path("none")}
    flags = ["--epochs", "2", "--encoder", "i3d", "--frames", "16", "--size-px", "112", "--batch-size", "auto"]
    flags += ["--seed", "3", "--head", "bert", "--protocol", "random"]
    flags += ["--learning-rate", "0.30000000000000004", "--weights", "none"]
    assert recipe_with("default", options, verb="train") == load_recipe("default", flags=flags)


def test_sections_hold_the_other_keys():
    recipe = recipe_with(
        "report-mobilenet",
        {"model": {"head_widths": (64, 32), "pooling": "mean"}, "training": {"patience": np.int64(4)}, "epochs": 7},
        verb="train",
    )
    named = load_recipe("report-mobilenet")
    model = dataclasses.replace(named.model, head_widths=(64, 32), pooling="mean")
    training = dataclasses.replace(named.training, patience=4, epochs=7)
    assert recipe == dataclasses.replace(named, model=model, training=training)


def test_a_recipe_a_name_and_a_file_are_one(tmp_path):
    options = {"data": {"classes": ["b", "a"]}, "seed": 1}
    by_name = recipe_with("light", options, verb="train")
    assert by_name.data.classes == ("b", "a")
    save_recipe(tmp_path / "light.yaml", load_recipe("light"))
    for recipe in (load_recipe("light"), tmp_path / "light.yaml", str(tmp_path / "light.yaml")):
        assert recipe_with(recipe, options, verb="train") == by_name
    assert recipe_with(by_name, {"data": {"classes": []}}, verb="train").data.classes == ()
    assert recipe_with(by_name, {"epochs": 3}, verb="train").data.classes == ("b", "a")
    assert recipe_with(by_name, {}, verb="train") is by_name


@pytest.mark.parametrize("section", section_keys())
def test_every_key_can_be_given(section):
    values = load_recipe("report-mobilenet").to_dict()[section]
    given = recipe_with(Recipe(), {section: values}, verb="train")
    assert getattr(given, section) == getattr(load_recipe("report-mobilenet"), section)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epoch": 2}, r"^train has no option epoch; did you mean 'epochs'\?$"),
        ({"Epochs": 2}, "did you mean 'epochs'"),
        ({"lr": 2}, "write learning_rate$"),
        ({"head_widths": 2}, r"write model={'head_widths': \.\.\.}$"),
        ({"head_width": 2}, r"write model={'head_widths': \.\.\.}$"),
        ({"model__head": "bert"}, "write head$"),
        ({"model__pooling": "max"}, r"write model={'pooling': \.\.\.}$"),
        ({"xyz": 2}, "choose from augment, batch_size"),
        ({"model": "bert"}, r"model is 'bert'; give a dictionary"),
        ({"model": {"hed": "bert"}}, "unknown key model.hed; did you mean 'head'"),
        ({"epochs": 2, "training": {"epochs": 2}}, "training.epochs is given twice"),
        ({"epochs": "two"}, "epochs.* the options of train"),
        ({"epochs": None}, "epochs.* the options of train"),
        ({"encoder": "resnet50"}, "the options of train.*say timm:resnet50"),
        ({"head": "berts"}, "the options of train.*bert"),
        ({"encoder": "densenet", "model": {"width": 0.5}}, "model.width is 0.5"),
    ],
    ids=str,
)
def test_a_wrong_option_names_the_right_one(options, message):
    with pytest.raises(UserError, match=message):
        recipe_with("default", options, verb="train")


def test_a_wrong_recipe(tmp_path):
    with pytest.raises(UserError, match="no recipe ligth"):
        recipe_with("ligth", {}, verb="train")
    with pytest.raises(UserError, match="recipe is a dict; give a Recipe"):
        recipe_with({"size_px": 3}, {}, verb="train")
    (tmp_path / "bad.yaml").write_text("training: {epochs: two}")
    with pytest.raises(UserError, match=r"epochs.*bad\.yaml"):
        recipe_with(tmp_path / "bad.yaml", {"seed": 1}, verb="train")


def test_short_names_and_sections_become_one_mapping():
    assert option_values({"epochs": 2, "training": {"patience": 1}, "recipe_name": "n"}, verb="train") == {
        "training": {"epochs": 2, "patience": 1},
        "name": "n",
    }
