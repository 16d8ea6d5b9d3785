"""What is written in a format is read again as it was, to the millisecond or the frame."""

import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.helpers.catalogs import make
from tests.helpers.nightly import cases

from muybridge.dataset.annotations.annotation_files import SUFFIXES, read_annotations, write_annotations
from muybridge.dataset.annotations.rules import AnnotationRules
from muybridge.dataset.annotations.video_times import VideoTimes
from muybridge.dataset.segments import Annotations, Segment
from muybridge.errors import UserError
from muybridge.schemas import read_json
from muybridge.text import printable

OFTEN = settings(
    max_examples=len(cases(60, 2000)), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
RATE = 29.97
FRAMES = 300
TIMES = VideoTimes(np.arange(FRAMES) / RATE, FRAMES / RATE, 320, 240)
OF_FRAMES = ("label-studio", "cvat")


def times_of(video: Path) -> VideoTimes:
    return TIMES


labels = st.text(min_size=1, max_size=12).map(lambda text: " ".join(printable(text).split())).filter(bool)
names = st.sampled_from(("a.mp4", "b.mp4", "inner/c d.mp4", "Ünï & <x>.mkv"))
borders = st.tuples(
    st.floats(0, TIMES.end_seconds, allow_nan=False), st.floats(0, TIMES.end_seconds, allow_nan=False)
).map(sorted)
scores = st.one_of(st.none(), st.floats(0, 1, allow_nan=False))
raw = st.lists(st.tuples(names, borders, labels, scores), max_size=8)


def made(folder: Path, entries: list[tuple[str, list[float], str, float | None]]) -> Annotations:
    make(folder, "a.mp4", "b.mp4", "inner/c d.mp4", "Ünï & <x>.mkv")
    segments = [
        Segment(folder / name, *times, label, score) for name, times, label, score in entries if times[0] < times[1]
    ]
    return Annotations(tuple(segments), tuple(sorted({folder / name for name, *_ in entries} | {folder / "a.mp4"})))


def millisecond(seconds: float) -> int:
    return int(seconds * 1000 + 1e-6)


def first_frame(seconds: float) -> int:
    return int(np.searchsorted(TIMES.seconds_N, seconds))


def seen(annotations: Annotations, format: str) -> Counter[tuple[str, float, float, str]]:
    """Segments as the format can hold them at best; equal ones once."""
    grain = {"csv": float, "activitynet": float}.get(format, first_frame if format in OF_FRAMES else millisecond)
    found = {
        (each.video.name, grain(each.start_seconds), grain(each.end_seconds), each.label)
        for each in annotations.segments
    }
    return Counter(each for each in found if each[1] < each[2])


@pytest.mark.parametrize("format", SUFFIXES)
@OFTEN
@given(entries=raw)
def test_a_round_trip(format: str, entries: list[tuple[str, list[float], str, float | None]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        annotations = made(Path(name), entries)
        path = Path(name) / f"out{SUFFIXES[format]}"
        written = write_annotations(annotations, path, format, times_of=times_of)
        parts = [read_annotations(file, AnnotationRules(tier="actions*" if format == "elan" else ""), times_of=times_of)
                 for file in written.files]  # fmt: skip
        read = Annotations(
            tuple(each for part in parts for each in part.segments), tuple(v for part in parts for v in part.videos)
        )
        assert seen(read, format) == seen(annotations, format)
        assert {video.resolve() for video in read.videos} == {video.resolve() for video in annotations.videos}
        if format == "elan":
            assert all(each.score is None for each in read.segments)
            lost = any(each.score is not None for each in annotations.segments)
            assert any("ELAN does not hold scores" in note for note in written.notes) == lost
        elif len(
            {(each.video, each.start_seconds, each.end_seconds, each.label) for each in annotations.segments}
        ) == len(annotations.segments) and format in ("csv", "activitynet"):
            assert Counter(each.score for each in read.segments) == Counter(each.score for each in annotations.segments)


@pytest.mark.parametrize("format", ["csv", "label-studio", "boris", "activitynet", "cvat"])
def test_scores_come_back(format: str, tmp_path: Path) -> None:
    annotations = made(tmp_path, [("a.mp4", [1.0, 2.0], "x", 0.25), ("a.mp4", [3.0, 4.0], "y", 1e-7)])
    written = write_annotations(annotations, tmp_path / f"o{SUFFIXES[format]}", format, times_of=times_of)
    read = read_annotations(written.files[0], times_of=times_of)
    assert [(each.label, each.score) for each in read.segments] == [("x", 0.25), ("y", 1e-7)]


def test_a_csv_holds_groups_splits_and_what_a_spreadsheet_would_compute(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "b.mp4")
    segments = (
        Segment(tmp_path / "a.mp4", 1.0, 2.5, "=1+1", group="day 1", split="train"),
        Segment(tmp_path / "b.mp4", 0.0, 0.1, "pick up, left", group="day 2", split="test"),
    )
    annotations = Annotations(segments, (tmp_path / "a.mp4", tmp_path / "b.mp4"))
    write_annotations(annotations, tmp_path / "o.csv", "csv")
    assert "'=1+1" in (tmp_path / "o.csv").read_text()
    assert read_annotations(tmp_path / "o.csv").segments == segments
    notes = write_annotations(annotations, tmp_path / "o.eaf", "elan").notes
    assert "ELAN does not hold source groups and the split: left out" in notes


def test_times_that_fall_between_milliseconds_keep_their_first_frame(tmp_path: Path) -> None:
    """Rounding to the nearest would lose the first frame of every other segment at 30 frames a second."""
    make(tmp_path, "a.mp4")
    starts = [float(second) for second in TIMES.seconds_N[:60:7]]
    segments = tuple(Segment(tmp_path / "a.mp4", start, start + 0.2, "x") for start in starts)
    for format in ("elan", "boris"):
        path = tmp_path / f"o{SUFFIXES[format]}"
        write_annotations(Annotations(segments, (tmp_path / "a.mp4",)), path, format)
        read = read_annotations(path, AnnotationRules(tier="*")).segments
        assert [first_frame(each.start_seconds) for each in read] == [first_frame(start) for start in starts]


def test_what_elan_and_cvat_need_to_open_a_file_is_there(tmp_path: Path) -> None:
    annotations = made(tmp_path, [("b.mp4", [1.0, 2.0], "x", 0.5), ("b.mp4", [1.5, 3.0], "y", None)])
    [_, eaf] = write_annotations(annotations, tmp_path / "o.eaf", "elan").files
    root = ElementTree.parse(eaf).getroot()
    assert eaf.name == "o-b.eaf"
    assert [each.tag for each in root if each.tag != "TIER"] == [
        "HEADER", "TIME_ORDER", "LINGUISTIC_TYPE", *["CONSTRAINT"] * 4,
    ]  # fmt: skip
    slots = [int(slot.get("TIME_VALUE", "")) for slot in root.iter("TIME_SLOT")]
    assert slots == sorted(slots) == [1000, 1500, 2000, 3000]
    assert [tier.get("TIER_ID") for tier in root.iter("TIER")] == ["actions", "actions 2"]
    types = {each.get("LINGUISTIC_TYPE_ID") for each in root.iter("LINGUISTIC_TYPE")}
    assert {tier.get("LINGUISTIC_TYPE_REF") for tier in root.iter("TIER")} <= types

    [_, xml] = write_annotations(annotations, tmp_path / "o.xml", "cvat", times_of=times_of).files
    root = ElementTree.parse(xml).getroot()
    assert root.findtext("version") == "1.1"
    assert [each.text for each in root.iterfind("meta/task/labels/label/name")] == ["x", "y"]
    assert root.findtext("meta/task/size") == str(FRAMES)
    boxes = list(root.iterfind("track/box"))
    assert [box.get("outside") for box in boxes] == ["0", "1", "0", "1"]
    assert {(box.get("xbr"), box.get("ybr")) for box in boxes} == {("320.00", "240.00")}


def test_what_label_studio_needs_to_import_a_file_is_there(tmp_path: Path) -> None:
    annotations = made(tmp_path, [("b.mp4", [0.0, 10 / RATE], "x", 0.5)])
    write_annotations(annotations, tmp_path / "o.json", "label-studio", times_of=times_of)
    [empty, task] = read_json(tmp_path / "o.json")
    assert empty["predictions"][0]["result"] == []
    assert task["data"]["video"] == "b.mp4"
    [prediction] = task["predictions"]
    [region] = prediction["result"]
    assert prediction["score"] == region["score"] == 0.5
    assert region["value"] == {"ranges": [{"start": 1, "end": 10}], "timelinelabels": ["x"]}
    assert (region["type"], region["from_name"], region["to_name"]) == ("timelinelabels", "videoLabels", "video")
    people = made(tmp_path, [("b.mp4", [0.0, 1.0], "x", None)])
    write_annotations(people, tmp_path / "p.json", "label-studio", times_of=times_of)
    assert all("annotations" in each and "predictions" not in each for each in read_json(tmp_path / "p.json"))


def test_segments_of_one_class_that_overlap_get_subjects_in_boris(tmp_path: Path) -> None:
    annotations = made(tmp_path, [("a.mp4", [1.0, 3.0], "x", None), ("a.mp4", [2.0, 4.0], "x", None)])
    notes = write_annotations(annotations, tmp_path / "o.boris", "boris").notes
    assert any("several subjects" in note for note in notes)
    values = read_json(tmp_path / "o.boris")
    assert [each["name"] for each in values["subjects_conf"].values()] == ["subject 2"]
    assert {event[1] for event in values["observations"]["a"]["events"]} == {"", "subject 2"}


def test_what_cannot_be_written(tmp_path: Path) -> None:
    annotations = made(tmp_path, [("a.mp4", [1.0, 1.0001], "x", None)])
    assert (
        "left out, 1 segment shorter than a millisecond"
        in write_annotations(annotations, tmp_path / "o.eaf", "elan").notes
    )
    written = write_annotations(annotations, tmp_path / "o.xml", "cvat", times_of=times_of)
    assert any("left out, 1 segment without a frame" in note for note in written.notes)
    with pytest.raises(UserError, match="unknown annotation format 'elann'; did you mean 'elan'"):
        write_annotations(annotations, tmp_path / "o", "elann")
    with pytest.raises(UserError, match="nobody looked into the videos"):
        write_annotations(annotations, tmp_path / "o.xml", "cvat")
