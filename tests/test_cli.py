import csv
import json
import re
import subprocess
import sys
import time

import pytest

from muybridge import cli
from muybridge.recipes.store import load_recipe, recipe_names
from tests.helpers.clips import TINY, write_clip
from tests.helpers.commands import run


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["trian", "x"], "train"),
        (["train"], "CLIPS"),
        (["train", "nowhere"], "nowhere"),
        (["train", "x", "--sampler.framse", "4"], "--sampler.frames"),
        (["train", "x", "--model.encoder", "mobilnet"], "mobilenet"),
        (["train", "x", "--training.epochs", "many"], "many"),
        (["train", "x", "--recipe", "nothing.yaml"], "nothing.yaml"),
        (["train", "--resume", "nowhere"], "nowhere"),
        (["train", "--resume", "nowhere", "--epochs", "9"], "leave the other options out"),
        (["evaluate", "nowhere"], "nowhere"),
        (["predict", "nowhere", "nothing.avi"], "nothing.avi"),
        (["check", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments, expected, capsys):
    code, out, err = run(*arguments, capsys=capsys)
    assert code == 2
    assert out == ""
    assert err.startswith("error:")
    assert expected in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sampler: {framse: 4}", "unknown key sampler.framse; did you mean"),
        ("sampler: 4", "section"),
        ("model: {encoder: resnet}", "resnet"),
        ("size_px: big", "big"),
        ("size_px: [1", "line"),
        ("- 1", "mapping"),
    ],
)
def test_bad_recipes_name_file_and_key(tmp_path, text, expected, capsys):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(text)
    code, _, err = run("train", tmp_path, "--recipe", recipe, capsys=capsys)
    assert code == 2
    assert "mine.yaml" in err
    assert expected in err


def test_predict_text_and_json(tiny_run, clips, tmp_path, capsys):
    code, out, _ = run("predict", tiny_run, clips / "dim", capsys=capsys)
    assert code == 0
    assert len(out.splitlines()) == 12
    assert re.search(r"\.avi  (dim|bright), [01]\.\d\d  (dim|bright), [01]\.\d\d$", out.splitlines()[0])
    code, out, _ = run("predict", tiny_run, f"{clips}/*/*g01_c01.avi", "--json", "--top", "1", capsys=capsys)
    found = json.loads(out)
    assert len(found) == 2
    assert len(found[0]["actions"]) == 1
    assert 0.5 <= found[0]["actions"][0]["score"] <= 1


def test_predict_goes_on_after_a_bad_file(tiny_run, tmp_path, capsys):
    write_clip(tmp_path / "good.avi", level=90, seed=5)
    (tmp_path / "bad.avi").write_bytes(b"")
    code, out, err = run("predict", tiny_run, tmp_path, capsys=capsys)
    assert code == 0
    assert "good.avi" in out
    assert "bad.avi" in err
    code, out, err = run("predict", tiny_run, tmp_path / "bad.avi", capsys=capsys)
    assert code == 2
    assert out == ""


def test_evaluate_prints_protocol_count_and_interval(tiny_run, tmp_path, capsys):
    code, out, _ = run("evaluate", tiny_run, "--out", tmp_path, capsys=capsys)
    assert code == 0
    assert re.search(r"top-1 [\d.]+ % \(\d+ of \d+ clips; protocol grouped; 95 %: Wilson", out)
    assert "0 of" in out
    code, out, _ = run("evaluate", tiny_run, "--out", tmp_path, "--json", capsys=capsys)
    assert json.loads(out)["top1"]["clips"] > 0


def test_views_crops_and_flip(tiny_run, clips, tmp_path, capsys):
    video = next((clips / "dim").iterdir())
    outs = []
    for flags in ([], ["--crops", "3"], ["--crops", "3", "--flip"], ["--views", "2", "--crops", "5"]):
        code, out, _ = run("predict", tiny_run, video, "--json", *flags, capsys=capsys)
        assert code == 0
        outs.append(out)
    assert len(set(outs)) == 4
    code, out, _ = run("evaluate", tiny_run, "--views", "2", "--crops", "3", "--flip", "--out", tmp_path, capsys=capsys)
    assert code == 0
    assert "2 views, 3 crops, mirrored too" in out
    for verb in (["predict", tiny_run, video], ["evaluate", tiny_run]):
        for flags, expected in ((["--views", "0"], "--views is 0"), (["--crops", "4"], "--crops")):
            code, _, err = run(*verb, *flags, capsys=capsys)
            assert code == 2
            assert expected in err


def test_check_reports_and_saves(clips, tmp_path, capsys):
    arguments = ("check", clips, "--out", tmp_path / "out", "--workers", "1")
    code, out, _ = run(*arguments, capsys=capsys)
    assert code == 0
    assert re.search(r"\b24 clips\b", out)
    with (tmp_path / "out" / "check.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["label"] for row in rows) == 12 * ["bright"] + 12 * ["dim"]
    assert {row["status"] for row in rows} == {"ok"}
    code, out, _ = run(*arguments, "--json", capsys=capsys)
    found = json.loads(out)
    assert found == json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert (found["clip_count"], found["bad"], found["damaged"]) == (24, [], [])


def test_help_needs_no_heavy_imports():
    heavy = {"torch", "cv2", "av", "lightning", "matplotlib", "optuna"}
    code = f"import sys; from muybridge import cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_training_loads_lightning_only_where_it_trains_in_epochs():
    code = "import sys; import muybridge.verbs.train.job; print('lightning' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


# What happens before the command has begun is Python's to answer, so it says when the command is past that.
SAYS_WHEN_IT_IMPORTS = """
import sys
from muybridge.__main__ import main

def say(event, values):
    if event == "import" and values[0] == "muybridge.cli":
        print("up", flush=True)

sys.addaudithook(say)
main()
"""


@pytest.mark.parametrize("after_seconds", [0.0, 0.3, 1.0])
def test_ctrl_c_has_no_traceback(clips, tmp_path, after_seconds):
    """While it imports, starts its workers or works: which of these depends on the machine."""
    process = subprocess.Popen(
        [sys.executable, "-c", SAYS_WHEN_IT_IMPORTS, "check", str(clips), "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "up\n"
    time.sleep(after_seconds)
    process.send_signal(2)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert "Traceback" not in errors


def test_profile_prints_where_the_time_goes_and_leaves_no_run(clips, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(json.dumps(TINY))
    code, out, _ = run("train", clips, "--recipe", "tiny.yaml", "--profile", "--json", capsys=capsys)
    assert code == 0
    found = json.loads(out)
    assert found["phases"]["encoder forward"]["ms"] > 0
    assert sum(phase["share"] for phase in found["phases"].values()) == pytest.approx(1)
    assert not (tmp_path / "runs").exists()
    code, _, err = run("train", clips, "--profile", "--run", "x", capsys=capsys)
    assert code == 2
    assert "makes or continues no run" in err


FROM_RECIPE = {"train": ["train", "my_clips"], "sweep": ["sweep", "--clips", "my_clips", "--over", "x=1"]}


@pytest.mark.parametrize("words", FROM_RECIPE.values(), ids=FROM_RECIPE.keys())
@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_on_the_command_line_is_the_whole_recipe(words, name):
    """A section with the name of a verb, such as cache, is not lost."""
    _, bound, _ = cli.app.parse_args([*words, "--recipe", name], exit_on_error=False, print_error=False)
    assert bound.arguments["experiment"] == load_recipe(name)
