"""Whatever an annotation file holds, it gives segments or one clear line, never another exception."""

import copy
import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.catalogs import make
from tests.helpers.nightly import cases

from muybridge.dataset.annotations.annotation_files import SUFFIXES, read_annotations, write_annotations
from muybridge.dataset.annotations.rules import AnnotationRules
from muybridge.dataset.annotations.video_times import VideoTimes
from muybridge.dataset.segments import Annotations, Segment
from muybridge.errors import UserError

STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1e308, -0.5, "", "x", "\0", "NaN", "../../etc/passwd", "http://host/a.mp4",
    "file:///a.mp4", "a.mp4", [], {}, [[]], [None], {"": {}}, "\ud800", "C:\\a.mp4", "a" * 5000,
)  # fmt: skip


def times_of(video: Path) -> VideoTimes:
    return VideoTimes(np.arange(100) / 10, 10.0, 64, 48)


def segments_or_one_line(path: Path) -> None:
    try:
        read = read_annotations(path, AnnotationRules(tier="", missing="skip"), times_of=times_of)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 2000
        return
    assert all(0 <= each.start_seconds < each.end_seconds and each.label for each in read.segments)
    assert all(video.is_file() for video in read.videos)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small file of each format."""
    folder = make(tmp_path_factory.mktemp("annotations"), "a.mp4", "b.mp4")
    segments = tuple(
        Segment(folder / name, start, start + 1.5, label, score)
        for name, start, label, score in (
            ("a.mp4", 0.5, "run", 0.5),
            ("a.mp4", 1.0, "x", None),
            ("b.mp4", 0.0, "x", 1.0),
        )
    )
    annotations = Annotations(segments, (folder / "a.mp4", folder / "b.mp4"))
    files = {
        format: write_annotations(annotations, folder / f"{format}{suffix}", format, times_of=times_of).files[0]
        for format, suffix in SUFFIXES.items()
    }
    via = {
        "file": {"1": {"fname": "a.mp4", "src": "a.mp4"}}, "view": {"1": {"fid_list": ["1"]}},
        "attribute": {"1": {"aname": "k", "anchor_id": "FILE1_Z2_XY0", "options": {"0": "run"}}},
        "metadata": {"m": {"vid": "1", "z": [1, 2], "xy": [], "av": {"1": "0"}}},
    }  # fmt: skip
    (folder / "via.json").write_text(json.dumps(via))
    return {**files, "via": folder / "via.json"}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [path, *(place for key in keys for place in places(value[key], (*path, key)))]


def changed(value: Any, generator: random.Random) -> Any:
    """The values with a few of them replaced, or taken out."""
    value = {"": copy.deepcopy(value)}
    for _ in range(generator.randint(1, 3)):
        *outer, key = generator.choice(places(value)[1:])
        holder = value
        for each in outer:
            holder = holder[each]
        if generator.random() < 0.2 and len(outer):
            del holder[key]
        else:
            holder[key] = copy.deepcopy(generator.choice(STRANGE))
    return value.get("", {})


@pytest.mark.parametrize("format", ["label-studio", "boris", "activitynet", "via"])
def test_any_value_anywhere_in_json(written: dict[str, Path], format: str) -> None:
    values = json.loads(written[format].read_text())
    for seed in cases(150, 5000):
        mutant = written[format].with_name(f"mutant{written[format].suffix}")
        mutant.write_text(json.dumps(changed(values, random.Random(seed))))
        segments_or_one_line(mutant)


@pytest.mark.parametrize("format", ["elan", "cvat", "csv", "boris"])
def test_any_text_anywhere(written: dict[str, Path], format: str) -> None:
    text = written[format].read_text()
    words = sorted(set(re.findall(r'"[^"]*"|>[^<]+<|[\w.]+', text)))
    for seed in cases(150, 5000):
        generator = random.Random(seed)
        mutant = text
        for _ in range(generator.randint(1, 3)):
            word = generator.choice(words)
            other = generator.choice((*words, '"-1"', '""', '"1e9"', ">x<", "\0", "<", '"\x1b"', "&amp;", ""))
            mutant = mutant.replace(word, other, generator.choice((1, -1)))
        path = written[format].with_name(f"mutant{written[format].suffix}")
        path.write_text(mutant)
        segments_or_one_line(path)


@pytest.mark.parametrize("suffix", [".eaf", ".xml", ".json", ".boris", ".csv", ".tsv"])
def test_any_bytes(tmp_path: Path, suffix: str) -> None:
    make(tmp_path, "a.mp4")
    for seed in cases(40, 2000):
        generator = random.Random(seed)
        begin = generator.choice(
            (b"", b"{", b"[", b"<annotations>", b"<?xml version='1.0' encoding='x'?>", b"Behavior,Time\n")
        )
        (tmp_path / f"x{suffix}").write_bytes(begin + generator.randbytes(generator.randint(0, 200)))
        segments_or_one_line(tmp_path / f"x{suffix}")


def test_deep_nesting_and_bombs(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "deep.xml").write_text("<annotations>" * 50_000)
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha"}">' for n in range(10))
    (tmp_path / "bomb.eaf").write_text(f"<!DOCTYPE x [{entities}]><ANNOTATION_DOCUMENT>&e9;</ANNOTATION_DOCUMENT>")
    (tmp_path / "outside.eaf").write_text(
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><ANNOTATION_DOCUMENT>&e;</ANNOTATION_DOCUMENT>'
    )
    for name in ("deep.json", "deep.xml", "bomb.eaf", "outside.eaf"):
        with pytest.raises(UserError):
            read_annotations(tmp_path / name)
