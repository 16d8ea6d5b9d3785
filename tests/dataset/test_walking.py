"""Walking a folder: what is a video, what is nobody's class, and what cannot be read."""

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.helpers.catalogs import make

from muybridge.dataset import walking
from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.naming_videos import find_videos
from muybridge.dataset.walking import walk
from muybridge.errors import UserError


def found(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in walk(root).videos]


def test_hidden_and_system_folders_are_left_out_at_any_depth(tmp_path: Path) -> None:
    systems = (
        "$RECYCLE.BIN",
        "System Volume Information",
        "@eaDir",
        "__MACOSX",
        "#recycle",
        "lost+found",
        ".Trash-1000",
    )
    for name in systems:
        make(tmp_path, f"{name}/x.mp4", f"walk/{name}/x.mp4", f"walk/deep/{name.upper()}/x.mp4")
    make(tmp_path, "walk/._a.mp4", "walk/.DS_Store", "walk/a.mp4", "run/b.MP4", "run/Thumbs.db")
    assert found(tmp_path) == ["run/b.MP4", "walk/a.mp4"]
    assert read_catalog(tmp_path).classes == ("run", "walk")


@pytest.mark.parametrize(
    "traces",
    [
        ("split.json", "recipe.yaml", "strips/a/b.mp4"),
        ("split.json", "ensemble.json", "strips/b.mp4"),
        ("model.json", "model.safetensors", "deep/b.mp4"),
        ("check.json", "check.csv"),
    ],
)
def test_what_muybridge_made_is_no_class_and_is_named(tmp_path: Path, traces: tuple[str, ...]) -> None:
    make(tmp_path, "walk/a.mp4", "run/a.mp4", *(f"outputs/1/{name}" for name in traces))
    catalog = read_catalog(tmp_path)
    assert catalog.classes == ("run", "walk")
    assert "left out, made by muybridge: outputs/1" in catalog.notes
    assert not any("outputs" in note for note in catalog.notes if "not a class" in note)


def test_the_demonstration_beside_classes_is_no_class(tmp_path: Path) -> None:
    make(tmp_path, "walk/a.mp4", "run/a.mp4", "muybridge-demo/clips/demo_clips.json", "muybridge-demo/clips/up/1.mp4")
    assert read_catalog(tmp_path).classes == ("run", "walk")
    make(tmp_path, "muybridge-demo/clips/down/1.mp4")
    assert read_catalog(tmp_path / "muybridge-demo" / "clips").classes == ("down", "up")


def test_a_class_folder_keeps_its_videos_whatever_else_lies_there(tmp_path: Path) -> None:
    make(tmp_path, "cook/recipe.yaml", "cook/split.json", "cook/a.mp4", "run/a.mp4", "fetched/check.json")
    make(tmp_path, "fetched/check.csv", "fetched/1/a.mp4")
    assert read_catalog(tmp_path).classes == ("cook", "fetched", "run")


def test_pipes_and_devices_are_named_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "walk/a.mp4", "run/a.mp4")
    os.mkfifo(tmp_path / "walk/pipe.mp4")
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("run/socket.mp4")
        (tmp_path / "run/device.mp4").symlink_to("/dev/null")
        catalog = read_catalog(tmp_path)
        said: list[str] = []
        named = find_videos([tmp_path], announce=said.append)
    assert sorted(catalog.by_id) == ["run/a.mp4", "walk/a.mp4"]
    assert named == [tmp_path / "run/a.mp4", tmp_path / "walk/a.mp4"]
    note = "left out, a pipe or device and no file: run/device.mp4, run/socket.mp4, walk/pipe.mp4"
    assert note in catalog.notes
    assert said == [f"note: {tmp_path}: {note}"]


def test_a_link_that_leads_nowhere_stays_to_be_named_as_unreadable(tmp_path: Path) -> None:
    make(tmp_path, "walk/a.mp4", "run/a.mp4")
    (tmp_path / "walk/gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (tmp_path / "walk/self.mp4").symlink_to(tmp_path / "walk/self.mp4")
    assert found(tmp_path) == ["run/a.mp4", "walk/a.mp4", "walk/gone.mp4", "walk/self.mp4"]


def test_a_link_to_a_folder_above_is_no_way_round(tmp_path: Path) -> None:
    make(tmp_path, "data/walk/a.mp4", "data/run/a.mp4")
    (tmp_path / "data/walk/up").symlink_to(tmp_path / "data")
    (tmp_path / "data/run/over").symlink_to(tmp_path / "data/walk")
    (tmp_path / "data/run/self").symlink_to(tmp_path / "data/run")
    assert found(tmp_path / "data") == ["run/a.mp4", "run/over/a.mp4", "walk/a.mp4"]
    notes = read_catalog(tmp_path / "data").notes
    assert any("not followed" in note and "walk/up" in note and "run/self" in note for note in notes)


def test_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    names = [f"class{number}" for number in range(7)]
    make(tmp_path, *(f"{name}/a.mp4" for name in names))
    for name in names:
        for other in names:
            (tmp_path / name / f"to_{other}").symlink_to(tmp_path / other)
    assert len(walk(tmp_path).videos) < 1000


def test_predict_train_and_check_see_the_same_files(tmp_path: Path) -> None:
    make(tmp_path, "walk/a.mp4", "walk/._a.mp4", "walk/.cache/b.mp4", "run/__MACOSX/a.mp4", "run/b.265", "run/c.DV")
    make(tmp_path, "elsewhere/d.mkv", "walk/notes.txt")
    (tmp_path / "walk/linked").symlink_to(tmp_path / "elsewhere")
    catalog = read_catalog(tmp_path)
    assert find_videos([tmp_path]) == sorted(clip.path for clip in catalog.clips)
    assert {"run/b.265", "run/c.DV", "walk/linked/d.mkv"} < set(catalog.by_id)


@pytest.mark.parametrize("verb", [read_catalog, walk, lambda path: find_videos([path])])
def test_an_unreadable_folder_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: Callable[[Path], object]
) -> None:
    make(tmp_path, "walk/a.mp4", "run/a.mp4", "run/private/b.mp4")
    scan = os.scandir

    def refusing(path: str | Path) -> object:
        if Path(path).name == "private":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scan(path)

    monkeypatch.setattr(walking.os, "scandir", refusing)  # the tests may run as root, whom nothing is refused
    with pytest.raises(UserError, match=r"run/private cannot be read \(Permission denied\)"):
        verb(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork") or os.geteuid() != 0, reason="needs a user to step down from")
def test_an_unreadable_folder_of_another_user_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, "walk/a.mp4", "run/a.mp4")
    for above in tmp_path.parents:
        if above.stat().st_uid == os.geteuid() and above != Path(above.anchor):
            above.chmod(above.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    (tmp_path / "run").chmod(0o700)
    os.seteuid(65534)
    try:
        with pytest.raises(UserError, match=r"run cannot be read \(Permission denied\)"):
            walk(tmp_path)
    finally:
        os.seteuid(0)


def test_nothing_found_and_nothing_there_are_told(tmp_path: Path) -> None:
    make(tmp_path, "walk/a.txt")
    with pytest.raises(UserError, match="no video files in"):
        find_videos([tmp_path])
    with pytest.raises(UserError, match="no such file, folder or pattern"):
        find_videos([tmp_path / "*.mp4"])
    with pytest.raises(UserError, match="no such file, folder or pattern"):
        find_videos([tmp_path / ("x" * 5000)])
