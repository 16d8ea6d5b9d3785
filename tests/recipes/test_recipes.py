import dataclasses

import pytest

from muybridge.errors import UserError
from muybridge.recipes.data import DataConfig
from muybridge.recipes.frames import SamplerConfig
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import load_recipe, parse_recipe, recipe_names, save_recipe
from muybridge.recipes.training import TrainingConfig
from muybridge.video.sampling import DenseSampler, EverySampler, SlidingSampler, UniformSampler


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_loads_builds_and_says_its_name(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    recipe.sampler.build()


def test_the_reports_settings():
    main, small = load_recipe("report-mobilenet"), load_recipe("report-mobilenet-small")
    assert main.sampler.build() == UniformSampler(frames=5, rule="paper")
    assert (main.model.trainable, main.model.head_widths, main.model.l2) == ("all", (256, 128), 0.001)
    assert (small.model.trainable, small.model.head_widths, small.model.l2) == ("last-15", (256, 128, 64), 0)
    for recipe in (main, small):
        assert recipe.data.protocol == "random"
        assert recipe.model.scaling == "unit"
        assert recipe.model.feature_norm == "none"
        assert recipe.training.patience == 30
        augment = recipe.augment
        assert (augment.zoom, augment.flip, augment.rotation_degrees, augment.shift) == (0.1, True, 20, 0.2)


def test_a_recipe_can_be_based_on_another(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nbase: report-mobilenet\nmodel: {l2: 0.01}\n")
    recipe, base = load_recipe(str(path)), load_recipe("report-mobilenet")
    assert recipe == dataclasses.replace(base, name="mine", model=dataclasses.replace(base.model, l2=0.01))


def test_an_unknown_base_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: report-mobilenets\n")
    with pytest.raises(UserError, match="did you mean 'report-mobilenet'"):
        load_recipe(str(path))


def test_ullahs_settings():
    recipe = load_recipe("ullah-dblstm")
    assert recipe.sampler.build() == SlidingSampler(frames=6, stride=6, hop=36, policy="wrap")
    assert (recipe.sampler.windows, recipe.sampler.combine) == ("all", "vote")
    model = recipe.model
    assert (model.encoder, model.encoder_output, model.trainable) == ("alexnet", "logits", "none")


def test_kalfaoglus_settings():
    recipe = load_recipe("r2plus1d-bert")
    assert recipe.sampler.build() == DenseSampler(frames=32, stride=1, policy="wrap")
    model, training = recipe.model, recipe.training
    assert (recipe.size_px, model.encoder, model.weights, model.trainable) == (112, "r2plus1d_34", "ig65m", "all")
    assert (model.head, model.bert_layers, model.bert_heads, model.bert_feed_forward) == ("bert", 1, 8, 2048)
    assert (model.bert_dropout, model.bert_keep, model.dropout, model.dense_widths) == (0.1, 0.8, 0.8, ())
    assert (training.optimizer, training.learning_rate, training.weight_decay) == ("adamw", 1e-5, 1e-3)
    assert (training.encoder_rate, training.head_epochs, training.label_smoothing) == (1, 0, 0)


def test_modern_is_the_structure_alone():
    recipe = load_recipe("modern")
    assert dataclasses.replace(recipe, name="custom", model=Recipe().model) == Recipe()
    assert recipe.model == dataclasses.replace(Recipe().model, head_widths=(256, 128))


def test_a_recipe_survives_yaml(tmp_path):
    recipe = Recipe(
        name="mine",
        data=DataConfig(classes=("a b", "ü"), test_groups=("g01",)),
        training=TrainingConfig(class_weights=True, learning_rate=3e-5),
    )
    save_recipe(tmp_path / "r.yaml", recipe)
    assert load_recipe(str(tmp_path / "r.yaml")) == recipe


def test_the_file_is_complete(tmp_path):
    save_recipe(tmp_path / "r.yaml", Recipe())
    text = (tmp_path / "r.yaml").read_text()
    for section in dataclasses.fields(Recipe):
        assert f"{section.name}:" in text
    for section in ("data", "sampler", "augment", "model", "training", "cache"):
        for option in dataclasses.fields(getattr(Recipe(), section)):
            assert f"  {option.name}:" in text


def test_flags_go_before_the_file():
    values = {"sampler": {"frames": 5, "kind": "dense"}, "model": {"head_widths": [3]}}
    recipe = parse_recipe(values, source="x", flags=["--sampler.frames", "7", "--model.head-widths", "4", "5"])
    assert recipe.sampler.frames == 7
    assert recipe.sampler.kind == "dense"
    assert recipe.model.head_widths == (4, 5)


def test_short_names_of_flags():
    flags = [
        "--frames",
        "3",
        "--protocol",
        "random",
        "--size-px",
        "64",
        "--weights",
        "none",
        "--epochs",
        "2",
        "--seed",
        "9",
    ]
    recipe = parse_recipe({}, source="x", flags=flags)
    assert (recipe.sampler.frames, recipe.data.protocol, recipe.size_px) == (3, "random", 64)
    assert (recipe.model.weights, recipe.training.epochs, recipe.training.seed) == ("none", 2, 9)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"sise_px": 3}, "did you mean .size_px"),
        ({"training": {"epoch": 3}}, "epochs"),
        ({"training": {"epochs": "many"}}, "many"),
        ({"training": {"epochs": -1}}, "epochs"),
        ({"training": {"learning_rate": -1}}, "learning_rate"),
        ({"augment": {"flip": "perhaps"}}, "perhaps"),
        ({"model": {"trainable": "first-3"}}, "first-3"),
        ({"cache": {"format": "png"}}, "png"),
        ({"model": {"l2": 0.1}}, "dense_widths"),
        ({"model": {"dense_widths": [8], "l1_bias": -0.1}}, "l1_bias"),
        ({"data": {"protocol": "official-4"}}, "official-4"),
    ],
)
def test_bad_values_are_named(values, expected):
    with pytest.raises(UserError, match=expected) as caught:
        parse_recipe(values, source="mine.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "sampler"),
    [
        (SamplerConfig(frames=5), UniformSampler(frames=5)),
        (
            SamplerConfig(kind="every", every=4, frames=0, policy="shorter"),
            EverySampler(every=4, policy="shorter"),
        ),
        (SamplerConfig(kind="dense", frames=9, stride=2), DenseSampler(frames=9, stride=2)),
        (
            SamplerConfig(kind="sliding", frames=6, stride=6, hop=36),
            SlidingSampler(frames=6, stride=6, hop=36),
        ),
    ],
)
def test_samplers_of_recipes(config, sampler):
    assert config.build() == sampler


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"jitter": 2}, "sampler.jitter is 2; give an odd number"),
        ({"jitter": 0}, "sampler.jitter is 0"),
        ({"rule": "paper"}, "set sampler.jitter to 1"),
        ({"rule": "report", "jitter": 1}, "sampler.rule is 'report'; choose from even, paper"),
        ({"rule": "paper", "jitter": 1, "frames": 1}, "sampler.frames is 1; give a whole number of 2 or more"),
        ({"frames": 0}, "sampler.frames is 0; give a whole number of 1 or more"),
        ({"kind": "every", "every": 0}, "sampler.every is 0"),
        ({"kind": "dense", "stride": 0}, "sampler.stride is 0"),
        ({"kind": "sliding", "hop": 0}, "sampler.hop is 0"),
        ({"kind": "slding"}, "did you mean 'sliding'"),
        ({"policy": "wrapp"}, "did you mean 'wrap'"),
        ({"windows": "all", "jitter": 1}, "sampler.windows all"),
        ({"kind": "sliding", "windows": "all"}, "sampler.windows all"),
    ],
)
def test_a_sampler_that_makes_no_sense_is_refused_when_it_is_made(values, message):
    with pytest.raises(UserError, match=message):
        SamplerConfig(**values)


def test_a_fit_that_is_none_is_refused():
    with pytest.raises(UserError, match="fit is 'crp'; did you mean 'crop'"):
        Recipe(fit="crp")


def test_options_and_samplers_have_the_same_fields():
    known = {field.name for field in dataclasses.fields(SamplerConfig)}
    for sampler in (UniformSampler, EverySampler, DenseSampler, SlidingSampler):
        assert {field.name for field in dataclasses.fields(sampler)} <= known


def test_older_words_of_a_sampler_still_load(tmp_path):
    old = tmp_path / "old.yaml"
    old.write_text("base: ullah-dblstm\nsampler: {kind: every, short: shorter, windows: one, rule: report}\n")
    sampler = load_recipe(str(old)).sampler
    assert (sampler.kind, sampler.policy, sampler.rule) == ("every", "shorter", "paper")
