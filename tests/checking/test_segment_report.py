"""What a check finds about the segments of long videos, with real ones."""

import json
from pathlib import Path

import pytest
from rich.console import Console
from tests.helpers.clips import write_clip
from tests.helpers.commands import run

from muybridge import api

QUIET = Console(quiet=True)
ROWS = """video,start,end,label
game.avi,0,1,run
game.avi,0.5,1.5,run
game.avi,0.5,0.6,jump
game.avi,1.9,2.5,jump
game.avi,3,4,Jump
game.avi,1.6,2.0,jump
empty.avi,,,
"""


@pytest.fixture
def films(tmp_path: Path) -> Path:
    write_clip(tmp_path / "game.avi", level=90, seed=1, frames=50)  # two seconds
    write_clip(tmp_path / "empty.avi", level=120, seed=2, frames=25)
    (tmp_path / "a.csv").write_text(ROWS)
    return tmp_path


def test_what_is_wrong_with_segments(films: Path) -> None:
    report = api.check(films / "a.csv", out=films / "out", workers=1, console=QUIET).report
    found = report.segments
    assert found is not None
    assert found.outside == {
        "game.avi#1.9-2.5": "ends at 2.5 s, and the video at 2.000 s",
        "game.avi#3-4": "begins at 3 s, and the video ends at 2.000 s",
    }
    assert set(found.overlaps) == {("game.avi#0-1", "game.avi#0.5-1.5"), ("game.avi#1.6-2", "game.avi#1.9-2.5")}
    assert found.overlaps_of_labels == 2  # the jump at 0.5 s and both runs
    assert list(found.tiny) == ["game.avi#0.5-0.6"]
    assert {each.video.name: (round(each.seconds, 6), round(each.share, 6)) for each in found.unlabelled} == {
        "game.avi": (0.1, 0.05), "empty.avi": (1.0, 1.0),
    }  # fmt: skip
    assert [each.clip.id for each in report.with_status("bad")] == ["game.avi#3-4"]
    saved = json.loads((films / "out" / "check.json").read_text())["segments"]
    assert saved["unlabelled"] == {
        "empty.avi": {"seconds": 1.0, "share": 1.0},
        "game.avi": {"seconds": 0.1, "share": 0.05},
    }


def test_what_check_prints(films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(films)
    code, out, _ = run("check", "a.csv", "--workers", "1", capsys=capsys)
    assert code == 0
    for line in (
        "segments outside the video: 2",
        "segments of one label that overlap: 2",
        "overlaps of different labels: 2; each is a clip of its own, with one label",
        "segments shorter than 0.2 s: 1",
        "time without a label: 1.1 of 3.0 s (36.7 %); data.background auto or all makes it a class",
        "WARNING, labels look alike: 1",
    ):
        assert line in out


def test_frames_and_a_tier_are_told_to_check(films: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(films)
    (films / "f.csv").write_text("video,start,end,label\ngame.avi,10,50,run\n")
    code, _, _ = run("check", "f.csv", "--workers", "1", "--annotations.unit", "frames", "--out", "out", capsys=capsys)
    assert code == 0
    [clip] = json.loads((films / "out" / "check.json").read_text())["clips"]
    assert (clip["id"], clip["duration_seconds"]) == ("game.avi#0.4-2", 1.6)
    code, _, err = run("check", "f.csv", "--annotations.unit", "frame", capsys=capsys)
    assert code == 2
    code, _, err = run("check", "f.csv", "--annotations.unit", "frames", "--annotations.fps", "-3", capsys=capsys)
    assert (code, "annotations.fps is -3" in err) == (2, True)


def test_clips_that_are_files_have_no_such_report(clips: Path, tmp_path: Path) -> None:
    assert api.check(clips, out=tmp_path, workers=2, console=QUIET).report.segments is None
