import dataclasses

import pytest

from muybridge.errors import UserError
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import load_recipe
from muybridge.verbs.sweep.space import Choice, Range, flatten, label, parse_space, with_values


@pytest.mark.parametrize(
    ("over", "values"),
    [
        ("training.learning_rate=1e-4,0.001, 1e-2", {"0.0001": 1e-4, "0.001": 1e-3, "0.01": 1e-2}),
        ("size_px=64,128", {"64": 64, "128": 128}),
        ("augment.flip=true,false", {"true": True, "false": False}),
        ("model.encoder=mobilenet,densenet", {"mobilenet": "mobilenet", "densenet": "densenet"}),
        ("model.trainable=none,last-15,all", {"none": "none", "last-15": "last-15", "all": "all"}),
        ("model.head_widths=[256,128],[256]", {"[256, 128]": (256, 128), "[256]": (256,)}),
        ("model.dense_widths=[],[1024]", {"[]": (), "[1024]": (1024,)}),
        ("model.weights=../a.pth,'b, c.pth'", {"../a.pth": "../a.pth", "b, c.pth": "b, c.pth"}),
    ],
)
def test_choices(over, values):
    (option,) = parse_space([over], Recipe()).options
    assert isinstance(option, Choice)
    assert option.key == over.partition("=")[0]
    assert option.values == values
    assert [type(value) for value in option.values.values()] == [type(value) for value in values.values()]


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ("training.learning_rate=1e-4..1e-2", (1e-4, 1e-2, True, False)),
        ("model.dropout=0.1..0.5", (0.1, 0.5, False, False)),
        ("model.dropout=0..0.5", (0.0, 0.5, False, False)),
        ("model.dropout=.05..0.5", (0.05, 0.5, True, False)),
        ("model.dropout=linear:0.05..0.5", (0.05, 0.5, False, False)),
        ("augment.rotation_degrees=log:5..15", (5.0, 15.0, True, False)),
        ("sampler.frames=4..8", (4, 8, False, True)),
        ("training.batch_size=2..32", (2, 32, True, True)),
    ],
)
def test_ranges(over, expected):
    (option,) = parse_space([over], Recipe()).options
    assert isinstance(option, Range)
    assert (option.low, option.high, option.log, option.whole) == expected


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ([], "sweep.over"),
        (["model.l2"], "KEY=VALUES"),
        (["model.l2="], "KEY=VALUES"),
        (["model.dropuot=0.1,0.2"], "did you mean 'dropout'"),
        (["modle.dropout=0.1,0.2"], "did you mean 'model'"),
        (["model=small,big"], "section"),
        (["model.encoder=mobilenet,densnet"], "densenet"),
        (["training.epochs=3,many"], "many"),
        (["training.epochs=3..many"], "many"),
        (["training.epochs=-3..3"], "epochs"),
        (["training.label_smoothing=0..1"], "label_smoothing"),
        (["model.dropout=0.1,1.5"], "1.5"),
        (["sampler.jitter=2,3"], "odd"),
        (["model.dropout=0.5"], "with model.dropout 0.5"),
        (["model.dropout=0.5,0.50"], "twice"),
        (["model.dropout=0.1,0.2", "model.dropout=0.3,0.4"], "twice"),
        (["model.dropout=0.5..0.1"], "low"),
        (["model.dropout=log:0..0.5"], "above 0"),
        (["model.encoder=1..3"], "encoder"),
        (["augment.flip=0..1"], "not a number"),
        (["model.head_widths=[1,2"], "brackets"),
        (["data.split_seed=0,1"], "other clips"),
        (["name=a,b"], "does not change"),
        (["cache.format=raw,jpeg"], "does not change"),
        (["training.monitor=loss,accuracy"], "compared by"),
        (["model.l2=0.1,0.2"], "dense_widths"),
    ],
)
def test_bad_values_are_named_in_one_line(over, expected):
    with pytest.raises(UserError, match=expected) as caught:
        parse_space(over, Recipe())
    assert "\n" not in str(caught.value)


def test_a_recipe_that_keeps_the_last_epoch_has_no_figure_to_compare():
    base = dataclasses.replace(Recipe(), training=dataclasses.replace(Recipe().training, monitor="last", patience=0))
    with pytest.raises(UserError, match=r"training.monitor last .* say loss or accuracy"):
        parse_space(["model.dropout=0.1,0.2"], base)


def test_the_reports_sweep_over_l2():
    space = parse_space(["model.l2=1e-4,1e-3,1e-2"], load_recipe("report-mobilenet"))
    fitting, left_out = space.combinations()
    assert [space.recipe(values).model.l2 for values in fitting] == [1e-4, 1e-3, 1e-2]
    assert left_out == []


def test_combinations_that_contradict_are_left_out_and_named():
    space = parse_space(["model.l2=0,0.1", "model.dense_widths=[],[8]", "augment.flip=true,false"], Recipe())
    fitting, left_out = space.combinations()
    pairs = [(values["model.l2"], values["model.dense_widths"]) for values in fitting]
    assert sorted(pairs) == sorted(2 * [("0", "[]"), ("0", "[8]"), ("0.1", "[8]")])
    assert len(left_out) == 2
    assert all("model.l2 = 0.1, model.dense_widths = []" in line for line in left_out)


def test_a_recipe_of_values_changes_these_and_nothing_else():
    base = Recipe(name="mine")
    space = parse_space(["model.head_widths=[8],[4,2]", "model.dropout=0.1..0.3", "size_px=32,64"], base)
    recipe = space.recipe({"model.head_widths": "[4, 2]", "model.dropout": 0.25, "size_px": "64"})
    changed = {key for key, value in flatten(recipe).items() if value != flatten(base)[key]}
    assert changed == {"model.head_widths", "model.dropout", "size_px"}
    assert (recipe.model.head_widths, recipe.model.dropout, recipe.size_px) == ((4, 2), 0.25, 64)


def test_every_option_has_its_key():
    sections = [field.name for field in dataclasses.fields(Recipe)]
    flat = flatten(Recipe())
    assert {key.partition(".")[0] for key in flat} == set(sections)
    assert with_values(Recipe(), flat) == Recipe()


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (1e-5, "1e-05"), (0.1, "0.1"), (1 / 3, repr(1 / 3)), ((), "[]"), ((2, 1), "[2, 1]"), ("a", "a")],
)
def test_labels_are_as_in_a_recipe(value, text):
    assert label(value) == text
