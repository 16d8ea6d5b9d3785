"""Which folders are classes and which are parts, and what is said one level too high or too low."""

from pathlib import Path

import pytest
from tests.helpers.catalogs import make

from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.part_names import part_of
from muybridge.errors import UserError


def read(root: Path, *names: str) -> dict[str, tuple[str, str | None]]:
    return {clip.id: (clip.label, clip.split) for clip in read_catalog(make(root, *names)).clips}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", "train"), ("TRAIN", "train"), ("training", "train"), ("train_set", "train"),
        ("Training Set", "train"), ("videos_train", "train"), ("train-videos", "train"), ("trainset", "train"),
        ("val", "validation"),
        ("valid", "validation"), ("Validation", "validation"), ("dev_set", "validation"), ("test", "test"),
        ("test_videos", "test"), ("test.clips", "test"), ("TestSet", "test"), ("eval", "test"), ("trains", None),
        ("train_station", None), ("videos", None), ("testimony", None), ("", None), ("training wheels", None),
    ],
)  # fmt: skip
def test_names_of_parts(name: str, part: str | None) -> None:
    assert part_of(name) == part


@pytest.mark.parametrize("train", ["train", "Training", "videos_train", "train_set", "train videos"])
@pytest.mark.parametrize("test", ["test", "Test-Set"])
def test_parts_are_parts_whatever_lies_beside_them(tmp_path: Path, train: str, test: str) -> None:
    (tmp_path / "notes").mkdir()
    clips = read(tmp_path, f"{train}/walk/a.mp4", f"{train}/run/b.mp4", f"{test}/run/c.mp4", "README.md", "l.csv")
    assert clips == {
        f"{train}/walk/a.mp4": ("walk", "train"),
        f"{train}/run/b.mp4": ("run", "train"),
        f"{test}/run/c.mp4": ("run", "test"),
    }


def test_videos_beside_parts_are_left_out_and_said(tmp_path: Path) -> None:
    make(tmp_path, "train/walk/a.mp4", "train/run/b.mp4", "test/run/c.mp4", "extra/d.mp4", "more/walk/e.mp4", "f.mp4")
    catalog = read_catalog(tmp_path)
    assert catalog.classes == ("run", "walk")
    assert "left out, beside the part folders: extra (1 video), more (1 video)" in catalog.notes
    assert "1 video skipped, outside a class folder" in catalog.notes


def test_unlabelled_videos_of_a_part_are_left_out_and_said(tmp_path: Path) -> None:
    make(tmp_path, "train/walk/a.mp4", "train/run/b.mp4", "val/run/c.mp4", "test/1.mp4", "test/2.mp4")
    catalog = read_catalog(tmp_path)
    assert {clip.split for clip in catalog.clips} == {"train", "validation"}
    assert "left out, beside the part folders: test (2 videos)" in catalog.notes


def test_a_folder_train_with_videos_among_classes_is_a_class(tmp_path: Path) -> None:
    make(tmp_path, "bus/a.mp4", "train/b.mp4", "test/c.mp4")
    catalog = read_catalog(tmp_path)
    assert {clip.label: clip.split for clip in catalog.clips} == {"bus": None, "train": None, "test": None}
    assert sum("taken as a class, since videos lie directly in it" in note for note in catalog.notes) == 2


def test_a_class_train_with_sources_is_a_class(tmp_path: Path) -> None:
    make(tmp_path, "bus/s1/a.mp4", "bus/s2/a.mp4", "car/s3/a.mp4", "train/s4/a.mp4", "train/s5/a.mp4")
    catalog = read_catalog(tmp_path)
    assert catalog.classes == ("bus", "car", "train")
    assert "taken as a class, since no other part lies beside it: train" in catalog.notes


def test_classes_beside_their_held_out_part(tmp_path: Path) -> None:
    clips = read(tmp_path, "walk/a.mp4", "run/b.mp4", "test/walk/c.mp4", "test/run/d.mp4")
    assert clips == {
        "walk/a.mp4": ("walk", "train"),
        "run/b.mp4": ("run", "train"),
        "test/walk/c.mp4": ("walk", "test"),
        "test/run/d.mp4": ("run", "test"),
    }


@pytest.mark.parametrize(
    "names",
    [
        ("train/walk/a.mp4", "train/run/b.mp4", "holdout/walk/c.mp4", "holdout/run/d.mp4"),
        ("train/walk/a.mp4", "train/run/b.mp4", "walk/c.mp4"),
        ("train/walk/a.mp4", "train/run/b.mp4", "extra/c.mp4"),
    ],
)
def test_one_part_beside_what_may_be_anything_is_asked_about(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=rf"is train of .* a part or a class\?.*give {tmp_path}/train alone"):
        read(tmp_path, *names)


def test_the_only_part_is_divided_anew(tmp_path: Path) -> None:
    assert read(tmp_path, "train/walk/a.mp4", "train/run/b.mp4", "README") == {
        "train/walk/a.mp4": ("walk", None),
        "train/run/b.mp4": ("run", None),
    }


def test_parts_without_class_folders_have_no_labels(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"videos lie directly in test, train of .* so they have no labels"):
        read(tmp_path, "train/a.mp4", "test/b.mp4")


