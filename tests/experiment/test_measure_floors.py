"""Two answers that know no action stand beside every accuracy: the most frequent class, and the nearest colours."""

import json
from dataclasses import replace

import pytest
from rich.console import Console
from tests.helpers.clips import tiny_recipe, write_clip

from muybridge import api
from muybridge.dataset.catalog import Clip
from muybridge.evaluation.floors import Floor, Floors
from muybridge.experiment.measure_floors import each_of, summed
from muybridge.recipes.cache import CacheConfig
from muybridge.schemas import FloorsEntry, convert

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Dark and bright clips; what is called by its colour, and what is called by the other."""
    folder = tmp_path_factory.mktemp("colours")
    plan = {"dark0": 40, "dark1": 50, "dark2": 60, "bright0": 190, "bright1": 200, "bright2": 210}
    for number, (name, level) in enumerate(plan.items()):
        write_clip(folder / f"{name}.avi", level=level, seed=number, frames=6)
    return {name: Clip(folder / f"{name}.avi", name.rstrip("012"), f"g{name}", root=folder) for name in plan}


@pytest.fixture
def cache(tmp_path):
    return CacheConfig(folder=str(tmp_path / "cache"))


def test_the_nearest_colours_and_the_most_frequent_class_are_counted_on_the_test_clips(clips, cache):
    train = [clips["dark0"], clips["dark1"], clips["bright0"]]
    test = [clips["dark2"], clips["bright1"], replace(clips["bright2"], label="dark")]
    [floors] = each_of([(train, test)], cache=cache, console=QUIET)
    assert (floors.majority, floors.majority_class) == (Floor(2, 3), "dark")
    assert floors.colours == Floor(2, 3)
    assert str(floors) == "floors: 66.7 % (2 of 3) by always answering dark; 66.7 % (2 of 3) by the nearest colours"
    assert "always answering dark or the nearest colours" in (floors.not_beaten_by(2) or "")
    assert floors.not_beaten_by(3) is None
    assert Floors.of_values(convert(floors.to_dict(), FloorsEntry, where="it", hint="")) == floors


def test_folds_are_summed_and_an_undecodable_test_clip_is_wrong(clips, cache, tmp_path):
    (tmp_path / "broken.avi").write_bytes(b"RIFF0000AVI LIST")
    broken = Clip(tmp_path / "broken.avi", "bright", "b", root=tmp_path)
    parts = [
        ([clips["dark0"], clips["dark2"], clips["bright0"]], [clips["dark1"]]),
        ([clips["bright1"]], [clips["dark0"], broken]),
    ]
    first, second = each_of(parts, cache=cache, console=QUIET)
    assert (first.colours, second.colours) == (Floor(1, 1), Floor(0, 2))
    both = summed([first, second])
    assert (both.colours, both.majority, both.majority_class) == (Floor(1, 3), Floor(2, 3), "")
    assert "by the most frequent class" in str(both)


def test_a_clip_of_another_data_set_with_the_name_of_a_training_clip_is_looked_at_itself(clips, cache, tmp_path):
    write_clip(tmp_path / "dark0.avi", level=205, seed=9, frames=6)
    other = Clip(tmp_path / "dark0.avi", "bright", "o", root=tmp_path)
    [floors] = each_of([([clips["dark0"], clips["bright0"]], [other])], cache=cache, console=QUIET)
    assert floors.colours == Floor(1, 1)


def test_without_the_training_files_the_colours_are_said_to_be_missing(clips, cache, tmp_path):
    gone = Clip(tmp_path / "gone.avi", "dark", "g", root=tmp_path)
    [floors] = each_of([([gone], [clips["dark0"]])], cache=cache, console=QUIET)
    assert (floors.majority, floors.colours) == (Floor(1, 1), None)
    assert "no colours, 1 training file cannot be found" in str(floors)


def test_a_training_prints_saves_and_shows_them(tmp_path, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    for number in range(12):
        level, label = (60, "dim") if number % 2 else (200, "bright")
        write_clip(tmp_path / "clips" / label / f"c{number}.avi", level=level, seed=number, frames=6)
    run = tmp_path / "run"
    result = api.train(tmp_path / "clips", tiny_recipe("--training.epochs", "1"), run=run, console=QUIET)
    floors = result.evaluation.floors
    assert floors.colours == Floor(floors.colours.clips, floors.colours.clips)
    assert str(floors) in str(result)
    assert json.loads((run / "evaluation.json").read_text())["floors"] == floors.to_dict()
    page = (run / "report.html").read_text()
    assert str(floors)[1:] in page
    assert "Source groups are unknown" in page
    assert api.evaluate(run, console=QUIET).floors == floors
    model_alone = api.evaluate(run / "model", tmp_path / "clips", out=tmp_path / "out", console=QUIET)
    assert "nothing is known of its training clips" in "\n".join(model_alone.details())
