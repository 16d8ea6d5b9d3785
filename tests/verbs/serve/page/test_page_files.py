"""The files of the page: small, without a network, safe from names, in the project's colours."""

import re
from pathlib import Path

import muybridge.verbs.serve
from muybridge.reporting.timeline_page import colours_of

FOLDER = Path(muybridge.verbs.serve.__file__).with_name("page")
TIMELINE = Path(muybridge.__file__).with_name("reporting") / "templates" / "timeline.html.j2"


def texts() -> dict[str, str]:
    return {path.name: path.read_text() for path in FOLDER.iterdir()}


def test_the_page_is_small_and_needs_no_other_host():
    found = texts()
    assert {"index.html", "style.css", "app.js"} <= set(found)
    assert sum(map(len, found.values())) < 200_000
    for name, text in found.items():
        addresses = set(re.findall(r"(?:https?:)?//\w[^\s\"'`]*", re.sub(r"(?m)^\s*(//|/\*).*$", "", text)))
        allowed = {"http://www.w3.org/2000/svg", "http://localhost"}
        assert not {each for each in addresses if each.startswith("http")} - allowed, name


def test_nothing_that_the_security_policy_forbids_and_no_text_as_html():
    for name, text in texts().items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            name
        )
        assert not re.search(r"setAttribute\(.style|cssText", text), name
    html = texts()["index.html"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)


def test_every_module_that_is_imported_is_there():
    found = texts()
    imported = {name for text in found.values() for name in re.findall(r"""from "\./([\w.]+)";""", text)}
    assert imported <= set(found)
    assert imported | {"app.js"} == {name for name in found if name.endswith(".js")}
    assert max(len(text.splitlines()) for text in found.values()) <= 300


def test_colours_are_those_of_all_pictures():
    css, template = texts()["style.css"], TIMELINE.read_text()
    tracks = re.findall(r"--track-(\d): (#\w{6})", css)
    labels = [str(number) for number in range(9)]
    colours = colours_of(labels)
    assert dict(tracks) == {label: colours[label] for label in labels[:8]}
    assert colours["8"] == colours["0"]  # so many, and then again, as colours.js counts
    assert f"const COUNT = {len(tracks)};" in texts()["colours.js"]
    names = ("ink", "soft", "paper", "line", "card", "mark")
    for name in names:
        ours, theirs = (re.findall(rf"--{name}: (#\w+)", text) for text in (css, template))
        assert ours == theirs and len(ours) == 2, name  # light and dark


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_can_be_read():
    css = texts()["style.css"]
    pairs = [(ink, paper) for ink in ("ink", "soft", "mark") for paper in ("paper", "card")]
    pairs += [("warn", "warn-card"), ("on-mark", "mark")]
    for scheme in (0, 1):
        for ink, paper in pairs:
            one, other = (re.findall(rf"--{name}: (#\w+)", css)[scheme] for name in (ink, paper))
            assert contrast(one, other) >= 4.5, (ink, paper, scheme)
        edge, paper = (re.findall(rf"--{name}: (#\w+)", css)[scheme] for name in ("edge", "paper"))
        assert contrast(edge, paper) >= 3, "borders of fields"
