"""The official splits of HMDB-51, J-HMDB and UCF101, read from the lists their authors publish.

HMDB-51 has a file per class and split, `<class>_test_split<N>.txt`, whose lines end in 1 (train), 2 (test) or
0 (unused), and J-HMDB its own lists of the same names for its part of the same clips; UCF101 has
`trainlist0<N>.txt` and `testlist0<N>.txt`. Clips are matched by file name without suffix, which names source,
class and number in all of them and is unique in each, so that a re-encoded `.mp4` is found under the `.avi` of
the list and renamed class folders do no harm.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from muybridge.errors import UserError
from muybridge.text import printable

ListedPart = Literal["train", "test"] | None
"""The part that a list assigns a clip to; None for one it marks as unused."""

_USUAL_FOLDERS = (
    "splits", "lists", "testTrainMulti_7030_splits", "test_train_splits", "ucfTrainTestlist",
    "hmdb51", "ucf101", "splits/hmdb51", "splits/ucf101",
)  # fmt: skip
_HMDB51_PARTS: dict[str, ListedPart] = {"0": None, "1": "train", "2": "test"}


def read_official(number: int, *, root: Path, lists: Path | None = None) -> dict[str, ListedPart]:
    """Read one official split.

    Args:
        number: Which of the three splits, from 1.
        root: The catalog's root. Without `lists`, the lists are looked for in it, next to it, and in folders
            of their usual names in either place.
        lists: The folder that holds the lists, in itself or in a folder of a usual name.

    Returns:
        The part, `train`, `test` or None for unused, of every listed clip by file name without suffix.

    Raises:
        UserError: If there are no lists, a line is not as it should be, or two folders of lists disagree, as those of
            HMDB-51 and J-HMDB do.
    """
    if lists is not None and not lists.is_dir():
        raise UserError(f"the folder of official lists, {lists}, does not exist; name another with data.lists")
    for place in (root, root.parent) if lists is None else (lists,):
        parts: dict[str, ListedPart] = {}
        first_folder: dict[str, Path] = {}
        for folder in (place, *(place / name for name in _USUAL_FOLDERS)):
            for stem, part in (*_read_hmdb51(folder, number), *_read_ucf101(folder, number)):
                if parts.setdefault(stem, part) != part:
                    raise UserError(
                        f"two lists of split {number} disagree about {printable(stem)}: those in {first_folder[stem]} "
                        f"and in {folder}; name the right folder with data.lists"
                    )
                first_folder.setdefault(stem, folder)
        if parts:
            return parts
    raise UserError(
        f"no official lists for split {number} in {lists or root}; put HMDB-51's *_test_split{number}.txt, J-HMDB's "
        f"of the same names, or UCF101's trainlist{number:02}.txt and testlist{number:02}.txt into "
        f"{lists or root / 'splits'}"
    )


def _read_hmdb51(folder: Path, number: int) -> Iterator[tuple[str, ListedPart]]:
    for path in sorted(folder.glob(f"*_test_split{number}.txt")):
        for where, line in _lines(path):
            name, _, mark = line.rpartition(" ")
            if not name.strip() or mark not in _HMDB51_PARTS:
                raise UserError(f"{where}: expected a file name and 0, 1 or 2, found {line!r}")
            yield _stem(name.strip()), _HMDB51_PARTS[mark]


def _read_ucf101(folder: Path, number: int) -> Iterator[tuple[str, ListedPart]]:
    train, test = (folder / f"{part}list{number:02}.txt" for part in ("train", "test"))
    for path, other in ((train, test), (test, train)):
        if other.is_file() and not path.is_file():
            raise UserError(f"{path} is missing next to the other list of split {number}; put both there")
    if train.is_file():
        for where, line in _lines(train):
            name, _, class_number = line.rpartition(" ")
            if not name.strip() or not class_number.isdecimal():
                raise UserError(f"{where}: expected a file name and the number of its class, found {line!r}")
            yield _stem(name.strip()), "train"
        for _, line in _lines(test):
            yield _stem(line), "test"


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a list that are not blank, each with where it is.

    Bytes that are not UTF-8 are read as Python reads those of file names, so that the two compare equal.
    """
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}, line {number}", line.strip()
