"""``muybridge annotations``: what a file says, and the same in another format."""

import json
from pathlib import Path

import pytest
from tests.helpers.clips import write_clip
from tests.helpers.commands import run

from muybridge import Annotations, AnnotationsResult, UserError, annotations


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.avi", "b.avi"):
        write_clip(tmp_path / name, level=90, seed=1, frames=50)
    (tmp_path / "a.csv").write_text("video,start,end,label\na.avi,0,0:01.2,run\nb.avi,0.4,1,jump\nb.avi,1,2,run\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_a_file_says(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run("annotations", "a.csv", capsys=capsys)
    assert (code, err) == (0, "next: muybridge check a.csv")
    assert out.splitlines()[0] == "csv: 3 segments in 2 videos"
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["class", "segments", "seconds"], ["jump", "1", "0.6"], ["run", "2", "2.2"],
    ]  # fmt: skip
    code, out, _ = run("annotations", "a.csv", "--json", capsys=capsys)
    segment = json.loads(out)["segments"][0]
    assert (segment["start_seconds"], segment["end_seconds"], segment["label"]) == (0.0, 1.2, "run")


@pytest.mark.parametrize("format", ["csv", "label-studio", "elan", "boris", "activitynet", "cvat"])
def test_every_format_from_the_shell_and_back(films: Path, format: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run("annotations", "a.csv", "--to", format, "--out", f"new/o.{format}.x", capsys=capsys)
    assert code == 0
    assert err.startswith("next: muybridge check ")
    written = [line.removeprefix("written: ") for line in out.splitlines() if line.startswith("written")]
    assert len(written) == (2 if format in ("elan", "cvat") else 1)
    suffix = {"csv": ".csv", "elan": ".eaf", "cvat": ".xml"}.get(format, ".json")
    read = []
    for file in written:
        Path(file).rename(Path(file).with_suffix(suffix))
        for name in ("a.avi", "b.avi"):  # the file has moved with its videos
            (films / "new" / name).write_bytes((films / name).read_bytes())
        read += [
            (each.video.name, each.start_seconds, each.end_seconds, each.label)
            for each in annotations(Path(file).with_suffix(suffix)).annotations.segments
        ]
    assert sorted(read) == [("a.avi", 0.0, 1.2, "run"), ("b.avi", 0.4, 1.0, "jump"), ("b.avi", 1.0, 2.0, "run")]


def test_nothing_that_is_there_is_replaced(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("annotations", "a.csv", "--to", "csv", capsys=capsys)
    assert code == 2
    assert "a.csv is there already; name another file" in err
    with pytest.raises(UserError, match="unknown annotation format 'eaf'"):
        annotations("a.csv", to="eaf")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"in which format shall o\.eaf be written"):
        annotations("a.csv", out="o.eaf")


def test_of_many_new_files_the_first_are_named(tmp_path: Path) -> None:
    shown = str(AnnotationsResult(Annotations((), (), (), "csv"), tuple(tmp_path / f"{n}.eaf" for n in range(601))))
    assert shown.count("written: ") == 8
    assert shown.endswith("and 593 more, one a video")
