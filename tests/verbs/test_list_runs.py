import json
import shutil
from pathlib import Path

import pytest
from tests.helpers.clips import tiny_recipe
from tests.helpers.commands import run

from muybridge import UserError, api
from muybridge.runs import RunFolder, chosen_folder, name_of


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("default", "i3d", "bilstm"), "default-i3d-bilstm"),
        (("report-alexnet", "alexnet", "bilstm"), "report-alexnet-bilstm"),
        (("r2plus1d-bert", "r2plus1d_34", "bert"), "r2plus1d-bert-r2plus1d_34"),
        (("mine", "timm:resnet18.a1_in1k", "mean"), "mine-timm-resnet18.a1_in1k-mean"),
        (("mine", "transformers:facebook/vjepa2", "mean"), "mine-transformers-facebook-vjepa2-mean"),
        (("../up", "small", "mean"), "up-small-mean"),
        (("smaller", "small", "mean"), "smaller-small-mean"),
        (("..", "/", ":"), "run"),
    ],
)
def test_names_tell_runs_apart_and_are_safe(parts, name):
    assert name_of(*parts) == name


def test_a_run_gets_the_first_free_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = name_of("default", "i3d", "bilstm")
    made = [RunFolder.create(None, name=name)[0].path.as_posix() for _ in range(2)]
    assert made == ["runs/default-i3d-bilstm-1", "runs/default-i3d-bilstm-2"]


def test_a_run_can_be_named():
    assert chosen_folder(None, None) is None
    assert chosen_folder("elsewhere/x", None) == Path("elsewhere/x")
    assert chosen_folder(None, "first try") == Path("runs/first try")
    for name in ("a/b", "a\\b", "..", ".", "", " ", "-x", "a\nb", "c:d"):
        with pytest.raises(UserError, match="no name for a run"):
            chosen_folder(None, name)
    with pytest.raises(UserError, match="give one of them"):
        chosen_folder("runs/x", "y")


@pytest.fixture(scope="module")
def folder(clips, tiny_run, tmp_path_factory) -> Path:
    """A training, an interrupted one, one that was killed early, an ensemble and a sweep. Not to be changed."""
    folder = tmp_path_factory.mktemp("listed") / "runs"
    shutil.copytree(tiny_run, folder / "one")
    killed = shutil.copytree(tiny_run, folder / "killed")
    shutil.rmtree(killed / "model")
    (killed / "evaluation.json").unlink()
    stopped = shutil.copytree(tiny_run, folder / "stopped")
    described = json.loads((stopped / "model" / "model.json").read_text())
    described["unfinished"] = "of an interrupted training: epoch 2, the best of 3; 4 were asked for"
    (stopped / "model" / "model.json").write_text(json.dumps(described))
    api.ensemble([folder / "one"], calibrate=True, run=folder / "both")
    over = ["training.learning_rate=1e-3,3e-3"]
    api.sweep(clips, tiny_recipe("--epochs", "1"), over=over, folder=folder / "sweeps" / "rates")
    (folder / "notes").mkdir()
    return folder


def test_runs_are_listed_with_what_they_are_worth(folder, tiny_run, clips, capsys):
    code, out, err = run("runs", folder, capsys=capsys)
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines()}
    measured = json.loads((tiny_run / "evaluation.json").read_text())
    top1, floors = measured["top1"], measured["floors"]
    assert " and ".join(f"{100 * floors[name]['value']:.1f} %" for name in ("majority", "colours")) in lines["one"]
    value = f"{100 * top1['correct'] / top1['clips']:.1f} %"
    assert value in lines["one"]
    assert f"{top1['correct']} of {top1['clips']}" in lines["one"]
    assert all(word in lines["one"] for word in ("clips", "tiny", "grouped"))
    assert "mean of one" in lines["both"]
    assert "sweep of 2, best trial-" in lines["sweeps/rates"]
    assert "on validation" in lines["sweeps/rates"]
    assert f"killed is unfinished: no model yet; go on with: muybridge train --resume {folder / 'killed'}" in out
    assert f"go on with: muybridge train --resume {folder / 'stopped'}" in out
    assert "trial-1 " not in out.replace("best trial-1 ", "")
    assert "next: muybridge report" in err


def test_the_newest_run_is_last_and_json_has_all(folder, tiny_run, clips, capsys):
    code, out, err = run("runs", folder, "--json", capsys=capsys)
    assert code == 0
    assert "next:" not in err
    runs = json.loads(out)["runs"]
    assert [one["name"] for one in runs[-2:]] == ["both", "sweeps/rates"]
    assert sorted(one["name"] for one in runs[:-2]) == ["killed", "one", "stopped"]
    by_name = {one["name"]: one for one in runs}
    one = by_name["one"]
    assert one["data"] == str(clips)
    assert one["size_bytes"] == sum(path.stat().st_size for path in (folder / "one").rglob("*") if path.is_file())
    low, high = one["accuracy"]["wilson_95"]
    assert low <= one["accuracy"]["value"] <= high
    assert one["accuracy"]["floors"] == json.loads((tiny_run / "evaluation.json").read_text())["floors"]
    assert by_name["stopped"]["accuracy"] is None
    assert by_name["sweeps/rates"]["accuracy"]["part"] == "validation"
    assert [by_name[name]["kind"] for name in ("one", "both", "sweeps/rates")] == ["training", "ensemble", "sweep"]


def test_a_damaged_run_hides_no_other(folder, tmp_path):
    copy = shutil.copytree(folder / "one", tmp_path / "runs" / "whole").parent
    broken = shutil.copytree(folder / "one", copy / "broken")
    (broken / "split.json").write_text("{")
    found = {one.name: one for one in api.list_runs(copy).runs}
    assert found["broken"].problem.startswith("damaged")
    assert found["whole"].problem == ""


def test_one_run_and_no_run_and_no_folder(folder, tmp_path, capsys):
    assert [one.name for one in api.list_runs(folder / "one").runs] == ["one"]
    code, out, _ = run("runs", folder / "notes", capsys=capsys)
    assert code == 0
    assert out == f"no runs in {folder / 'notes'}; make one with: muybridge train CLIPS\n"
    code, _, err = run("runs", tmp_path / "nowhere", capsys=capsys)
    assert code == 2
    assert "there is no folder" in err
