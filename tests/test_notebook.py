from html.parser import HTMLParser
from pathlib import Path

import pytest

from muybridge import Prediction, TrainResult, notebook
from muybridge.evaluation.comparison import compare
from muybridge.inference.combining import Combination
from muybridge.inference.engines.exports import Export, Latency, Parity
from muybridge.verbs.check import check
from muybridge.verbs.ensemble.result import EnsembleResult, MemberResult, ValidationFigures
from muybridge.verbs.export.result import ExportResult
from muybridge.verbs.sweep.results import SweepResult, SweepTrial
from tests.helpers.reports import EVIL, measured, some_clips


class Page(HTMLParser):
    """The text and the tags of a page; every tag must be closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def __contains__(self, text: str) -> bool:
        return text in " ".join(self.text)


def predicted(tmp_path) -> Prediction:
    return Prediction(Path(f"{EVIL}.avi"), ((EVIL, 0.7), ("walk", 0.2), ("run", 0.1)))


def failed(tmp_path) -> Prediction:
    return Prediction(Path("bad.avi"), (), error=f"no frame {EVIL}")


def evaluated(tmp_path):
    return measured(some_clips(Path("clips")), wrong={1, 5, 7}, bad=5).evaluation


def trained(tmp_path) -> TrainResult:
    return TrainResult(Path(f"runs/{EVIL}"), evaluated(tmp_path), [{"epoch": 1}])


def checked(tmp_path):
    for label in ("a", "b & c"):
        (tmp_path / label).mkdir()
        for number in range(3):
            (tmp_path / label / f"<b>{number}.avi").write_bytes(b"nothing")
    return check(tmp_path, out=tmp_path / "out", workers=1)


def combined(tmp_path) -> EnsembleResult:
    clips = some_clips(Path("clips"))
    before, after = measured(clips, wrong={1, 5, 7}), measured(clips, wrong={1})
    figures = ValidationFigures(clips=10, correct=8, negative_log_likelihood=0.5)
    gain = compare(before.predictions, after.predictions)
    members = tuple(
        MemberResult(name, Path(name), "0", 0.5, 1.0, figures, before.predictions, before.evaluation, None, gain)
        for name in ("one", EVIL)
    )
    return EnsembleResult(
        Path("runs/e"), Combination.equal(2), False, members, "one", figures, after.evaluation, None, ()
    )


def swept(tmp_path) -> SweepResult:
    trials = tuple(
        SweepTrial(n, {"model.l2": f"{n}", "model.head": EVIL}, "finished", 0.5 + n / 10, 1 / n, 3, 8, 9.0)
        for n in (1, 2, 3)
    )
    return SweepResult(Path("sweep"), Path("clips"), "grouped", "loss", 20, trials, trials[-1])


def exported(tmp_path) -> ExportResult:
    parity = Parity(20, 10, 1e-6, 0, 10, 9, 9, True)
    latency = Latency(5.0, 10.0, 30, 8, 2, "a processor")
    return ExportResult(
        Path(f"exports/{EVIL}"), Export("onnx", "fp32", ("a",), {}, "0", (), 0, parity, latency, {}, {})
    )


@pytest.mark.parametrize(
    ("make", "texts"),
    [
        (predicted, [f"{EVIL}, 0.70", "0.20", "run", f"{EVIL}.avi"]),
        (failed, ["bad.avi", f"no frame {EVIL}"]),
        (evaluated, ["top-1 95.0 % (57 of 60 clips)", "protocol grouped", EVIL, "leak: 0 of 60 leak", "90.0 %"]),
        (trained, [f"run runs/{EVIL}", "report.html", "top-1 95.0 %", EVIL]),
        (checked, ["6 clips in 2 classes", "b & c/<b>0.avi", "grouped"]),
        (combined, ["ensemble of 2", EVIL, "57 of 60", "59 of 60", "8 of 10", "gain +3.3 points"]),
        (swept, ["sweep, 3 trials", "best: trial 3, 80.0 %", EVIL, "model.l2", "muybridge train clips"]),
        (exported, ["export onnx, fp32", EVIL]),
    ],
)
def test_results_show_themselves(make, texts, tmp_path):
    page = Page(make(tmp_path)._repr_html_())
    for text in texts:
        assert text in page
    assert set(page.tags) <= {"div", "table", "tr", "td", "th"}
    assert page.attributes <= {"style"}


def test_a_long_table_says_what_is_left_out():
    page = Page(notebook.rows([{"n": number} for number in range(30)], limit=20))
    assert page.tags.count("tr") == 21
    assert "and 10 more" in page
    assert notebook.rows([]) == ""


def test_numbers_are_short_and_nothing_is_empty():
    page = Page(notebook.rows([{"share": 1 / 3, "none": None}]))
    assert "0.3333" in page
    assert "None" not in page
    assert "None" not in Page(notebook.facts({"video": None}))
