"""Which recipe a training without --recipe takes."""

import pytest

from muybridge import api
from muybridge.errors import UserError
from muybridge.models.weights import published
from muybridge.recipes.store import parse_recipe
from muybridge.verbs.train.default_recipe import available_recipe


@pytest.fixture
def nothing_to_download(monkeypatch, tmp_path):
    """Publishers that do not answer, and an empty download cache."""
    monkeypatch.setattr(published, "SOURCES", dict.fromkeys(published.SOURCES, "http://127.0.0.1:9/"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("available", "recipe"),
    [
        (("movinet_a0", "mobilenet", "i3d", "alexnet"), "default"),
        (("mobilenet", "i3d", "alexnet"), "best"),
        (("mobilenet", "alexnet"), "mobilenet-bilstm"),
        (("alexnet",), "modern"),
    ],
)
def test_the_first_recipe_whose_weights_are_available(
    shared, nothing_to_download, monkeypatch, tmp_path, available, recipe
):
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in available:
        for path in (shared / "weights").glob(f"{name}*.safetensors"):
            (folder / path.name).symlink_to(path)
    monkeypatch.setenv("MUYBRIDGE_WEIGHTS", str(folder))
    notes = []
    values, name = available_recipe(notes.append)
    assert name == recipe
    encoder = parse_recipe(values, source=name).model.encoder
    assert (
        encoder
        == {"default": "movinet_a0", "best": "i3d", "mobilenet-bilstm": "mobilenet", "modern": "alexnet"}[recipe]
    )
    assert len(notes) == (recipe != "default")
    assert all(f"recipe {recipe}" in note and str(folder) in note and "cannot download" in note for note in notes)


def test_without_any_weights_the_error_is_that_of_the_default(nothing_to_download, monkeypatch, tmp_path, clips):
    monkeypatch.setenv("MUYBRIDGE_WEIGHTS", str(tmp_path))
    values, name = available_recipe(lambda note: None)
    with pytest.raises(UserError, match=r"cannot download .*modelA0_stream.*MUYBRIDGE_WEIGHTS"):
        api.train(clips, parse_recipe(values, source=name), run=tmp_path / "run")
    assert not (tmp_path / "run").exists()
