"""The verbs on a single file, and what they say where a data set asks a question or contradicts itself."""

import json
import shutil
from pathlib import Path

import pytest
from tests.helpers.clips import tiny_recipe
from tests.helpers.commands import run

from muybridge import api
from muybridge.dataset.contradictions import CONTRADICTION
from muybridge.runs import RunFolder


@pytest.fixture
def one(clips: Path) -> Path:
    """One clip of the tiny run's data set, in its class folder."""
    return sorted(clips.glob("*/*.*"))[0]


def test_check_of_one_file_says_what_it_holds(one: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run("check", one, "--out", tmp_path / "out", capsys=capsys)
    assert code == 0
    assert out.splitlines()[0] == f"{one}: decodes"
    assert "frames" in out.splitlines()[1]
    assert "protocols" not in out
    assert err == f"next: muybridge predict RUN {one}"
    report = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert (report["layout"], report["clip_count"]) == ("file", 1)


def test_check_of_one_file_that_does_not_decode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video")
    code, out, _ = run("check", bad, "--out", tmp_path / "out", capsys=capsys)
    assert code == 0
    assert out.splitlines()[0] == f"{bad}: does not decode"
    assert out.splitlines()[1].startswith("problem: ")


def test_predict_and_evaluate_one_file(tiny_run: Path, one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("predict", tiny_run, one, capsys=capsys)
    assert code == 0
    assert out.count("\n") == 1
    run_copy = tiny_run
    code, out, _ = run("evaluate", run_copy, one, "--out", one.parent.parent.parent / "evaluated", capsys=capsys)
    assert code == 0
    assert f"of 1 clips; protocol the file {one.name};" in out
    assert any(line.startswith(("right: ", "wrong: ")) for line in out.splitlines())
    assert f"whose label is the name of its folder, {one.parent.name}" in out


def test_train_on_one_file_is_refused(one: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("train", one, "--run", tmp_path / "run", "--recipe", "light", capsys=capsys)
    assert code == 2
    assert f"{one} is one video; to train, give a folder" in err
    assert not (tmp_path / "run").exists()


def test_labels_that_look_alike_are_asked_about_by_train_and_reported_by_check(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(clips, data)
    label = sorted(path.name for path in data.iterdir() if path.is_dir())[0]
    (data / label.upper()).mkdir()
    for clip in sorted((data / label).iterdir())[:2]:
        shutil.move(clip, data / label.upper() / clip.name)
    code, _, err = run("train", data, "--run", tmp_path / "run", "--recipe", "light", capsys=capsys)
    assert code == 2
    assert f"'{label.upper()}' (2), '{label}' (10)" in err
    assert "set --data.alike-labels join to" in err
    code, out, _ = run("check", data, "--out", tmp_path / "out", capsys=capsys)
    assert code == 0
    assert "WARNING, labels look alike: 1;" in out
    report = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert report["alike_labels"] == [[label.upper(), label]]


def test_a_contradiction_is_said_in_the_terminal_the_page_and_the_json(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(clips, data)
    first, second = sorted(path for path in data.iterdir() if path.is_dir())
    twin = sorted(first.iterdir())[0]
    shutil.copy(twin, second / f"twin{twin.suffix}")
    (second / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    result = api.train(data, tiny_recipe(), run=tmp_path / "run")
    said = f"{CONTRADICTION}{first.name}/{twin.name} is {first.name}, {second.name}/twin{twin.suffix} is {second.name}"
    assert said in capsys.readouterr().err
    folder = RunFolder(tmp_path / "run")
    assert said in folder.report.read_text(encoding="utf-8")
    assert any(note.startswith(said) for note in json.loads(folder.split.read_text(encoding="utf-8"))["notes"])
    assert result.evaluation is not None
    assert any(note.startswith(said) for note in result.evaluation.to_dict()["notes"])
    code, out, _ = run("check", data, "--out", tmp_path / "out", capsys=capsys)
    assert code == 0
    assert "WARNING, the same bytes under different labels: 1" in out
    assert len(json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))["contradictions"]) == 1
    assert f"{second.name}/gone.mp4: no such file" in out