def test_parts_inside_the_class_folders(tmp_path: Path) -> None:
    clips = read(tmp_path, "walk/train/a.mp4", "walk/test/b.mp4", "run/train/c.mp4", "run/val/d.mp4")
    assert clips == {
        "walk/train/a.mp4": ("walk", "train"),
        "walk/test/b.mp4": ("walk", "test"),
        "run/train/c.mp4": ("run", "train"),
        "run/val/d.mp4": ("run", "validation"),
    }


@pytest.mark.parametrize("inner", ["UCF-101", "videos", "deep/down", "data/train"])
def test_one_folder_too_high_names_the_folder_meant(tmp_path: Path, inner: str) -> None:
    make(tmp_path, f"{inner}/walk/a.mp4", f"{inner}/run/b.mp4", "labels.txt", "splits/list.txt", "runs/x/metrics.csv")
    with pytest.raises(UserError, match=rf"give {tmp_path}/{inner}, to take what it holds as classes \(run, walk\)"):
        read_catalog(tmp_path)
    assert read_catalog(tmp_path / inner).classes == ("run", "walk")


def test_a_data_set_with_parts_beside_another_folder_is_named(tmp_path: Path) -> None:
    make(tmp_path, "mine/train/walk/a.mp4", "mine/test/walk/b.mp4", "other/c.mp4")
    with pytest.raises(UserError, match=rf"give {tmp_path}/mine$"):
        read_catalog(tmp_path)


def test_one_folder_too_low_names_the_folder_above(tmp_path: Path) -> None:
    make(tmp_path, "walk/a.mp4", "walk/b.mp4", "run/a.mp4", "notes/x.txt")
    with pytest.raises(UserError, match=rf"2 videos outside a class folder.*give .*{tmp_path}, which also has run;"):
        read_catalog(tmp_path / "walk")


def test_one_video_is_a_catalog_labelled_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "clips/walk/a.MP4")
    catalog = read_catalog(tmp_path / "clips/walk/a.MP4")
    assert (catalog.layout, catalog.root) == ("file", tmp_path / "clips")
    assert [(clip.id, clip.label) for clip in catalog.clips] == [("walk/a.MP4", "walk")]
    (tmp_path / "clips/walk/deep").mkdir()
    monkeypatch.chdir(tmp_path / "clips/walk/deep")
    assert read_catalog(Path("../a.MP4")).classes == ("walk",)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"<!doctype html>\n", b'{"a": 1}\n'])
def test_a_file_that_is_neither_a_table_nor_a_video_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.dat").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.dat is neither a table nor a video"):
        read_catalog(tmp_path / "x.dat")


def test_a_spreadsheet_is_told_to_be_saved_as_csv(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(UserError, match="save the table as CSV"):
        read_catalog(tmp_path / "x.xlsx")


def test_a_loose_video_does_not_hide_that_the_folder_is_too_high(tmp_path: Path) -> None:
    make(tmp_path, "holiday.mp4", "videos/walk/a.mp4", "videos/run/b.mp4")
    with pytest.raises(UserError, match=rf"give {tmp_path}/videos, to take"):
        read_catalog(tmp_path)


def test_a_folder_between_parts_and_classes_is_told(tmp_path: Path) -> None:
    make(tmp_path, "train/videos/walk/a.mp4", "train/videos/run/b.mp4", "test/videos/run/c.mp4")
    with pytest.raises(UserError, match=r"lie in a folder videos: move what it holds \(run, walk\)"):
        read_catalog(tmp_path)


def test_official_names_tell_that_the_classes_are_further_down(tmp_path: Path) -> None:
    make(tmp_path, "UCF-101/Biking/v_Biking_g01_c01.avi", "UCF-101/Diving/v_Diving_g01_c01.avi", "other/x.mp4")
    with pytest.raises(UserError, match=rf"is a clip of Biking by its name.*give {tmp_path}/UCF-101$"):
        read_catalog(tmp_path)
    assert read_catalog(tmp_path / "UCF-101").classes == ("Biking", "Diving")
    make(tmp_path, "mine/ride/game1/v_Biking_g02_c01.avi", "mine/dive/game2/v_Diving_g02_c01.avi")
    assert read_catalog(tmp_path / "mine").classes == ("dive", "ride")


def test_a_table_beside_videos_without_class_folders_is_named(tmp_path: Path) -> None:
    make(tmp_path, "videos/a.mp4", "videos/b.mp4")
    (tmp_path / "classes.csv").write_text("id,what\n1,walk\n", encoding="utf-8")
    (tmp_path / "labels.csv").write_text("file,class\na.mp4,walk\nb.mp4,run\n", encoding="utf-8")
    assert any(f"to read it, give {tmp_path}/labels.csv" in note for note in read_catalog(tmp_path).notes)
    with pytest.raises(UserError, match=r"line 2: a\.mp4 does not exist.*there is a videos/a\.mp4"):
        read_catalog(tmp_path / "labels.csv")
    (tmp_path / "videos/labels.csv").write_text("file,class\na.mp4,walk\nb.mp4,run\n", encoding="utf-8")
    with pytest.raises(UserError, match=rf"give {tmp_path}/videos/labels\.csv"):
        read_catalog(tmp_path / "videos")
