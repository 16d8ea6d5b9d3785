"""The official lists: where they are found, and what is told when they are not right."""

from pathlib import Path

import pytest

from muybridge.dataset.official import read_official
from muybridge.errors import UserError

HMDB51 = """\
a_(x)_[1]!_wave_f_cm_np1_fr_med_0.avi 1
b.c_wave_f_cm_np1_fr_med_1.avi 2

d_wave_f_nm_np1_fr_med_1.avi 0
"""
HMDB51_PARTS = {
    "a_(x)_[1]!_wave_f_cm_np1_fr_med_0": "train",
    "b.c_wave_f_cm_np1_fr_med_1": "test",
    "d_wave_f_nm_np1_fr_med_1": None,
}


@pytest.mark.parametrize(
    "place", [".", "splits", "splits/hmdb51", "testTrainMulti_7030_splits", "../test_train_splits", ".."]
)
def test_hmdb51_lists_are_found_where_people_put_them(tmp_path: Path, place: str) -> None:
    root = tmp_path / "clips"
    root.mkdir()
    folder = root / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wave_test_split2.txt").write_text(HMDB51)
    assert read_official(2, root=root) == HMDB51_PARTS
    assert read_official(2, root=tmp_path / "other", lists=folder) == HMDB51_PARTS
    with pytest.raises(UserError, match=r"no official lists for split 1 .*trainlist01\.txt"):
        read_official(1, root=root)


def test_lists_that_disagree_are_told(tmp_path: Path) -> None:
    """J-HMDB's clips are HMDB-51's, under the same names, with lists of their own."""
    for name, mark in (("hmdb51", 1), ("splits", 1)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "wave_test_split1.txt").write_text(f"a_wave_f_cm_np1_fr_med_0.avi {mark}\n")
    assert read_official(1, root=tmp_path) == {"a_wave_f_cm_np1_fr_med_0": "train"}
    (tmp_path / "hmdb51" / "wave_test_split1.txt").write_text("a_wave_f_cm_np1_fr_med_0.avi 2\n")
    with pytest.raises(UserError, match=r"disagree about a_wave.*splits and in .*hmdb51; name .*data\.lists"):
        read_official(1, root=tmp_path)
    assert read_official(1, root=tmp_path, lists=tmp_path / "hmdb51") == {"a_wave_f_cm_np1_fr_med_0": "test"}


def test_ucf101_lists(tmp_path: Path) -> None:
    (tmp_path / "trainlist01.txt").write_text("Biking/v_Biking_g08_c01.avi 11\r\n")
    (tmp_path / "testlist01.txt").write_text("Biking/v_Biking_g01_c01.avi\r\n\r\n")
    assert read_official(1, root=tmp_path) == {"v_Biking_g08_c01": "train", "v_Biking_g01_c01": "test"}


def test_names_that_are_not_unicode_match_those_on_disk(tmp_path: Path) -> None:
    (tmp_path / "wave_test_split1.txt").write_bytes(b"caf\xe9_wave_f_cm_np1_fr_med_0.avi 1\n")
    assert read_official(1, root=tmp_path) == {"caf\udce9_wave_f_cm_np1_fr_med_0": "train"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("wave_test_split1.txt", "a.avi 1\nb.avi 3\n", r"split1\.txt, line 2: expected a file name and"),
        ("trainlist01.txt", "A/a.avi 1\n", r"testlist01\.txt is missing"),
        ("testlist01.txt", "A/a.avi\n", r"trainlist01\.txt is missing"),
    ],
)  # fmt: skip
def test_damaged_lists_are_told(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        read_official(1, root=tmp_path)


def test_a_train_list_without_class_numbers_is_told(tmp_path: Path) -> None:
    (tmp_path / "trainlist01.txt").write_text("Biking/v_Biking_g08_c01.avi\n")
    (tmp_path / "testlist01.txt").write_text("Biking/v_Biking_g01_c01.avi\n")
    with pytest.raises(UserError, match=r"trainlist01\.txt, line 1: expected a file name and the number"):
        read_official(1, root=tmp_path)


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_official(1, root=tmp_path, lists=tmp_path / "nothing")
