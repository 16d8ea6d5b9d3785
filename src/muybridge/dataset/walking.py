"""Walking a folder for its videos: the one way in which every verb finds files.

Links to folders are followed, never round in a circle. Left out are hidden names (also the `._clip.mp4` that macOS
leaves beside a clip), folders that systems and storage boxes make for themselves, and what muybridge has written. A
folder that cannot be read is an error: a data set that shrinks in silence is worse than one that has to be given
again. Nothing is opened, so a file is a video here when its suffix says so.
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from muybridge.dataset.folder_listing import Entry, is_regular_entry, listed
from muybridge.errors import UserError
from muybridge.file_parts import is_there
from muybridge.text import counted, printable, shortened

VIDEO_SUFFIXES = frozenset({
    ".264", ".265", ".3g2", ".3gp", ".3gpp", ".asf", ".avc", ".avi", ".dav", ".dif", ".divx", ".dv", ".f4v", ".flv",
    ".gif", ".gxf", ".h261", ".h263", ".h264", ".h265", ".hevc", ".ivf", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v",
    ".mjpeg", ".mjpg", ".mk3d", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mpv", ".mts", ".mxf", ".nut",
    ".obu", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".tod", ".ts", ".vc1", ".vob", ".webm", ".wmv", ".wtv", ".y4m",
})  # fmt: skip

_SYSTEM_FOLDERS = frozenset({
    "$recycle.bin", "recycler", "recycled", "system volume information", "found.000",  # Windows
    "__macosx", "network trash folder", "temporary items",  # macOS
    "lost+found",  # Linux
    "@eadir", "@tmp", "@sharebin", "@recycle", "@recently-snapshot", "#recycle", "#snapshot",  # storage boxes
    "__pycache__",
})  # fmt: skip

_TRACES = (
    frozenset({"split.json", "recipe.yaml"}),
    frozenset({"split.json", "ensemble.json"}),
    frozenset({"model.json", "model.safetensors"}),
    frozenset({"check.json", "check.csv"}),
)
"""Files that lie together only where muybridge has written them: runs, ensembles, models, checks."""
_DEMO_TRACE = Path("clips", "demo_clips.json")


def is_video(path: str | Path) -> bool:
    """Whether a file's suffix is that of a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or made by a system for itself."""
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


@dataclass
class Walk:
    """What lies in a folder and in all those below.

    Attributes:
        root: The folder.
        videos: The videos, sorted; a link that leads nowhere counts, so that reading it says so.
        folders: Every folder that was entered, besides the root itself.
        others: Number of other files by suffix, without those that lie directly in the root.
        not_regular: Pipes, devices and sockets that are named as videos.
        ours: Folders that muybridge has made.
        circles: Links to a folder in which they lie.
    """

    root: Path
    videos: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    not_regular: list[Path] = field(default_factory=list)
    ours: list[Path] = field(default_factory=list)
    circles: list[Path] = field(default_factory=list)

    def notes(self) -> list[str]:
        """What was left out of the walk, one line a kind."""
        notes = []
        if self.others:
            notes.append(f"{counted(self.others.total(), 'file')} skipped, not videos by their suffix: {self.kinds()}")
        if self.not_regular:
            notes.append(f"left out, a pipe or device and no file: {self._named(self.not_regular)}")
        if self.ours:
            notes.append(f"left out, made by muybridge: {self._named(self.ours)}")
        if self.circles:
            notes.append(f"not followed, a link to a folder that it lies in: {self._named(self.circles)}")
        return notes

    def kinds(self) -> str:
        """The most frequent suffixes of files that are no videos, with their numbers."""
        return printable(", ".join(f"{number} {kind}" for kind, number in self.others.most_common(5)))

    def _named(self, paths: Iterable[Path]) -> str:
        return shortened([printable(path.relative_to(self.root).as_posix()) for path in paths])


def walk(root: Path) -> Walk:
    """Find the videos in a folder, at any depth.

    Raises:
        UserError: If a folder cannot be read.
    """
    found = Walk(root)
    # With each folder the real paths of those above it, for circles; `seen` bounds links that lead to each other,
    # but lets two classes, or a class in two parts, link to one folder.
    pending: list[tuple[Path, frozenset[str]]] = [(root, frozenset())]
    seen: set[tuple[tuple[str, ...], str]] = set()
    while pending:
        folder, above = pending.pop()
        real, place = os.path.realpath(folder), folder.relative_to(root).parts
        if real in above:
            found.circles.append(folder)
            continue
        if (place[:2], real) in seen:
            continue
        seen.add((place[:2], real))
        folders, files = _entries(folder)
        if place:
            if _made_by_us(folder, folders, files):
                found.ours.append(folder)
                continue
            found.folders.append(folder)
        for entry in files:
            if not is_video(entry.name):
                if place:
                    found.others[Path(entry.name).suffix.lower() or "no suffix"] += 1
            elif _is_pipe_or_device(entry):
                found.not_regular.append(Path(entry))
            else:
                found.videos.append(folder / entry.name)
        pending += [(folder / entry.name, above | {real}) for entry in folders]
    for paths in (found.videos, found.folders, found.not_regular, found.ours, found.circles):
        paths.sort()
    return found


def holds_videos(folder: Path) -> bool:
    """Whether videos lie directly in a folder.

    Raises:
        UserError: If it cannot be read.
    """
    return any(is_video(entry.name) for entry in _entries(folder)[1])


def visible_folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted.

    Raises:
        UserError: If it cannot be read.
    """
    return sorted(folder / entry.name for entry in _entries(folder)[0])


def _entries(folder: Path) -> tuple[list[Entry], list[Entry]]:
    """The visible folders and files in a folder."""
    folders: list[Entry] = []
    files: list[Entry] = []
    try:
        with listed(folder) as entries:
            for entry in entries:
                if not is_ignored(entry.name):
                    (folders if _is_folder(entry) else files).append(entry)
    except OSError as error:
        where = error.filename or folder
        raise UserError(
            f"{printable(str(where))} cannot be read ({error.strerror or error}), so its videos would be missing; "
            "get the right to read it, or move it elsewhere"
        ) from error
    return folders, files


def _is_folder(entry: Entry) -> bool:
    try:
        return entry.is_dir()
    except PermissionError:
        raise
    except OSError:
        return False  # a link to itself: reading it says what is wrong


def _is_pipe_or_device(entry: Entry) -> bool:
    try:
        return not is_regular_entry(entry)
    except OSError:
        return False  # a link that leads nowhere: reading it says so


def _made_by_us(folder: Path, folders: Sequence[Entry], files: Sequence[Entry]) -> bool:
    """Whether muybridge has made a folder; one with videos of its own is the user's, whatever else was put there."""
    names = {entry.name for entry in files}
    if any(is_video(name) for name in names):
        return False
    if any(traces <= names for traces in _TRACES):
        # A data set may hold the result of its own check.
        return "check.json" not in names or "split.json" in names or not folders
    return is_there(folder / _DEMO_TRACE)
