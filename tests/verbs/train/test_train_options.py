"""`train` and `sweep` by keyword options, and the recipe that is taken where none is named."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from tests.helpers.clips import TINY, tiny_recipe

from muybridge import api
from muybridge.errors import UserError
from muybridge.recipes.store import load_recipe, read_values
from muybridge.runs import RunFolder
from muybridge.verbs.train import job


@pytest.fixture
def trained(monkeypatch):
    """The recipes that would be trained, by the order of the calls; nothing is."""
    recipes = []

    def prepare(divided, recipe, *, run, device, logger, console):
        recipes.append(recipe)
        return SimpleNamespace(folder=RunFolder(Path("nowhere")))

    monkeypatch.setattr(job, "prepare", prepare)
    monkeypatch.setattr(job, "complete", lambda experiment, *, curve, console: None)
    return recipes


def test_options_recipes_and_files_reach_the_training(trained, clips, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    expected = tiny_recipe("--epochs", "2", "--model.pooling", "max")
    for recipe in (tiny_recipe(), tmp_path / "tiny.yaml"):
        api.train(clips, recipe, epochs=2, model={"pooling": "max"})
        api.train(clips, recipe=recipe, epochs=2, model={"pooling": "max"})
    api.train(clips, "light")
    assert trained == [expected] * 4 + [load_recipe("light")]


def test_without_a_recipe_it_is_the_one_whose_weights_are_available(trained, clips, monkeypatch):
    asked = []
    monkeypatch.setattr(job, "available_recipe", lambda note: asked.append(note) or read_values("light"))
    api.train(clips, epochs=3)
    assert trained.pop() == load_recipe("light", flags=["--epochs", "3"])
    # As in the shell: who names the encoder or its weights has left nothing to choose.
    api.train(clips, encoder="i3d")
    api.train(clips, weights="none")
    api.train(clips, model={"encoder": "i3d"})
    i3d = load_recipe("default", flags=["--model.encoder", "i3d"])
    assert trained == [i3d, load_recipe("default", flags=["--weights", "none"]), i3d]
    assert len(asked) == 1
    # Neither wrong clips nor wrong options download anything.
    with pytest.raises(UserError):
        api.train(clips / "nowhere")
    with pytest.raises(UserError, match="did you mean 'epochs'"):
        api.train(clips, epoch=3)
    assert len(asked) == 1


def test_a_training_by_options_is_a_run_with_them(clips, tmp_path):
    result = api.train(clips, tiny_recipe(), run=tmp_path / "run", epochs=1, seed=5)
    kept = load_recipe(str(result.run / "recipe.yaml"))
    assert kept == tiny_recipe("--epochs", "1", "--seed", "5")
    assert len(result.rows) == 1


def test_a_wrong_option_makes_no_run(clips, tmp_path):
    for options in ({"lr": 0.1}, {"epochs": -1}, {"model": {"hed": "bert"}}):
        with pytest.raises(UserError):
            api.train(clips, tiny_recipe(), run=tmp_path / "run", **options)
        with pytest.raises(UserError):
            api.sweep(clips, tiny_recipe(), over=["training.seed=1,2"], folder=tmp_path / "run", **options)
        with pytest.raises(UserError):
            api.profile(clips, tiny_recipe(), **options)
    assert not (tmp_path / "run").exists()


def test_a_sweep_takes_options_and_names(clips, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    over = ["training.learning_rate=1e-3,1e-4"]
    result = api.sweep(clips, tmp_path / "tiny.yaml", over=over, folder=tmp_path / "sweep", epochs=1, trials=1)
    kept = load_recipe(str(result.folder / "trial-1" / "recipe.yaml"))
    assert (kept.training.epochs, kept.size_px) == (1, TINY["size_px"])
