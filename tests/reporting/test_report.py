import base64
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.reports import CLASSES, EVIL, make_ensemble, make_run, measured, some_clips, write_some_clips

from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.evaluation.comparison import compare
from muybridge.evaluation.confusion import HARDEST_CLASSES
from muybridge.evaluation.evaluation import evaluate_predictions
from muybridge.inference.predictions import ClipPrediction, Predictions
from muybridge.reporting.matrix import matrix_of
from muybridge.reporting.page import is_report, write_report
from muybridge.reporting.reported import ReportedEnsemble, ReportedMember
from muybridge.reporting.terms import TERMS
from muybridge.reporting.view import choose_clips


class Reader(HTMLParser):
    """Collects what a browser would see: tags, text, addresses; and checks that tags are closed."""

    VOID = frozenset({"meta", "img", "br", "link", "source"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.space(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "action", "data"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.space(tag)

    def space(self, tag: str) -> None:
        """Only these stand in the middle of a line."""
        if tag not in {"a", "b", "span"}:
            self.text += " "

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text("utf-8"))
    reader.close()
    assert reader.open == []
    reader.text = " ".join(reader.text.split())
    return reader


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first 50 of the clips."""
    return write_some_clips(tmp_path_factory.mktemp("clips"), 50)


@pytest.fixture(scope="module")
def single(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("single") / "report.html"
    run = make_run(f"run {EVIL} caf\udce9", some_clips(folder), set(range(30, 60, 2)), bad=4, epochs=2)
    notes = write_report(path, [run])
    assert len(notes) == 1
    assert "5 of 10 clips cannot be shown" in notes[0]  # 50, 52, ..., 58 are not there
    return path


def test_the_file_stands_alone(single: Path) -> None:
    seen = read(single)
    assert "script" not in seen.tags
    assert all(address.startswith("data:") for address in seen.addresses)
    drawings = [address for address in seen.addresses if address.startswith("data:image/svg+xml;base64,")]
    assert len(drawings) == 3 + 2  # loss, accuracy, rate; classes, calibration
    for address in drawings:
        picture = base64.b64decode(address.split(",", 1)[1]).decode("utf-8")
        assert picture.rstrip().endswith("</svg>")
        assert not re.search(r'(href|src)="(?!#|data:)', picture)
        assert "sans-serif" in picture  # for systems without the font that it was measured with
    html = single.read_text("utf-8")
    assert "@import" not in html
    assert "url(" not in html
    assert list(single.parent.iterdir()) == [single]


def test_every_image_says_what_it_shows(single: Path) -> None:
    assert all(image["alt"] for image in read(single).images)


def test_what_users_name_cannot_become_markup(single: Path) -> None:
    assert EVIL not in single.read_text("utf-8")
    assert EVIL in read(single).text


def test_the_reader_finds_what_the_run_was(folder: Path, single: Path) -> None:
    text = read(single).text
    evaluation = measured(some_clips(folder), set(range(30, 60, 2)), bad=4).evaluation
    for expected in (
        "73.3 %",  # 60 clips, 15 wrong, 1 undecodable
        "44 of 60 test clips",
        "(15 groups; with so few the true range is wider)",
        "Leak: 0 of 60 leak",
        "1 clip could not be decoded and count",
        f"Expected calibration error {100 * (evaluation.calibration.error or 0):.1f} %",
        "the last 15 layers of the encoder, and all that follows it",
        "pretrained (file not recorded)",
        "took 7.0 s for its epochs; the rest is not recorded",
        "model.lstm 256 128",
        "cpu.cores 2",
        "seed 7: 0 clips to train, 0 to validate, 60 to test",
        "a note <script>",
        "muybridge train clips --recipe 'a & b.yaml'",
        "lost.avi cut off <script>",
        "1 training or validation clip left out",
        "10 of 15 mistakes",
        r"caf\xe9",
    ):
        assert expected in text


def test_mistakes_are_film_strips_the_most_confident_first(single: Path) -> None:
    seen = read(single)
    shown = re.findall(r"taken for \S+ ✗ [\d.]+ % <script>alert\(1\)</script> (\d\d)\.avi", seen.text)
    assert shown == [f"{number}" for number in range(58, 39, -2)]
    strips = [image for image in seen.images if (image["src"] or "").startswith("data:image/jpeg")]
    assert len(strips) == 5 * 6
    assert seen.text.count("the file is gone") == 5 + 1  # under each that is gone, and in the note above


def test_when_all_clips_are_gone_one_line_says_so(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    notes = write_report(path, [make_run("moved", some_clips(tmp_path / "elsewhere"), {1, 2, 3})])
    assert len(notes) == 1
    assert "moved: none of its clips can be shown" in notes[0]
    assert "elsewhere" in notes[0]
    assert "none of its clips can be shown" in read(path).text


def test_runs_on_the_same_clips_are_compared_pair_by_pair(folder: Path, tmp_path: Path) -> None:
    clips = some_clips(folder)
    first, second = make_run("first", clips, {1, 2, 3, 4}, epochs=1), make_run("second", clips[::-1], {55})
    path = tmp_path / "report.html"
    write_report(path, [first, second])
    text = read(path).text
    # Reversed, number 55 is clip 4: three repaired, none broken.
    assert "+5.0 points" in text
    assert "3 repaired, 0 broken" in text
    assert first.measured is not None
    assert second.measured is not None
    interval = compare(first.measured.predictions, second.measured.predictions).interval.interval
    assert interval is not None
    assert f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f} (15 groups)" in text
    assert "same test clips" in text
    assert "must not be compared" not in text
    assert "1\u202f234\u202f567" in path.read_text("utf-8")
    assert "3.5 median" in text


def test_runs_on_other_clips_are_not_compared(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, [make_run("all", some_clips(folder), {1}), make_run("some", some_clips(folder)[:24], {1})])
    text = read(path).text
    assert "must not be compared" in text
    assert "some shares 24 of its 24 test clips with all" in text
    assert "other test clips" in text
    assert not re.search(r"[+-][\d.]+ points", text)


def test_runs_of_other_classes_are_refused_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    run = make_run("first", some_clips(folder), {1})
    other = replace(run, name="second", classes=(*CLASSES[:4], "jump", "sit"))
    with pytest.raises(UserError, match=r"only first knows walk; only second knows jump"):
        write_report(tmp_path / "report.html", [run, other])
    assert list(tmp_path.iterdir()) == []


def test_an_ensemble_shows_what_it_repaired_and_broke(folder: Path, tmp_path: Path) -> None:
    clips = some_clips(folder)
    path = tmp_path / "report.html"
    write_report(path, [make_ensemble("together", clips, {1, 2, 3}, before={3, 10, 11, 12})])
    text = read(path).text
    assert "2 members, combined by majority vote" in text
    assert "best member on the 10 common validation clips is good" in text
    assert "Against its best member: gain +1.7 points (3 repaired, 2 broken of 60 clips" in text
    assert text.count("at its temperature") == 1
    assert "1.2 % at its temperature" in text
    assert "fitted on 10 clips" in text
    shown = re.findall(r"(\S+): before \S+ (.) [\d.]+ %, after \S+ (.) [\d.]+ % \S+ (\d\d)", text)
    assert [(before + after, number) for _, before, after, number in shown[:5]] == [
        ("✗✓", "10"),
        ("✗✓", "11"),
        ("✗✓", "12"),
        ("✓✗", "01"),
        ("✓✗", "02"),
    ]
    assert len(shown) == 10
    assert all(before == after for _, before, after, _ in shown[5:])
    assert "All 3 repaired clips" in text
    assert "All 2 broken clips" in text
    assert "Training" not in text


def test_a_calibrated_model_alone_repairs_nothing(folder: Path, tmp_path: Path) -> None:
    clips = some_clips(folder)
    run = make_run("calibrated", clips, {1})
    member = ReportedMember("it", "runs/it", 1.0, 1.7, 9, 0.0123, run.models[0], measured(clips, {1}))
    ensemble = ReportedEnsemble("average of probabilities", (member,), "it", 10, ())
    path = tmp_path / "report.html"
    write_report(path, [replace(run, ensemble=ensemble)])
    text = read(path).text
    assert "Calibration" in text
    assert "1.70" in text
    assert "Before and after" not in text
    assert "repair" not in text


@pytest.mark.parametrize(
    ("repaired", "broken", "unchanged", "expected"),
    [
        (0, 0, 20, (0, 0, 10)),
        (3, 2, 20, (3, 2, 5)),
        (30, 20, 20, (5, 5, 0)),
        (30, 2, 20, (8, 2, 0)),
        (1, 30, 20, (1, 9, 0)),
        (1, 1, 2, (1, 1, 2)),
    ],
)
def test_the_clips_of_an_ensemble_show_both_kinds(
    repaired: int, broken: int, unchanged: int, expected: tuple[int, int, int]
) -> None:
    kinds = [
        [f"{kind}{n:02}" for n in range(count)]
        for kind, count in zip("rbu", (repaired, broken, unchanged), strict=True)
    ]
    chosen = choose_clips(*kinds, count=10)
    assert tuple(sum(name.startswith(kind) for name in chosen) for kind in "rbu") == expected
    assert len(set(chosen)) == len(chosen)
    assert "".join(sorted((name[0] for name in chosen), key="rbu".index)) == "".join(name[0] for name in chosen)
    for kind, count in zip(kinds, expected, strict=True):
        if count > 1:
            assert {kind[0], kind[-1]} <= set(chosen)  # spread over the whole list


def test_runs_without_test_clips_or_mistakes_have_a_report_too(folder: Path, tmp_path: Path) -> None:
    run = make_run("perfect", some_clips(folder), set())
    write_report(tmp_path / "perfect.html", [run])
    text = read(tmp_path / "perfect.html").text
    assert "100.0 %" in text
    assert "Most confident mistakes" not in text
    assert "Film strips" not in text
    empty = Split("grouped", 0, train=run.split.test, validation=(), test=(), clips=run.split.clips)
    write_report(tmp_path / "two.html", [run, replace(run, name="unmeasured", split=empty, measured=None)])
    text = read(tmp_path / "two.html").text
    assert "There are no test clips, so no accuracy is claimed" in text
    assert "not measured" in text
    with pytest.raises(ValueError, match="at least one run"):
        write_report(tmp_path / "none.html", [])


def test_every_word_of_statistics_is_explained_once_where_it_first_appears(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    clips = some_clips(folder)
    run = make_run("first", clips, {1, 2}, epochs=1)
    write_report(path, [run, make_ensemble("second", clips, {3}, before={1})])
    text = read(path).text
    for term, line in TERMS.items():
        assert text.count(line) == 1, term
        # Nothing but the row of a table of figures, its title or a heading comes before.
        assert text.lower().index(term.lower()) < text.index(line)


def test_what_differs_comes_before_the_figures(folder: Path, tmp_path: Path) -> None:
    clips = some_clips(folder)
    first = make_run("first", clips, {1}, epochs=1)
    assert first.training is not None
    recipe = {"name": "other", "model": {"lstm": [256, 64]}, "seed": 0, "empty": {}, "new": {"option": 3}}
    second = replace(first, name="second", training=replace(first.training, recipe=recipe))
    path = tmp_path / "report.html"
    write_report(path, [first, second])
    text = read(path).text
    assert text.index("What differs") < text.index("model.lstm 256 128 256 64") < text.index("Figures")
    assert "2 other options are the same in all trainings" in text
    assert "1 option that only some recipes have" in text
    assert "new.option – 3" in text
    assert "under the same protocol" in text
    write_report(path, [first, replace(first, name="twin")])
    assert "Nothing that was recorded" in read(path).text


def test_runs_of_other_protocols_are_warned_about(folder: Path, tmp_path: Path) -> None:
    first = make_run("first", some_clips(folder), {1})
    other = replace(first, name="other", split=replace(first.split, protocol="random"))
    path = tmp_path / "report.html"
    write_report(path, [first, other])
    text = read(path).text
    assert "different protocols (grouped: first; random: other)" in text
    assert text.index("must not be compared") < text.index("What differs")
    assert "protocol grouped: clips of the same source video are kept together random: each clip by itself" in text


def test_hundreds_of_classes_leave_a_page_that_can_be_read() -> None:
    count = 300
    names = tuple(f"class {number:03}" for number in range(count))
    clips = [
        ClipPrediction(str(n), "x", names[n], None, np.eye(count)[(n + 1) % count if n % 50 == 0 else n])
        for n in range(count)
    ]
    matrix = matrix_of(evaluate_predictions(Predictions(names, tuple(clips)), protocol="given", leak=None))
    assert not matrix.is_whole
    assert len(matrix.rows) == HARDEST_CLASSES
    assert {f"class {n:03}" for start in range(0, count, 50) for n in (start, start + 1)} <= {
        name for _, name, _ in matrix.rows
    }
    shown = {
        name: dict(zip((full for _, full in matrix.columns), cells, strict=True)) for _, name, cells in matrix.rows
    }
    mixed_up = shown["class 050"]["class 051"]
    assert mixed_up is not None
    assert (mixed_up.clips, mixed_up.shade, mixed_up.text) == (1, 9, "class 050 → class 051: 1 clip")
    assert shown["class 050"]["class 050"] is None


def test_a_report_is_known_from_other_files(single: Path, tmp_path: Path) -> None:
    assert is_report(single)
    other = tmp_path / "thesis.html"
    other.write_text("<!doctype html><title>My thesis</title>")
    assert not is_report(other)


def test_measuring_loads_neither_torch_nor_matplotlib_nor_jinja() -> None:
    code = (
        "import sys, muybridge.evaluation.artefacts, muybridge.reporting.page;"
        "print([name for name in ('torch', 'cv2', 'av', 'matplotlib', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
