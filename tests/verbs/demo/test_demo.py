import json

import pytest
from rich.console import Console
from tests.helpers.clips import tiny_recipe

from muybridge.recipes.store import load_recipe
from muybridge.verbs.demo.job import demo


def test_the_demo_runs_both_protocols_and_can_be_repeated(tmp_path):
    quiet = Console(stderr=True, quiet=True)
    recipe = tiny_recipe("--training.epochs", "1")
    result = demo(tmp_path / "demo", seed=0, console=quiet, recipe=recipe, clips_per_class=9)
    assert result.evaluations["grouped"].leak.startswith("0 of ")
    assert not result.evaluations["random"].leak.startswith("0 of ")
    assert all((run / "report.html").is_file() for run in result.runs.values())
    assert result.colours["grouped"] < 0.35 < result.colours["random"]
    assert result.prediction.path.parent.name == result.truth
    assert str(result.runs["grouped"]) in str(result)
    json.dumps(result.to_dict())
    again = demo(tmp_path / "demo", seed=0, console=quiet, recipe=recipe, clips_per_class=9)
    assert again.runs["grouped"].name == "grouped-2"
    assert again.evaluations["grouped"].top1 == result.evaluations["grouped"].top1


def test_the_demo_recipe_does_not_mirror_left_and_right():
    assert load_recipe("demo").augment.flip is False


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_folder_of_other_things_is_left_alone(tmp_path, kind, capsys):
    from muybridge import cli

    clips = tmp_path / "clips"
    if kind == "file":
        clips.write_text("mine")
    else:
        clips.mkdir()
        (clips / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit) as leave:
        cli.main(["demo", str(tmp_path)])
    assert leave.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
    assert clips.is_file() or (clips / "mine.txt").read_text() == "mine"
