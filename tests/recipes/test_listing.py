"""The list of recipes, and the YAML that explains itself."""

import dataclasses
import json

import pytest
from benchmarks.cost import measure_cost
from tests.helpers.commands import run

import muybridge
from muybridge.evaluation.intervals import wilson
from muybridge.models.network import build
from muybridge.recipes.commented import commented_yaml
from muybridge.recipes.listing import describe_recipe, describe_recipes, list_recipes
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import load_recipe, recipe_names


def test_every_recipe_is_listed_in_one_line_with_cost_and_accuracy():
    infos = muybridge.list_recipes()
    assert sorted(info.name for info in infos) == recipe_names()
    assert infos[0].name == "default"
    lines = describe_recipes().splitlines()
    assert max(map(len, lines)) <= 80
    by_name = {line.split()[0]: line for line in lines[1 : len(infos) + 1]}
    words = by_name["mobilenet-bilstm"].split(maxsplit=1)[1]
    assert " ".join(words.split()) == "94.2 % (90-97), 189 grouped 6.7 mobilenet+bilstm"
    assert "not measured" in by_name["ullah-dblstm"]


@pytest.mark.parametrize("info", list_recipes(), ids=lambda info: info.name)
def test_what_is_said_of_a_recipe_is_so(info):
    recipe = load_recipe(info.name)
    assert (info.encoder, info.head) == (recipe.model.encoder, recipe.model.head)
    for measured in info.measured:
        interval = wilson(measured.correct, measured.clips)
        assert measured.interval == pytest.approx((interval.low, interval.high), abs=6e-4)
        assert measured.command.startswith("muybridge ")
    places = [(measured.data.startswith("J-HMDB"), measured.protocol) for measured in info.measured]
    assert places == sorted(places)  # of each data set grouped before random


@pytest.mark.parametrize("name", ["default", "best", "light", "timeline", "i3d-bert", "demo", "report-mobilenet-small"])
def test_the_cost_is_that_of_the_network(name):
    (info,) = (info for info in list_recipes() if info.name == name)
    recipe = load_recipe(name)
    cost = measure_cost(
        build(recipe.model, 10, weights="none"), frame_count=recipe.sampler.frames, size_px=recipe.size_px
    )
    assert 2 * cost.macs_per_clip / 1e9 == pytest.approx(info.gflops, abs=0.06)
    assert cost.parameters / 1e6 == pytest.approx(info.million_parameters, abs=0.06)


@pytest.mark.parametrize("name", recipe_names())
def test_the_explained_yaml_is_the_recipe(name, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(describe_recipe(name), encoding="utf-8")
    assert load_recipe(str(path)) == load_recipe(name)


def test_every_key_is_explained_and_any_value_survives(tmp_path):
    recipe = Recipe(name="on: # 1", data=muybridge.DataConfig(classes=("a, b", "yes", "ü", "1"), lists="C:\\x: y"))
    text = commented_yaml(recipe)
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_recipe(str(path)) == recipe
    lines = text.splitlines()
    keys = [number for number, line in enumerate(lines) if line.strip() and not line.strip().startswith("#")]
    assert len(keys) == sum(
        1 + len(dataclasses.fields(value)) if dataclasses.is_dataclass(value := getattr(recipe, field.name)) else 1
        for field in dataclasses.fields(recipe)
    )
    for number in keys:
        assert lines[number - 1].strip().startswith("# "), lines[number]


def test_the_verb_prints_the_same(tmp_path, capsys):
    code, out, _ = run("recipes", capsys=capsys)
    assert (code, out.rstrip("\n")) == (0, describe_recipes())
    code, out, _ = run("recipes", "best", capsys=capsys)
    assert (code, out) == (0, describe_recipe("best"))
    code, out, _ = run("recipes", "--json", capsys=capsys)
    assert {row["name"]: row["gflops"] for row in json.loads(out)}["i3d-bert"] == 222.3
    code, out, _ = run("recipes", "best", "--json", capsys=capsys)
    assert json.loads(out) == load_recipe("best").to_dict()
    code, _, err = run("recipes", "bset", capsys=capsys)
    assert code == 2
    assert "did you mean 'best'" in err
