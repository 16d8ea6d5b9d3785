"""Catalogs read from folders and CSV files."""

from pathlib import Path

import pytest
from tests.helpers.catalogs import make

from muybridge.dataset.catalog import Catalog
from muybridge.dataset.layouts import read_catalog
from muybridge.errors import UserError


def table(catalog: Catalog) -> dict[str, tuple[str, str, str | None]]:
    return {clip.id: (clip.label, clip.group, clip.split) for clip in catalog.clips}


def test_folder_per_class(tmp_path: Path) -> None:
    make(tmp_path, "walk/b.MP4", "walk/deep/er/a.avi", "run/x.webm", "run/notes.txt", "run/.hidden.mp4")
    make(tmp_path, ".git/x.mp4", "__MACOSX/run/x.mp4", "loose.mp4", "readme")
    (tmp_path / "empty").mkdir()
    catalog = read_catalog(tmp_path)
    assert (catalog.layout, catalog.root) == ("folders", tmp_path)
    assert {clip.id: clip.label for clip in catalog.clips} == {
        "run/x.webm": "run",
        "walk/b.MP4": "walk",
        "walk/deep/er/a.avi": "walk",
    }
    assert all(clip.path.is_file() and clip.group == clip.id for clip in catalog.clips)
    notes = "\n".join(catalog.notes)
    assert "3 clips of 2 classes" in notes
    assert "1 file skipped, not videos by their suffix: 1 .txt" in notes
    assert "1 video skipped" in notes
    assert "1 folder without videos, not a class: empty" in notes
    assert "source groups unknown" in notes


def test_relative_path_and_home_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "clips/walk/a.mp4", "clips/run/a.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_catalog(Path("clips")) == read_catalog(Path("~/clips")) == read_catalog(tmp_path / "clips")


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    make(tmp_path, "data/walk/a.mp4", "data/run/a.mp4", "elsewhere/b.mp4")
    (tmp_path / "data/walk/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/walk/circle").symlink_to(tmp_path / "data/walk")
    (tmp_path / "data/jump").symlink_to(tmp_path / "elsewhere")
    ids = [clip.id for clip in read_catalog(tmp_path / "data").clips]
    assert ids == ["jump/b.mp4", "run/a.mp4", "walk/a.mp4", "walk/more/b.mp4"]


