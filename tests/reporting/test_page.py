"""The report in a real browser: it fits phones and desks, shows all its pictures, asks for nothing, and prints."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from tests.helpers.browser import Page, browser, find_chromium
from tests.helpers.reports import make_ensemble, make_run, some_clips, write_some_clips

from muybridge.reporting.page import write_report

LONG = "an_endless_name_without_a_single_space_" * 4
# Whatever is wider than the page, unless it lies in a box of its own that can be scrolled.
WIDE_ELEMENTS = """
[...document.body.querySelectorAll('*')].filter(element => {
  const right = element.getBoundingClientRect().right;
  if (right <= document.documentElement.clientWidth + 1) return false;
  for (let box = element.parentElement; box; box = box.parentElement)
    if (['auto', 'scroll'].includes(getComputedStyle(box).overflowX)) return false;
  return true;
}).map(element => element.outerHTML.slice(0, 80))
"""
# Text with less contrast to what is behind it than WCAG 2 asks for (level AA: 4.5, large text 3).
FAINT_TEXTS = """
(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => numbers(colour).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.body.querySelectorAll('*')].filter(element => {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) return false;
    const pair = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
    const large = parseFloat(getComputedStyle(element).fontSize) >= 24;
    return (pair[0] + 0.05) / (pair[1] + 0.05) < (large ? 3 : 4.5);
  }).map(element => element.outerHTML.slice(0, 80));
})()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    with browser(program, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs side by side, of which one is an ensemble, with long names and clips that are gone."""
    clips = some_clips(write_some_clips(tmp_path_factory.mktemp("clips"), 50))
    first = make_run("first", clips, set(range(20, 60)), bad=4, epochs=12)
    assert first.training is not None
    training = replace(first.training, recipe={"name": LONG, "model": {"lstm": [256, 128]}, LONG: LONG})
    first = replace(first, command=f"muybridge train {LONG}", environment={"path": LONG, LONG: 1}, training=training)
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(
        path,
        [
            first,
            make_ensemble(LONG, clips, set(range(10)), before=set(range(5, 20))),
            make_run("other", clips[:30], {1}),
        ],
    )
    return path


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")])
def test_the_page_fits_and_is_complete(page: Page, report: Path, width: int, scheme: str) -> None:
    page.open(report, width=width, scheme=scheme)
    assert page.ask("document.documentElement.scrollWidth") == width
    assert page.ask(WIDE_ELEMENTS) == []
    assert page.ask("document.images.length") > 100
    assert page.ask("[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.alt)") == []
    assert page.ask("[...document.images].filter(i => !i.alt).length") == 0
    assert page.ask(FAINT_TEXTS) == []
    assert page.complaints == []
    # The file itself and what is embedded in it, and nothing else.
    assert [address for address in page.requests if not address.startswith("data:")] == [report.resolve().as_uri()]


def test_links_and_headings_lead_through_the_page(page: Page, report: Path) -> None:
    page.open(report, width=1280)
    assert page.ask("document.documentElement.lang") == "en"
    assert page.ask("document.title").startswith("3 runs compared")
    levels = page.ask("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    links = page.ask("[...document.links].map(a => document.querySelector(a.getAttribute('href'))?.innerText ?? '')")
    assert [text.split("\n")[0] for text in links] == ["first", LONG, "other"] * 2


def test_a_phone_shows_strips_in_rows_of_three_and_curves_below_each_other(page: Page, report: Path) -> None:
    def rows(selector: str) -> int:
        return int(
            page.ask(
                f"new Set([...document.querySelector('{selector}').querySelectorAll('img')]"
                ".map(image => Math.round(image.getBoundingClientRect().top))).size"
            )
        )

    page.open(report, width=1280)
    assert (rows(".strip"), rows(".curves")) == (1, 1)
    page.open(report, width=390)
    assert (rows(".strip"), rows(".curves")) == (2, 3)


def test_a_table_that_is_too_wide_scrolls_inside_its_box(page: Page, report: Path) -> None:
    page.open(report, width=390)
    box = "document.querySelector('.runs').parentElement"
    assert page.ask(f"{box}.scrollWidth > {box}.clientWidth")
    page.ask(f"{box}.scrollLeft = 200")
    # The names of the figures stay in sight.
    assert page.ask("document.querySelector('.runs tbody th').getBoundingClientRect().left") < 30


def test_the_names_of_a_confusion_matrix_stay_in_sight_on_a_phone(page: Page, report: Path) -> None:
    page.open(report, width=390)
    box = "document.querySelector('.matrix')"
    page.ask(f"{box}.style.width = '150px', {box}.style.height = '150px'")
    page.ask(f"{box}.scrollIntoView(), {box}.scrollTo(60, 60)")
    assert page.ask(f"[{box}.scrollLeft, {box}.scrollTop]") == [60, 60]
    offset = "(b => (x => [x.left - b.left, x.top - b.top]))(document.querySelector('.matrix').getBoundingClientRect())"
    row = page.ask(f"({offset})({box}.querySelector('tbody th').getBoundingClientRect())")
    column = page.ask(f"({offset})({box}.querySelector('thead th:nth-child(2)').getBoundingClientRect())")
    assert row[0] == pytest.approx(0, abs=1)
    assert column[1] == pytest.approx(0, abs=1)
    # The diagonal is outlined, and cells are large enough to be read.
    assert page.ask(f"{box}.querySelectorAll('td.d').length") == 6
    assert page.ask(f"{box}.querySelector('td').getBoundingClientRect().width") > 15


def test_it_prints_with_all_that_is_folded_on_the_screen(page: Page, report: Path, tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    page.open(report, width=1280)
    assert not page.ask("[...document.querySelectorAll('details')].some(d => d.innerText.includes('model.lstm'))")
    page.print(tmp_path / "report.pdf")
    pages = pypdf.PdfReader(tmp_path / "report.pdf").pages
    texts = ["".join(sheet.extract_text().split()) for sheet in pages]
    assert 5 < len(texts) < 30
    assert "3runscompared" in texts[0]
    assert "model.lstm256128" in "".join(texts)
    # Each run but the first begins on a new page.
    assert [text[:5] for text in texts if text.startswith(("other", LONG))] == [LONG[:5], "other"]


def test_nothing_is_cut_off_on_paper(page: Page, report: Path) -> None:
    page.open(report, width=round((210 - 2 * 14) / 25.4 * 96), media="print")
    assert page.ask(WIDE_ELEMENTS) == []
