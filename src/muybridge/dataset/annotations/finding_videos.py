r"""Where the videos of an annotation file lie here: as it says, or by their names next to it.

Annotations come from other machines, with paths such as `/data/upload/3/1f0c9a2b-game.mp4` or `C:\film\game.mp4`. So
a path that leads nowhere is taken by its file name, in the folder of the annotation file and in the folders in it. No
URL is ever opened.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from muybridge.dataset.annotations.rules import MissingVideos, Spellings
from muybridge.dataset.locating import expanded, is_regular
from muybridge.dataset.walking import is_video
from muybridge.errors import UserError
from muybridge.text import abbreviated, counted, printable, shortened

_UPLOAD = re.compile(r"[0-9a-f]{8}-(?P<name>.+)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:")
_MOST_NAMES = 200_000
"""So many files next to an annotation file, and in the folders there, are looked at."""


class VideoFinder:
    """Finds the videos of one annotation file.

    Args:
        file: The annotation file.
        missing: What becomes of videos that are not there.
    """

    def __init__(self, file: Path, missing: MissingVideos) -> None:
        self._file = file
        self._root = file.parent
        self._missing = missing
        self._names: dict[str, list[Path]] | None = None
        self._stems: dict[str, list[Path]] = {}
        self._by_name: list[str] = []

    def find_all(self, videos: Iterable[Spellings]) -> tuple[dict[Spellings, Path], list[str]]:
        """The file of each video that is there, and notes.

        Raises:
            UserError: If one is not there and none may be missing, if none is, or a name means several files.
        """
        found: dict[Spellings, Path] = {}
        gone: list[Spellings] = []
        asked = list(dict.fromkeys(videos))
        for spellings in asked:
            place = self._find(spellings)
            if place is None:
                gone.append(spellings)
            else:
                found[spellings] = place
        if gone and (self._missing == "error" or not found):
            raise self._gone(gone, len(asked))
        notes = []
        if self._by_name:
            listed = shortened([_short(name) for name in self._by_name], limit=3)
            notes.append(
                f"{counted(len(self._by_name), 'video')} not where the annotations say, taken by file name: {listed}"
            )
        if gone:
            listed = shortened([_short(spellings[0]) for spellings in gone], limit=3)
            notes.append(f"left out, {counted(len(gone), 'video')} that cannot be found: {listed}")
        return found, notes

    def _gone(self, gone: list[Spellings], asked: int) -> UserError:
        listed = shortened([_short(spellings[0]) for spellings in gone], limit=3)
        return UserError(
            f"{self._file}: {len(gone)} of {counted(asked, 'video')} cannot be found: {listed}; put them next to it, "
            "in a folder there, or correct the paths, or set data.annotation_missing skip to go on without them"
        )

    def _find(self, spellings: Spellings) -> Path | None:
        for spelling in spellings:
            place = self._as_written(spelling)
            if place is not None:
                return place
        for spelling in spellings:
            names = _file_names(spelling)
            for name in names:
                if (places := self._called(name)) and len(places) == 1:
                    self._by_name.append(spelling)
                    return places[0]
                if len(places) > 1:
                    listed = shortened([printable(str(place.relative_to(self._root))) for place in places], limit=3)
                    raise UserError(
                        f"{self._file}: {_short(spelling)} may be any of {listed}; correct its path, or leave one there"
                    )
        return None

    def _as_written(self, spelling: str) -> Path | None:
        if not spelling or "\0" in spelling:
            return None
        if spelling.startswith("file:"):
            spelling = unquote(urlsplit(spelling).path)
            if os.sep == "\\":
                spelling = spelling.lstrip("/")
        elif _SCHEME.match(spelling) and not re.match(r"[A-Za-z]:[\\/]", spelling):
            return None
        for written in (spelling, spelling.replace("\\", "/")):
            place = self._root / expanded(Path(written))
            if is_regular(place):
                return place
        return None

    def _called(self, name: str) -> list[Path]:
        """The videos next to the file, or else in the folders there, that have a name, with a suffix or without."""
        if self._names is None:
            self._names = {}
            for place in self._nearby():
                self._names.setdefault(place.name, []).append(place)
                if is_video(place):
                    self._stems.setdefault(place.stem, []).append(place)
        places = self._names.get(name) or self._stems.get(name, [])
        beside = [place for place in places if place.parent == self._root]
        return beside or places

    def _nearby(self) -> list[Path]:
        places = []
        for folder, inner, files in os.walk(self._root):
            here = Path(folder)
            inner[:] = [] if here != self._root else sorted(name for name in inner if not name.startswith("."))
            places += [here / name for name in sorted(files) if not name.startswith(".")]
            if len(places) > _MOST_NAMES:
                break
        return places


def _file_names(spelling: str) -> list[str]:
    """The file names that a path or URL may mean."""
    parts = urlsplit(spelling) if _SCHEME.match(spelling) or "?" in spelling else None
    path = spelling
    if parts is not None:
        # Label Studio's local files: /data/local-files/?d=folder/name.mp4
        inner = parse_qs(parts.query).get("d")
        path = inner[0] if inner else unquote(parts.path)
    name = path.replace("\\", "/").rpartition("/")[2]
    upload = _UPLOAD.fullmatch(name)  # Label Studio puts eight digits before the name of what is uploaded
    return [each for each in dict.fromkeys((name, unquote(name), upload["name"] if upload else "")) if each]


def _short(name: str) -> str:
    return abbreviated(printable(name), 80) or "a video without a name"
