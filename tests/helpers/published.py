"""Small data sets in archives of the shape in which HMDB-51 and UCF101 are published."""

import hashlib
import io
import zipfile
from pathlib import Path

from muybridge.verbs.get.datasets import Archive, DatasetSource
from tests.helpers.clips import write_clip
from tests.helpers.rars import Entry, folder, rar_bytes

SPECIAL = "(Rad)Schl#g_die_Bank!_&_[x];~_brush_hair_u_nm_np1_ba_goo_0.avi"  # signs that HMDB-51's names have
HMDB51_CLIPS = {
    "brush_hair": (
        SPECIAL,
        "April_09_brush_hair_u_nm_np1_ba_goo_1.avi",
        "Müller_brush_hair_f_cm_np2_le_med_2.avi",
    ),
    "wave": ("TrumanShow_wave_f_nm_np1_fr_med_26.avi", "Prelinger_wave_u_cm_np1_fr_bad_3.avi"),
}
UCF101_CLIPS = {
    "Archery": tuple(f"v_Archery_g{group:02}_c01.avi" for group in (1, 2, 8)),
    "HandstandPushups": tuple(f"v_HandStandPushups_g{group:02}_c01.avi" for group in (1, 9)),
}


def clip_bytes(folder: Path) -> bytes:
    """One real video; which one it is does not matter here."""
    path = folder / "clip.avi"
    if not path.exists():
        write_clip(path, level=120, seed=1)
    return path.read_bytes()


def _clip(data: bytes, number: int) -> bytes:
    return data + bytes([number]) * 3  # distinct, still decodes


def contents(names: dict[str, tuple[str, ...]], data: bytes) -> dict[str, bytes]:
    """What is to be in the folder in the end, by `class/name`."""
    paths = [f"{label}/{name}" for label, members in names.items() for name in members]
    return {path: _clip(data, number) for number, path in enumerate(paths)}


def hmdb51_rar(data: bytes, *, compressed: bool = False, extra: tuple[Entry, ...] = ()) -> bytes:
    """A RAR of one RAR per class."""
    files = contents(HMDB51_CLIPS, data)
    inner = []
    for label, names in HMDB51_CLIPS.items():
        entries = [Entry(f"{label}/{name}", files[f"{label}/{name}"], compressed=compressed) for name in names]
        inner.append(Entry(f"{label}.rar", rar_bytes([folder(label), *entries])))
    return rar_bytes([*inner, *extra])


def hmdb51_lists() -> dict[str, str]:
    """The lists, as `test_train_splits.rar` holds them: train, test or unused by turns."""
    lists = {}
    for label, names in HMDB51_CLIPS.items():
        for split in (1, 2, 3):
            marks = [1 + (number + split) % 2 for number in range(len(names))]
            if split == 3:
                marks[-1] = 0
            lines = [f"{name} {mark} \n" for name, mark in zip(names, marks, strict=True)]
            lists[f"testTrainMulti_7030_splits/{label}_test_split{split}.txt"] = "".join(lines)
    return lists


def ucf101_lists() -> dict[str, str]:
    every = [
        (f"{label}/{name}", number) for number, label in enumerate(UCF101_CLIPS, 1) for name in UCF101_CLIPS[label]
    ]
    lists = {"ucfTrainTestlist/classInd.txt": "1 Archery\n2 HandstandPushups\n"}
    for split, tested in ((1, "_g01_"), (2, "_g02_"), (3, "_g08_")):
        lists[f"ucfTrainTestlist/testlist0{split}.txt"] = "".join(f"{p}\r\n" for p, _ in every if tested in p)
        lists[f"ucfTrainTestlist/trainlist0{split}.txt"] = "".join(f"{p} {n}\r\n" for p, n in every if tested not in p)
    return lists


def lists_rar(lists: dict[str, str]) -> bytes:
    return rar_bytes([Entry(name, text.encode()) for name, text in lists.items()])


def zip_bytes(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def md5(data: bytes) -> str:
    return "md5:" + hashlib.md5(data).hexdigest()


def archive(name: str, data: bytes, *hosts: str, checksum: str | None = None) -> Archive:
    return Archive(name, tuple(f"{host}/{name}" for host in hosts), size_bytes=len(data), checksum=checksum)


def hmdb51(clips: tuple[Archive, ...], lists: tuple[Archive, ...]) -> DatasetSource:
    return DatasetSource("tiny51", "Tiny HMDB", "hmdb51", clips, lists, 2, 5, ((2, 3), (3, 2), (1, 2)), "ours")


def ucf101(clips: tuple[Archive, ...], lists: tuple[Archive, ...]) -> DatasetSource:
    return DatasetSource("tiny101", "Tiny UCF", "ucf101", clips, lists, 2, 5, ((3, 2), (4, 1), (4, 1)), "ours")


def found(root: Path) -> dict[str, bytes]:
    """The clips in the folder, by `class/name`."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.glob("[!.]*/*.avi")}
