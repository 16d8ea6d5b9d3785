import base64
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from muybridge.evaluation.evaluation import Evaluation, evaluate_predictions
from muybridge.evaluation.predictions import ClipPrediction, Predictions
from muybridge.evaluation.report import write_report

EVIL = "<script>alert(1)</script>"


class Reader(HTMLParser):
    """Collects what a browser would see: tags, text, addresses; and checks that tags are closed."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def evaluation(protocol: str, *, bad: bool = False) -> Evaluation:
    rng = np.random.default_rng(len(protocol))
    classes = ("draw", EVIL, "pour", "run", "sit", "walk")
    clips = []
    for index in range(60):
        values = rng.dirichlet(np.ones(6)) if index % 3 else np.eye(6)[index % 6]
        undecodable = bad and index == 4
        clips.append(
            ClipPrediction(
                clip_id=f"clip {index}",
                path=f"clips/{EVIL}/{index}.avi",
                label=classes[index % 6],
                group=f"g{index // 4}",
                probabilities=None if undecodable else values,
                error=f"no frame {EVIL}" if undecodable else None,
            )
        )
    return evaluate_predictions(Predictions(classes, tuple(clips)), protocol=protocol, leak=f"leak of {protocol}")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "report.html"
    write_report(
        path,
        title=f"run {EVIL} caf\udce9",
        evaluations=[evaluation("grouped", bad=True), evaluation("random")],
        metrics_rows=[{"epoch": 0, "train_loss": 1.0, "validation_accuracy": 0.5, "learning_rate": 0.1}],
        recipe={"model": {"encoder": "mobilenetv1", "lstm": [256, 128]}, "seed": 0, "empty": {}},
        split_notes=["60 clips, hash abc", EVIL],
        environment={"python": "3.11", "cpu": {"cores": 2}},
        command="muybridge train clips --recipe 'a & b.yaml'",
    )
    return path


@pytest.fixture(scope="module")
def seen(report: Path) -> Reader:
    reader = Reader()
    reader.feed(report.read_text("utf-8"))
    reader.close()
    assert reader.open == []
    return reader


def test_the_file_stands_alone(report: Path, seen: Reader) -> None:
    assert "script" not in seen.tags
    assert "link" not in seen.tags
    assert all(address.startswith("data:image/svg+xml;base64,") for address in seen.addresses)
    assert len(seen.addresses) == 1 + 2 * 3  # curves; confusion, classes, calibration of two evaluations
    for address in seen.addresses:
        picture = base64.b64decode(address.split(",", 1)[1]).decode("utf-8")
        assert picture.rstrip().endswith("</svg>")
        assert not re.search(r'(href|src)="(?!#|data:)', picture)
    html = report.read_text("utf-8")
    assert "@import" not in html
    assert "url(" not in html
    assert list(report.parent.iterdir()) == [report]


def test_what_users_name_cannot_become_markup(report: Path, seen: Reader) -> None:
    assert EVIL not in report.read_text("utf-8")
    assert EVIL in seen.text


def test_the_reader_finds_what_the_run_was(seen: Reader) -> None:
    first = evaluation("grouped", bad=True)
    for expected in (
        f"{100 * first.top1.value:.1f} %",
        f"{first.top1.correct} of 60 test clips",
        "(15 groups), too narrow with so few groups",
        "leak of grouped",
        "leak of random",
        "1 clip could not be decoded and count",
        "model.encoder",
        "mobilenetv1",
        "[256, 128]",
        "cpu.cores",
        "60 clips, hash abc",
        "muybridge train clips --recipe 'a & b.yaml'",
        first.mistakes[0].path,
        f"{100 * first.mistakes[0].score:.1f} %",
        "clips/<script>alert(1)</script>/4.avi",
        r"caf\udce9",
    ):
        assert expected in seen.text
    assert f"20 of {len(first.mistakes)} mistakes" in seen.text


def test_a_perfect_run_without_curves_has_a_report_too(tmp_path: Path) -> None:
    clips = tuple(ClipPrediction(str(index), "x.avi", "a", None, np.array([1.0, 0.0])) for index in range(3))
    perfect = evaluate_predictions(Predictions(("a", "b"), clips), protocol="folder", leak=None)
    path = tmp_path / "report.html"
    write_report(
        path,
        title="perfect",
        evaluations=[perfect],
        metrics_rows=[],
        recipe={},
        split_notes=[],
        environment={},
        command="",
    )
    html = path.read_text("utf-8")
    assert "100.0 %" in html
    assert "Most confident mistakes" not in html
    assert "Training" not in html


def test_a_report_needs_an_evaluation(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one evaluation"):
        write_report(
            tmp_path / "report.html",
            title="",
            evaluations=[],
            metrics_rows=[],
            recipe={},
            split_notes=[],
            environment={},
            command="",
        )


def test_measuring_loads_neither_torch_nor_matplotlib_nor_jinja() -> None:
    code = (
        "import sys, muybridge.evaluation.artefacts, muybridge.evaluation.report;"
        "print([name for name in ('torch', 'cv2', 'av', 'matplotlib', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
