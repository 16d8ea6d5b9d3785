import pytest
from rich.progress import Progress
from tests.helpers.published import (
    HMDB51_CLIPS,
    UCF101_CLIPS,
    contents,
    found,
    hmdb51_lists,
    hmdb51_rar,
    lists_rar,
    ucf101_lists,
    zip_bytes,
)
from tests.helpers.rars import Entry, rar_bytes

from muybridge.errors import UserError
from muybridge.verbs.get.unpacking import Unpacking, listed_clips, missing_clips, unpack_lists

DATA = b"RIFF" * 50
WANTED = contents(HMDB51_CLIPS, DATA)
HMDB51_RAR = hmdb51_rar(DATA)


def unpack(data: bytes, root, *, layout="hmdb51", lists=None) -> Unpacking:
    (root / "lists.rar").write_bytes(lists_rar(lists or hmdb51_lists()))
    unpack_lists(root / "lists.rar", root, layout=layout)
    listed = listed_clips(root / "splits", layout)
    with Progress(disable=True) as progress:
        unpacking = Unpacking(root, missing_clips(root, listed), listed, progress)
        (root / "a.bin").write_bytes(data)
        unpacking.unpack(root / "a.bin")
    assert not (root / ".unpacking").exists()
    return unpacking


def test_lists_name_the_class_of_every_clip(shared):
    hmdb51 = listed_clips(shared / "splits" / "hmdb51", "hmdb51")
    assert (len(hmdb51), len(set(hmdb51.values()))) == (6766, 51)
    ucf101 = listed_clips(shared / "splits" / "ucf101", "ucf101")
    assert (len(ucf101), len(set(ucf101.values()))) == (13320, 101)
    assert ucf101["v_HandStandPushups_g01_c01"] == "HandstandPushups"  # the folder is spelt differently


def test_archives_in_an_archive(tmp_path):
    unpacking = unpack(HMDB51_RAR, tmp_path)
    assert found(tmp_path) == WANTED
    assert (unpacking.placed, unpacking.missing) == (5, {})
    assert {p.name for p in tmp_path.iterdir()} == {"brush_hair", "wave", "splits", "a.bin", "lists.rar"}


@pytest.mark.parametrize("shape", ["{label}/{name}", "UCF101/{name}", "x/UCF-101/{label}/{name}"])
def test_class_folders_and_one_heap(tmp_path, shape):
    wanted = contents(UCF101_CLIPS, DATA)
    packed = {shape.format(label=p.partition("/")[0], name=p.partition("/")[2]): d for p, d in wanted.items()}
    packed |= {"__MACOSX/UCF101/._v_Archery_g01_c01.avi": b"x", "UCF101/.hidden.avi": b"x", "readme.txt": b"x"}
    unpacking = unpack(zip_bytes(packed), tmp_path, layout="ucf101", lists=ucf101_lists())
    assert found(tmp_path) == wanted
    assert unpacking.strangers == []


def test_clips_and_their_archive_side_by_side(tmp_path):
    """As in a copy that was unpacked, and then packed together with what it was unpacked from."""
    inner = rar_bytes([Entry("brush_hair/evil.avi", b"never read")])
    packed = WANTED | {"brush_hair/brush_hair.rar": inner, "copy/" + next(iter(WANTED)): DATA}
    unpack(zip_bytes(packed), tmp_path)
    assert found(tmp_path) == WANTED


def test_only_what_is_missing_is_unpacked(tmp_path):
    unpack(HMDB51_RAR, tmp_path)
    kept = tmp_path / "wave" / "TrumanShow_wave_f_nm_np1_fr_med_26.avi"
    kept.write_bytes(b"the user's own")
    (tmp_path / "wave" / "note.txt").write_text("mine")
    (tmp_path / "wave" / "Prelinger_wave_u_cm_np1_fr_bad_3.avi").unlink()
    assert unpack(HMDB51_RAR, tmp_path).placed == 1
    assert kept.read_bytes() == b"the user's own"
    assert (tmp_path / "wave" / "note.txt").read_text() == "mine"
    assert found(tmp_path).keys() == WANTED.keys()


def test_videos_that_no_list_names_are_left_out(tmp_path):
    unpacking = unpack(zip_bytes(WANTED | {"wave/holiday.avi": DATA}), tmp_path)
    assert unpacking.strangers == ["wave/holiday.avi"]
    assert found(tmp_path) == WANTED


def test_an_archive_that_lacks_clips(tmp_path):
    lost = sorted(WANTED)[0]
    unpacking = unpack(zip_bytes({path: data for path, data in WANTED.items() if path != lost}), tmp_path)
    assert list(unpacking.missing.values()) == [lost.partition("/")[0]]


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (Entry("wave/../../evil.avi", DATA), "leads out"),
        (Entry("wave/TrumanShow_wave_f_nm_np1_fr_med_26.avi", DATA, crc=1), "damaged at"),
    ],
)
def test_a_bad_inner_archive_leaves_whole_classes_and_nothing_else(tmp_path, bad, expected):
    root = tmp_path / "data"
    root.mkdir()
    good = {path: data for path, data in WANTED.items() if path.startswith("brush_hair")}
    inner = [
        Entry("brush_hair.rar", rar_bytes([Entry(*file) for file in good.items()])),
        Entry("wave.rar", rar_bytes([Entry("wave/Prelinger_wave_u_cm_np1_fr_bad_3.avi", DATA), bad])),
    ]
    with pytest.raises(UserError, match=rf"wave.rar in .*a.bin .*{expected}"):
        unpack(rar_bytes(inner), root)
    assert found(root) == good
    assert {p.name for p in root.iterdir()} == {"brush_hair", "splits", "a.bin", "lists.rar"}
    assert [p.name for p in tmp_path.iterdir()] == ["data"]
    assert unpack(HMDB51_RAR, root).placed == 2  # and a good archive completes it


@pytest.mark.parametrize("label", ["..", "../..", "/tmp", "C:", ".git"])
def test_lists_that_lead_elsewhere_are_refused(tmp_path, label):
    (tmp_path / "trainlist01.txt").write_text(f"{label}/v_Archery_g01_c01.avi 1\n")
    with pytest.raises(UserError, match="which is no folder; refused"):
        listed_clips(tmp_path, "ucf101")


def test_an_archive_without_lists(tmp_path):
    (tmp_path / "a.zip").write_bytes(zip_bytes({"wave/a.avi": b""}))
    with pytest.raises(UserError, match="holds no split lists of ucf101"):
        unpack_lists(tmp_path / "a.zip", tmp_path, layout="ucf101")
    assert not (tmp_path / "splits").exists()
