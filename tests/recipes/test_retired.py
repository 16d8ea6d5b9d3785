"""Old recipe files: what is gone is passed over where it was off, and named where it was on."""

import dataclasses
import shlex

import pytest
import yaml

from muybridge.errors import UserError
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.retired import COMPANIONS, OPTIONS, RECIPES
from muybridge.recipes.store import load_recipe, parse_recipe, recipe_names

# What a run of before wrote into its recipe.yaml, besides what is still there.
OFF = {
    "augment": {"zoom": 0.2, "randaugment": 0, "randaugment_magnitude": 9.0},
    "training": {"mixup": 0.0, "cutmix": 0.0, "ema": 0.0, "compile": False, "epochs": 3},
}
ON = {
    "augment.randaugment": 2,
    "training.mixup": 0.2,
    "training.cutmix": 1.0,
    "training.ema": 0.99,
    "training.compile": True,
}


def test_keys_that_were_off_are_passed_over_with_one_note(tmp_path, capsys):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(OFF))
    recipe = load_recipe(str(path))
    assert (recipe.augment.zoom, recipe.training.epochs) == (0.2, 3)
    [note] = capsys.readouterr().err.splitlines()
    assert note.startswith(f"note: {path}: ignored ")
    for key in (*OPTIONS, *COMPANIONS):
        assert key in note


@pytest.mark.parametrize("key", OPTIONS)
def test_a_key_that_was_on_is_named(key, capsys):
    section, _, name = key.partition(".")
    with pytest.raises(
        UserError, match=f"^mine.yaml: {key} is {ON[key]}, and muybridge has no .*; set it to"
    ) as caught:
        parse_recipe({section: {name: ON[key]}}, source="mine.yaml")
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().err == ""


def test_a_recipe_without_old_keys_leaves_no_note(capsys):
    assert parse_recipe(Recipe().to_dict(), source="x") == Recipe()
    assert capsys.readouterr().err == ""


def test_what_is_gone_is_gone():
    plain = Recipe().to_dict()
    for key in (*OPTIONS, *COMPANIONS):
        section, _, name = key.partition(".")
        assert name not in plain[section]
    assert not RECIPES.keys() & set(recipe_names())


@pytest.mark.parametrize("name", RECIPES)
def test_an_old_recipe_names_its_replacement(name, tmp_path):
    with pytest.raises(UserError, match=f"no recipe {name} any more; use recipe modern with ") as caught:
        load_recipe(name)
    assert "\n" not in str(caught.value)
    (tmp_path / "mine.yaml").write_text(f"base: {name}\n")
    with pytest.raises(UserError, match=f"mine.yaml: there is no recipe {name} any more"):
        load_recipe(str(tmp_path / "mine.yaml"))


# The files as they were, beside the flags that say the same now.
WERE = {
    "modern-alexnet": ({"model": {"encoder": "alexnet", "head_widths": [256, 128]}}, "--model.encoder alexnet"),
    "modern-densenet": ({"model": {"encoder": "densenet", "head_widths": [256, 128]}}, "--model.encoder densenet"),
    "modern-mobilenet": ({"model": {"head_widths": [256, 128], "trainable": "all"}}, "--model.trainable all"),
    "modern-mobilenet-small": ({"model": {"head_widths": [256, 128, 64]}}, "--model.head-widths 256 128 64"),
    "modern-dblstm": (
        {
            "sampler": {"kind": "sliding", "frames": 6, "stride": 6, "hop": 18, "jitter": 1, "windows": "all"},
            "model": {"head_widths": [256, 256]},
        },
        "--model.head-widths 256 256 --sampler.kind sliding --sampler.frames 6 --sampler.stride 6 --sampler.hop 18 "
        "--sampler.jitter 1 --sampler.windows all",
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_replacement_is_the_same_experiment(name):
    values, flags = WERE[name]
    for option in flags.removeprefix("--").split(" --"):
        key, *words = option.replace("-", "_").split(" ")
        written = f"[{', '.join(words)}]" if len(words) > 1 else words[0]
        key = key.removeprefix("sampler.")
        assert f"{key} {written}" in RECIPES[name] or f"{key}: {written}" in RECIPES[name]
    was = parse_recipe({"name": "modern", **values}, source="before")
    assert load_recipe("modern", flags=shlex.split(flags)) == dataclasses.replace(was, name="modern")


@pytest.mark.parametrize(("before", "now"), [(True, "layer"), (False, "none")])
def test_values_of_before_are_read_as_what_they_are_called_now(before, now, tmp_path, capsys):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"model": {"feature_norm": before}}))
    assert load_recipe(str(path)).model.feature_norm == now
    assert capsys.readouterr().err == ""