def test_folders_named_after_the_parts_are_the_given_split(tmp_path: Path) -> None:
    make(tmp_path, "Train/walk/a.mp4", "Train/run/b.mp4", "val/walk/c.mp4", "test/run/d.mp4")
    catalog = read_catalog(tmp_path)
    assert {clip.id: (clip.label, clip.split) for clip in catalog.clips} == {
        "Train/run/b.mp4": ("run", "train"),
        "Train/walk/a.mp4": ("walk", "train"),
        "test/run/d.mp4": ("run", "test"),
        "val/walk/c.mp4": ("walk", "validation"),
    }
    assert "given split: the folders Train, test, val" in catalog.notes


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no videos"),
        (["a.mp4", "b.mp4"], "2 videos outside a class folder"),
        (["walk/1.jpg", "walk/2.jpg"], r"only 2 \.jpg"),
    ],
)
def test_folders_without_clips_are_told(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_catalog(make(tmp_path, *names))


def test_missing_path_wrong_layout_and_unknown_options_are_told(tmp_path: Path) -> None:
    make(tmp_path, "walk/a.mp4", "run/a.mp4")
    with pytest.raises(UserError, match="does not exist"):
        read_catalog(tmp_path / "nothing")
    with pytest.raises(UserError, match="not named as hmdb51"):
        read_catalog(tmp_path, layout="hmdb51")
    with pytest.raises(UserError, match="is a file"):
        read_catalog(tmp_path / "walk/a.mp4", layout="folders")
    with pytest.raises(UserError, match="did you mean 'ucf101'"):
        read_catalog(tmp_path, layout="ucf-101")  # type: ignore[arg-type]


def test_one_class_is_readable_and_noted(tmp_path: Path) -> None:
    assert any("1 class (walk)" in note for note in read_catalog(make(tmp_path, "walk/a.mp4")).notes)


# Source groups.


def test_hmdb51_groups_keep_every_odd_character(tmp_path: Path) -> None:
    names = [
        "cartwheel/(Rad)Schlag_die_Bank!_cartwheel_f_cm_np1_le_med_0.avi",
        "cartwheel/(Rad)Schlag_die_Bank!_cartwheel_f_cm_np1_ri_bad_1.avi",
        "catch/Day_#_2.5_[x];-)_catch_u_nm_np12_ba_goo_3.avi",
        "catch/stranger.avi",
    ]
    catalog = read_catalog(make(tmp_path, *names))
    assert catalog.layout == "hmdb51"
    assert {clip.id: clip.group for clip in catalog.clips} == {
        names[0]: "(Rad)Schlag_die_Bank!_cartwheel",
        names[1]: "(Rad)Schlag_die_Bank!_cartwheel",
        names[2]: "Day_#_2.5_[x];-)_catch",
        names[3]: names[3],
    }
    assert "1 clip not named so: the source group of each is unknown" in catalog.notes
    assert [clip.group for clip in read_catalog(tmp_path, groups="none").clips] == sorted(names)


def test_ucf101_group_numbers_are_told_apart_by_class(tmp_path: Path) -> None:
    make(tmp_path, "Biking/v_Biking_g01_c01.avi", "Diving/v_Diving_g01_c01.avi", "Diving/v_Diving_g01_c02.avi")
    catalog = read_catalog(tmp_path)
    assert catalog.layout == "ucf101"
    assert [clip.group for clip in catalog.clips] == ["Biking_g01", "Diving_g01", "Diving_g01"]


def test_numbered_pieces_of_a_source_are_guessed_and_said(tmp_path: Path) -> None:
    names = [f"{label}/game{g}_{n:03}.mp4" for label in ("shot", "pass") for g in (1, 2, 3) for n in (1, 2)]
    catalog = read_catalog(make(tmp_path, *names))
    assert {clip.group for clip in catalog.clips} == {f"{a}/game{g}" for a in ("shot", "pass") for g in (1, 2, 3)}
    assert any("guessed from numbered file names" in note for note in catalog.notes)


def test_plainly_numbered_clips_are_not_taken_for_one_source(tmp_path: Path) -> None:
    names = [f"{label}/clip_{n:03}.mp4" for label in ("walk", "run") for n in range(9)]
    assert [clip.group for clip in read_catalog(make(tmp_path, *names)).clips] == sorted(names)


def test_folders_inside_class_folders_are_sources(tmp_path: Path) -> None:
    names = [f"{label}/source{g}/{n}.mp4" for label in ("walk", "run") for g in (1, 2, 3) for n in (1, 2)]
    catalog = read_catalog(make(tmp_path, *names))
    assert {clip.id: clip.group for clip in catalog.clips} == {name: name.rpartition("/")[0] for name in names}


# CSV.


def write_csv(root: Path, text: str, encoding: str = "utf-8") -> Path:
    make(root, "clips/a.mp4", "clips/b.mp4", "clips/c, d.mp4", "clips/é.mp4")
    (root / "clips.csv").write_text(text, encoding=encoding)
    return root / "clips.csv"


def test_csv_with_every_column(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path,
        "Path, label, group, split, start, end, fps\n"
        "clips/a.mp4,walk,s1,train,0,2.5,25\n"
        "clips/a.mp4,run,s1,VAL,2.5,,25\n"
        "\n"
        '"clips/c, d.mp4",walk,,test,,,25\n'
        "clips/b.mp4,run\n",
    )
    catalog = read_catalog(path)
    assert table(catalog) == {
        "clips/a.mp4#0-2.5": ("walk", "s1", "train"),
        "clips/a.mp4#2.5-": ("run", "s1", "validation"),
        "clips/b.mp4": ("run", "clips/b.mp4", None),
        "clips/c, d.mp4": ("walk", "clips/c, d.mp4", "test"),
    }
    assert catalog.by_id["clips/a.mp4#0-2.5"].end_seconds == 2.5
    assert catalog == read_catalog(tmp_path)
    notes = "\n".join(catalog.notes)
    for note in ("columns ignored: fps", "1 clip with an empty split", "2 clips without a group"):
        assert note in notes


def test_csv_without_groups_ties_the_parts_of_a_file(tmp_path: Path) -> None:
    text = "path,label,start_seconds,end_seconds\nclips/a.mp4,walk,0,1\nclips/a.mp4,run,1,2\nclips/b.mp4,run,,\n"
    catalog = read_catalog(write_csv(tmp_path, text))
    assert [clip.group for clip in catalog.clips] == ["clips/a.mp4", "clips/a.mp4", "clips/b.mp4"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_what_spreadsheets_write_is_read(tmp_path: Path, encoding: str, delimiter: str, newline: str) -> None:
    rows = [["path", "label"], ["clips/a.mp4", "walk, or run"], ["clips/é.mp4", "stehen"]]
    if delimiter == ",":
        rows[1][1] = '"walk, or run"'
    text = newline.join(delimiter.join(row) for row in rows)
    catalog = read_catalog(write_csv(tmp_path, newline + text, encoding))
    assert {clip.id: clip.label for clip in catalog.clips} == {
        "clips/a.mp4": "walk, or run",
        "clips/é.mp4": "stehen",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("path,label\n", "no clips"),
        ("path,colour\nclips/a.mp4,walk\n", r"line 1: no column label.*found: path, colour"),
        ("path,label,Label\n", "two columns are named label"),
        ("path,label\nclips/a.mp4,walk\n\nclips/b.mp4,\n", "line 4: the label is empty"),
        ("path,label\n,walk\n", "line 2: the path is empty"),
        ("path,label,split\nclips/a.mp4,walk,tset\n", "line 2: unknown split 'tset'; did you mean 'test'"),
        ("path,label,start\nclips/a.mp4,walk,1:75\n", "line 2: start is '1:75'"),
        ("path,label,end\nclips/a.mp4,walk,nan\n", "line 2: end is 'nan'"),
        ("path,label,start\nclips/a.mp4,walk,-1\n", "line 2: start is '-1'"),
        ("path,label,start,end\nclips/a.mp4,walk,3,2\n", "line 2: the clip ends at 2 s"),
        ("path,label\nclips/a.mp4,walk\nclips/a.mp4,run\n", r"line 3: clips/a\.mp4 is already in line 2"),
        (
            "path,label\nclips/x.mp4,walk\nclips/y.mp4,walk\n",
            r"line 2: clips/x\.mp4 does not exist \(nor do 1 ",
        ),
    ],
)
def test_mistakes_in_a_csv_are_told_in_one_line_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_catalog(write_csv(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "clips.csv" in str(caught.value)


def test_bytes_that_are_not_text_are_told_with_their_line(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "path,label\nclips/a.mp4,walk\nclips/\xe9.mp4,run\n", "latin-1")
    with pytest.raises(UserError, match="line 3: not utf-8 text"):
        read_catalog(path)


def test_the_real_clips(shared: Path) -> None:
    data = shared / "data" / "ucf101-10"
    by_csv, by_folder = read_catalog(data), read_catalog(data / "clips")
    assert (by_csv.layout, by_folder.layout) == ("csv", "ucf101")
    assert len(by_csv.clips) == len(by_folder.clips) == 659
    assert [clip.group for clip in by_csv.clips] == [clip.group for clip in by_folder.clips]
    assert any("restart in every class" in note for note in by_csv.notes)
    assert len(by_csv.classes) == 10
