"""From archives to the layout that the readers know: a folder per class, and the official lists in `splits`.

Notable: the official lists are the authority on which clips there are and to which class each belongs, so an archive
may hold class folders, one archive per class (HMDB-51's RAR), or all clips in one heap (a copy of UCF101). What is
there already is not unpacked again. Clips are written to a hidden folder first and moved class by class, each
when it is whole, so that a class folder never holds half a clip.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from rich.progress import Progress

from muybridge.dataset.walking import VIDEO_SUFFIXES
from muybridge.errors import UserError
from muybridge.text import printable
from muybridge.verbs.get.archives import Member, open_archive
from muybridge.verbs.get.datasets import Layout
from muybridge.verbs.get.downloading import require_space

SPLITS_FOLDER = "splits"
_WORKING_FOLDER = ".unpacking"
_LIST_PATTERNS: Mapping[Layout, tuple[str, ...]] = {
    "hmdb51": ("*_test_split[1-9].txt",),
    "ucf101": ("trainlist0[1-9].txt", "testlist0[1-9].txt", "classInd.txt"),
}


def listed_clips(folder: Path, layout: Layout) -> dict[str, str]:
    """The class of every clip that the official lists name, by its file name without suffix.

    HMDB-51's lists are named `<class>_test_split<N>.txt`; UCF101's lines begin with `<class>/`.

    Raises:
        UserError: If a class could not be the name of a folder.
    """
    labels = {}  # by file name, since every clip is in three lists
    for pattern in _LIST_PATTERNS[layout]:
        for path in sorted(folder.glob(pattern)):
            for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
                if layout == "hmdb51":
                    name, label = line.strip().rpartition(" ")[0].strip(), path.name.rpartition("_test_split")[0]
                else:
                    label, _, name = line.strip().partition(" ")[0].rpartition("/")
                if name and label:
                    labels[name] = label
    for label in set(labels.values()):  # it becomes a folder, and the lists come from the net
        if label.startswith(".") or any(sign in label for sign in "/\\:\0"):
            raise UserError(
                f"the lists in {folder} name the class {printable(label)!r}, which is no folder; refused, "
                "give other lists with get.given"
            )
    return {PurePosixPath(name).stem: label for name, label in labels.items()}


def missing_clips(root: Path, listed: Mapping[str, str]) -> dict[str, str]:
    """Those of the listed clips that are not in their class folder, as `listed_clips` returns them."""
    present = {
        (label, path.stem)
        for label in set(listed.values())
        for path in (root / label).glob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES
    }
    return {stem: label for stem, label in listed.items() if (label, stem) not in present}


def unpack_lists(archive: Path, root: Path, *, layout: Layout) -> None:
    """Put the official lists of an archive into `splits`.

    Raises:
        UserError: If the archive is damaged or holds no lists.
    """
    with _working_folder(root) as working, open_archive(archive) as opened:
        patterns = _LIST_PATTERNS[layout]
        members = (member for member in opened.members if not _is_rubbish(member))
        lists = {m.path.name: m for m in members if any(m.path.match(pattern) for pattern in patterns)}
        if not lists:
            raise UserError(
                f"{archive} holds no split lists of {layout} ({', '.join(patterns)}); "
                "give the archive of its official lists with get.given"
            )
        for name, member in lists.items():
            opened.extract(member, working / SPLITS_FOLDER / name, on_bytes=lambda count: None)
        _move(working / SPLITS_FOLDER, root / SPLITS_FOLDER)


@dataclass
class Unpacking:
    """Unpacking the missing clips of one data set.

    Attributes:
        root: Folder of the class folders.
        missing: The clips that are wanted, by file name without suffix, with their class; shrinks.
        listed: All clips of the data set, likewise.
        progress: Shows how far it is.
        placed: Number of clips put in place.
        strangers: Paths of the videos in the archives that no list names; they are left out.
    """

    root: Path
    missing: dict[str, str]
    listed: Mapping[str, str]
    progress: Progress
    placed: int = 0
    strangers: list[str] = field(default_factory=list)

    def unpack(self, archive: Path) -> None:
        """Put the missing clips that an archive holds into their class folders.

        Raises:
            UserError: If the archive is refused or damaged, or the disk too full. The classes that were
                finished stay.
        """
        with _working_folder(self.root) as working:
            self._unpack(archive, working)

    def _unpack(self, archive: Path, working: Path, *, within: str | None = None) -> None:
        with open_archive(archive, within=within) as opened:
            by_class: dict[str, dict[str, Member]] = defaultdict(dict)
            archives = []
            for member in opened.members:
                stem, suffix = member.path.stem, member.path.suffix.lower()
                if _is_rubbish(member):
                    continue
                if suffix in (".rar", ".zip") and within is None:
                    archives.append(member)
                elif suffix in VIDEO_SUFFIXES and stem not in self.listed:
                    self.strangers.append(printable(str(member.path)))
                elif suffix in VIDEO_SUFFIXES and stem in self.missing:
                    by_class[self.missing[stem]].setdefault(stem, member)  # copies pack some clips twice

            total = sum(member.size_bytes for members in by_class.values() for member in members.values())
            require_space(self.root, total, purpose=f"unpacking {archive.name}")
            task = self.progress.add_task(f"unpacking {archive.name}", total=total)
            for label, members in by_class.items():
                for stem, member in members.items():
                    target = working / label / f"{stem}{member.path.suffix}"
                    opened.extract(member, target, on_bytes=lambda count: self.progress.advance(task, count))
                _move(working / label, self.root / label)
                self.placed += len(members)
                for stem in members:
                    del self.missing[stem]
            self.progress.remove_task(task)

            for member in archives:
                # An archive that is named after a class holds that class.
                label = member.path.stem
                if label in self.missing.values() or (self.missing and label not in self.listed.values()):
                    target = working / member.path.name
                    require_space(self.root, member.size_bytes, purpose=f"unpacking {member.path}")
                    opened.extract(member, target, on_bytes=lambda count: None)
                    self._unpack(target, working, within=opened.name)
                    target.unlink()


def _is_rubbish(member: Member) -> bool:
    """Whether it is a hidden file, or one that a Mac puts into archives next to each of theirs."""
    return any(part.startswith((".", "__MACOSX")) for part in member.path.parts)


@contextmanager
def _working_folder(root: Path) -> Iterator[Path]:
    """A hidden folder on the same disk, empty now and gone afterwards."""
    working = root / _WORKING_FOLDER
    shutil.rmtree(working, ignore_errors=True)  # what a killed run left
    working.mkdir(parents=True)
    try:
        yield working
    finally:
        shutil.rmtree(working, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    """Move a finished folder into place; into one that exists, its files one by one, and nothing else is touched."""
    if not target.exists():
        source.rename(target)
        return
    for path in sorted(source.iterdir()):
        path.replace(target / path.name)
