"""Reports of real run folders, by the command line."""

import json
import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
import torch
from rich.console import Console

from muybridge import cli
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.inference.predictions import ClipPrediction, Predictions
from muybridge.inference.recognizer import Recognizer
from muybridge.reporting.job import report
from muybridge.runs import RunFolder
from muybridge.schemas import read_json
from muybridge.verbs.ensemble.job import ensemble

QUIET = Console(quiet=True)


def text_of(file: Path) -> str:
    """The words of a page, without the pictures."""
    html = re.sub(r"<style>.*?</style>", "", file.read_text("utf-8"), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def say(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error (spaces folded) of ``muybridge report ...``."""
    code = 0
    try:
        cli.main(["report", *map(str, arguments)])
    except SystemExit as leave:
        code = int(str(leave.code))
    out, err = capsys.readouterr()
    return code, out, " ".join(err.split())


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the tiny run, to be changed."""
    return Path(shutil.copytree(tiny_run, tmp_path / "copy"))


def turn_predictions(run: Path, *, every: int) -> None:
    """Give every n-th test clip the scores of the other class."""
    path = run / "predictions.csv"
    before = Predictions.read_csv(path)
    turned = [
        ClipPrediction(c.clip_id, c.path, c.label, c.group, c.probabilities[:: -1 if n % every == 0 else 1])
        for n, c in enumerate(before.clips)
        if c.probabilities is not None
    ]
    Predictions(before.classes, tuple(turned)).write_csv(path)


def test_training_leaves_the_report_that_the_verb_makes_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = run / "report.html"
    assert text_of(page).startswith("tiny")
    code, out, _ = say(run, capsys=capsys)
    assert code == 0
    assert out == f"report: {page}\n"
    text = text_of(page)
    evaluation = read_json(run / "evaluation.json")
    assert f"{evaluation['top1']['correct']} of {evaluation['clips']} test clips" in text
    assert read_json(run / "leak.json") in text
    assert "model.width 0.25" in text
    assert f"muybridge train {read_json(run / 'environment.json')['clips']} --recipe {run / 'recipe.yaml'}" in text


def test_json_names_the_file(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "page.html"
    code, printed, _ = say(run, "--out", out, "--json", capsys=capsys)
    assert code == 0
    assert json.loads(printed) == {"report": str(out), "runs": [str(run)]}
    assert text_of(out).startswith("copy")


def test_several_runs_stand_side_by_side(
    tiny_run: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    turn_predictions(run, every=2)
    monkeypatch.chdir(tmp_path)
    code, out, _ = say(tiny_run, run, capsys=capsys)
    assert code == 0
    assert out == "report: report.html\n"
    text = text_of(tmp_path / "report.html")
    was, now = (Predictions.read_csv(folder / "predictions.csv").correct_N for folder in (tiny_run, run))
    assert f"{100 * (now.mean() - was.mean()):+.1f} points" in text
    assert f"{(now & ~was).sum()} repaired, {(was & ~now).sum()} broken" in text
    parameters = sum(p.numel() for p in Recognizer.load(tiny_run).net.parameters())
    assert f"{parameters:,}".replace(",", "\u202f") in (tmp_path / "report.html").read_text("utf-8")
    assert "4 uniform × 32 px" in text
    assert (tiny_run / "report.html").stat().st_mtime < (tmp_path / "report.html").stat().st_mtime


def test_runs_of_the_same_name_are_told_apart_by_their_paths(tiny_run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(tiny_run, tmp_path / "again" / tiny_run.name))
    file = report([tiny_run, other], out=tmp_path / "two.html", console=QUIET)
    assert {str(tiny_run), str(other)} <= set(text_of(file).split())


def test_an_ensemble_and_its_members_in_one_report(tiny_run: Path, run: Path, tmp_path: Path) -> None:
    other = Recognizer.load(run)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in other.net.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)
    other.save(run / "model")
    made = ensemble([tiny_run, run], rule="mean", run=tmp_path / "both", console=QUIET)
    text = text_of(RunFolder(made.run).report)
    assert "2 members, combined by average of probabilities" in text
    comparison = read_json(made.run / "comparison.json")
    assert comparison["gains"][comparison["best"]]["summary"] in text
    assert f"muybridge ensemble {tiny_run} {run} --rule mean" in text
    together = report([tiny_run, made.run], out=tmp_path / "all.html", console=QUIET)
    assert "ensemble average of probabilities" in text_of(together)

    (made.run / "ensemble.json").write_text('{"rule": "mean"}')
    with pytest.raises(UserError, match=r"both/ensemble\.json is damaged"):
        report([made.run], console=QUIET)


def test_clips_that_are_gone_are_named_and_cost_nothing_else(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turn_predictions(run, every=1)
    split = (run / "split.json").read_text("utf-8")
    root = json.loads(split)["root"]
    (run / "split.json").write_text(split.replace(json.dumps(root), json.dumps(str(tmp_path / "moved"))), "utf-8")
    code, _, err = say(run, capsys=capsys)
    assert code == 0
    assert "note: copy: none of its clips can be shown" in err
    assert "moved" in err
    text = text_of(run / "report.html")
    assert "Most confident mistakes" in text
    assert "the file is gone" in text


def break_split(run: Path) -> None:
    (run / "split.json").write_text("{}")


def break_predictions(run: Path) -> None:
    (run / "predictions.csv").write_text("clip,path\n")


def break_metrics(run: Path) -> None:
    (run / "metrics.csv").write_text("epoch,train_loss\n1,low\n")


def other_clips(run: Path) -> None:
    path = run / "predictions.csv"
    predictions = Predictions.read_csv(path)
    Predictions(predictions.classes, predictions.clips[1:]).write_csv(path)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (break_split, "split.json"),
        (break_predictions, "predictions.csv"),
        (break_metrics, "metrics.csv"),
        (other_clips, "predictions.csv is not about the run's test clips"),
        (lambda run: (run / "predictions.csv").unlink(), "predictions.csv is missing"),
        (lambda run: (run / "leak.json").write_text("{"), "leak.json"),
        (lambda run: (run / "environment.json").unlink(), "environment.json"),
        (lambda run: (run / "environment.json").write_text("[]"), "environment.json"),
        (lambda run: (run / "metrics.csv").write_text("epoch\n"), "metrics.csv"),
        (lambda run: (run / "recipe.yaml").write_text("training: 3"), "recipe.yaml"),
        (lambda run: (run / "recipe.yaml").unlink(), "is not a run"),
        (lambda run: (run / "model" / "model.safetensors").write_bytes(b"x"), "model.safetensors"),
        (lambda run: shutil.rmtree(run / "model"), "not finished"),
        (shutil.rmtree, "is not a run"),
    ],
)
def test_an_unreadable_run_is_one_line_that_names_run_and_file(
    tiny_run: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage, expected: str
) -> None:
    damage(run)
    out = tmp_path / "page.html"
    code, printed, err = say(tiny_run, run, "--out", out, capsys=capsys)
    assert (code, printed) == (2, "")
    assert err.startswith("error:")
    assert str(run) in err
    assert expected in err
    assert "Traceback" not in err
    assert not out.exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_runs_of_other_classes_are_refused(
    tiny_run: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split = Split.load(run / "split.json")
    clips = tuple(replace(clip, label=clip.label.replace("bright", "dark")) for clip in split.clips)
    replace(split, clips=clips).save(run / "split.json")
    for name in ("predictions.csv", "model/model.json"):
        text = (run / name).read_text("utf-8")
        changed = re.sub(r'(?<=[,:"])bright(?=[,"\r\n])', "dark", text)
        (run / name).write_text(re.sub(r',\s*"checksum": "\w+"', "", changed), "utf-8")  # the change is meant
    code, _, err = say(tiny_run, run, "--out", tmp_path / "page.html", capsys=capsys)
    assert code == 2
    assert "different classes" in err
    assert "only tiny knows bright" in err
    assert "only copy knows dark" in err
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("several", [False, True])
def test_a_file_that_is_no_report_is_left_alone(
    tiny_run: Path, run: Path, tmp_path: Path, several: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    thesis = tmp_path / "thesis.html"
    thesis.write_text("mine")
    code, _, err = say(run, *([tiny_run] if several else []), "--out", thesis, capsys=capsys)
    assert code == 2
    assert "thesis.html is not a report of muybridge" in err
    assert thesis.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["RUN", "RUN"], "named twice"), (["RUN", "--out", "."], "is a folder"), ([], "RUNS")],
)
def test_arguments_that_make_no_sense(
    run: Path, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = say(*[run if word == "RUN" else word for word in arguments], capsys=capsys)
    assert code == 2
    assert expected in err


def test_a_page_is_written_whole_or_not_at_all(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (run / "report.html").read_bytes()
    names = sorted(path.name for path in run.iterdir())

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match="disk full"):
        report([run], console=QUIET)
    assert (run / "report.html").read_bytes() == before
    assert sorted(path.name for path in run.iterdir()) == names
