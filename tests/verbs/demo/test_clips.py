import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from muybridge.errors import UserError
from muybridge.verbs.demo.clips import CLIPS_PER_TAKE, render_demo
from muybridge.verbs.demo.figures import ACTIONS

CLIPS_PER_CLASS = 4


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set, to be left as it is."""
    folder = tmp_path_factory.mktemp("demo") / "clips"
    assert render_demo(folder, clips_per_class=CLIPS_PER_CLASS, workers=2) == folder / "clips.csv"
    return folder


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """One clip per class, to be spoilt."""
    render_demo(tmp_path / "clips", clips_per_class=1, workers=1)
    yield tmp_path / "clips"


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "clips.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def test_table_lists_every_clip_once_under_its_class(rendered: Path) -> None:
    listed = rows(rendered)
    assert len({row["path"] for row in listed}) == len(listed) == CLIPS_PER_CLASS * len(ACTIONS)
    assert {row["label"] for row in listed} == set(ACTIONS)
    on_disk = {path.relative_to(rendered).as_posix() for path in rendered.glob("*/*")}
    assert on_disk == {row["path"] for row in listed}
    for row in listed:
        folder, name = row["path"].split("/")
        assert folder == row["label"]
        assert name.startswith(f"{row['group']}_{row['label']}_")


def test_a_source_holds_several_clips_of_one_action(rendered: Path) -> None:
    labels: dict[str, list[str]] = {}
    for row in rows(rendered):
        labels.setdefault(row["group"], []).append(row["label"])
    assert all(len(set(of_group)) == 1 for of_group in labels.values())
    assert max(len(of_group) for of_group in labels.values()) == CLIPS_PER_TAKE


def test_files_are_real_video_of_both_kinds(rendered: Path) -> None:
    codecs = set()
    for row in rows(rendered):
        with av.open(str(rendered / row["path"])) as container:
            stream = container.streams.video[0]
            codecs.add((Path(row["path"]).suffix, stream.codec_context.name))
            assert stream.average_rate == 25
            assert (stream.width, stream.height) == (128, 96)
            assert 24 <= sum(1 for _ in container.decode(stream)) <= 48
    assert codecs == {(".avi", "mpeg4"), (".mp4", "h264")}


def test_the_number_of_processes_changes_no_byte(rendered: Path, tmp_path: Path) -> None:
    render_demo(tmp_path / "alone", clips_per_class=CLIPS_PER_CLASS, workers=1)
    assert contents(tmp_path / "alone") == contents(rendered)


def test_a_complete_set_is_left_alone(tiny: Path) -> None:
    for path in tiny.rglob("*.*"):
        os.utime(path, (1, 1))
    render_demo(tiny, clips_per_class=1)
    assert {path.stat().st_mtime for path in tiny.rglob("*.*")} == {1}


def test_a_half_written_set_is_done_again(tiny: Path) -> None:
    whole = contents(tiny)
    marker = json.loads((tiny / "demo_clips.json").read_text())
    (tiny / "demo_clips.json").write_text(json.dumps(marker | {"complete": False}))
    (tiny / "clips.csv").unlink()
    next(tiny.glob("clap/*")).write_bytes(b"half")
    next(tiny.glob("jump/*")).unlink()
    render_demo(tiny, clips_per_class=1, workers=1)
    assert contents(tiny) == whole


def test_a_set_that_lost_a_clip_is_done_again(tiny: Path) -> None:
    whole = contents(tiny)
    next(tiny.glob("jump/*")).unlink()
    render_demo(tiny, clips_per_class=1, workers=1)
    assert contents(tiny) == whole


def test_another_seed_replaces_the_set(tiny: Path) -> None:
    before = contents(tiny)
    render_demo(tiny, clips_per_class=1, seed=1, workers=1)
    after = contents(tiny)
    assert before.keys() == after.keys()
    assert all(before[path] != after[path] for path in before if path.startswith("clap/"))


@pytest.mark.parametrize("stranger", ["notes.txt", "clap/holiday.mp4", "holiday/take001_clap_01.avi"])
def test_a_set_with_something_else_in_it_is_not_touched(tiny: Path, stranger: str) -> None:
    (tiny / stranger).parent.mkdir(exist_ok=True)
    (tiny / stranger).write_bytes(b"mine")
    before = contents(tiny)
    with pytest.raises(UserError, match=stranger.split("/")[0]):
        render_demo(tiny, clips_per_class=1, seed=1)
    assert contents(tiny) == before


def test_videos_without_our_marker_are_not_touched(tiny: Path) -> None:
    (tiny / "demo_clips.json").unlink()
    before = contents(tiny)
    with pytest.raises(UserError, match=r"demo_clips\.json"):
        render_demo(tiny, clips_per_class=1)
    assert contents(tiny) == before


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        render_demo(tmp_path / "clips")


@pytest.mark.parametrize(
    "argument",
    [{"clips_per_class": 0}, {"workers": 0}, {"seed": -1}],
    ids=lambda argument: next(iter(argument)),
)
def test_arguments_out_of_range_are_refused(tmp_path: Path, argument: dict[str, int]) -> None:
    with pytest.raises(UserError):
        render_demo(tmp_path / "clips", **argument)  # type: ignore[arg-type]
    assert not (tmp_path / "clips").exists()
