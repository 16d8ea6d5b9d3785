"""Which folders are classes, and which are parts: read off what lies in them, not off their names alone.

A class folder holds videos; a part folder (`train`, `val`, `videos_test`, ...) holds class folders. Two part folders
are parts whatever lies beside them. A folder `train` that holds videos among other such folders is a class, of
trains. One level too high or too low is an error that names the folder meant, because a label that was guessed wrong
is found late.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from muybridge.dataset.catalog import Clip
from muybridge.dataset.columns import find_columns
from muybridge.dataset.part_names import part_of
from muybridge.dataset.table import column_names
from muybridge.dataset.walking import Walk, holds_videos, visible_folders, walk
from muybridge.errors import UserError
from muybridge.text import counted, printable, shortened

_NEIGHBOURS = 50
"""So many folders beside a class folder are looked into before its error is worded."""


@dataclass
class _Folder:
    """A folder at the top: how many videos lie directly in it, and how many in each of its folders."""

    direct: int = 0
    inner: Counter[str] = field(default_factory=Counter)

    @property
    def nested(self) -> bool:
        """Whether most of it lies in folders, as in a part, or in a class with a folder for each source."""
        return self.inner.total() > self.direct


@dataclass(frozen=True)
class _Reading:
    """How the folders are read.

    Attributes:
        above: The folders that hold class folders, relative to the root, with their part.
        notes: What was taken for what.
        inner_parts: Whether the parts are inside the class folders.
    """

    above: Mapping[tuple[str, ...], str | None]
    notes: Sequence[str] = ()
    inner_parts: bool = False


def read_folders(root: Path) -> tuple[list[Clip], list[str]]:
    """List the videos of a folder of class folders; their groups are still empty.

    Returns:
        The clips, and notes.

    Raises:
        UserError: If there are no videos, a folder cannot be read, or it is not clear which folders are the classes.
    """
    found = walk(root)
    tops: defaultdict[str, _Folder] = defaultdict(_Folder)
    loose = 0
    places = [video.relative_to(root).parts for video in found.videos]
    for place in places:
        if len(place) == 1:
            loose += 1
        elif len(place) == 2:
            tops[place[0]].direct += 1
        else:
            tops[place[0]].inner[place[1]] += 1
    if not tops:
        raise _no_classes(found, loose)
    reading = _read_parts(root, tops, deepest=max(map(len, places)))
    if len(reading.above) > 1 or any(reading.above.values()):
        _require_classes_in_parts(root, places, reading)
    elif not reading.inner_parts:
        _require_right_height(root, [place for place in places if len(place) > 1], tops)

    clips, outside = [], loose
    for video, place in zip(found.videos, places, strict=True):
        depth = next((n for n in (1, 0) if place[:n] in reading.above), None)
        if depth is None:
            continue
        if len(place) == depth + 1:
            outside += depth  # those at the top are counted already
            continue
        part = part_of(place[1]) if reading.inner_parts else reading.above[place[:depth]]
        clips.append(Clip(video, label=place[depth], group="", split=part, root=root))
    notes = [*reading.notes, *found.notes()]
    if outside:
        notes.append(f"{counted(outside, 'video')} skipped, outside a class folder")
    if len({clip.label for clip in clips}) == 1 and (table := _table_in(root)):
        notes.append(f"{table.name} may be the table of these clips; to read it, give {table}")
    if empty := _empty(found, reading, {clip.path for clip in clips}):
        notes.append(f"{counted(len(empty), 'folder')} without videos, not a class: {shortened(empty)}")
    return clips, notes


def _read_parts(root: Path, tops: Mapping[str, _Folder], *, deepest: int) -> _Reading:
    """Tell parts from classes."""
    named = {name: part for name in sorted(tops) if (part := part_of(name))}
    parts = {name: part for name, part in named.items() if tops[name].nested}
    others = [name for name in sorted(tops) if name not in parts]
    if len(set(parts.values())) > 1:
        notes = [f"given split: the folders {_names(parts)}"]
        beside = [f"{printable(name)} ({counted(_videos(tops[name]), 'video')})" for name in others]
        if beside:
            notes.append(f"left out, beside the part folders: {shortened(beside)}")
        return _Reading({(name,): part for name, part in parts.items()}, notes)
    if parts:
        return _read_one_part(root, tops, parts, others)
    if named and len(named) == len(tops):
        raise UserError(
            f"videos lie directly in {_names(named)} of {root}, so they have no labels; make a sub-folder per class in "
            "each, or give a CSV with the columns path, label and split"
        )
    notes = [f"taken as a class, since videos lie directly in it: {printable(name)}" for name in named]
    inner = [[part_of(name) for name in folder.inner] for folder in tops.values()]
    only_parts = all(all(names) for names in inner) and not any(folder.direct for folder in tops.values())
    # Deeper down would be class folders: then these are data sets side by side.
    if only_parts and deepest == 3 and len(tops) > 1 and len({name for names in inner for name in names}) > 1:
        return _Reading({(): None}, [*notes, "given split: the folders of parts inside the class folders"], True)
    return _Reading({(): None}, notes)


def _read_one_part(root: Path, tops: Mapping[str, _Folder], parts: Mapping[str, str], others: list[str]) -> _Reading:
    """Read folders of which one alone can be a part: the only one there, the held out part, or a class of that name."""
    names, part = _names(parts), next(iter(parts.values()))
    inner = {name for top in parts for name in tops[top].inner}
    if not others:
        note = f"only the part {names} is there: its folders are the classes, and its clips are divided anew"
        return _Reading(dict.fromkeys(((name,) for name in parts), None), [note])
    if inner & set(others) and part != "train":
        note = f"given split: {part} is the folder {names}, train what lies in the folders beside it"
        return _Reading({(): "train", **{(name,): part for name in parts}}, [note])
    alone = not inner & {*others, *(name for top in others for name in tops[top].inner)}
    if alone and all(tops[name].nested for name in others):
        return _Reading({(): None}, [f"taken as a class, since no other part lies beside it: {names}"])
    raise UserError(
        f"is {names} of {root} a part or a class? Beside it lies {_names(others)}. If it is a part, name the others as "
        f"parts, too (train, validation, test), or give {root / next(iter(parts))} alone; if it is a class, give a CSV "
        "with the columns path and label"
    )


def _require_right_height(root: Path, places: Sequence[tuple[str, ...]], tops: Mapping[str, _Folder]) -> None:
    """Refuse a folder that holds a data set, rather than being one: all in a single folder, or one with parts.

    Raises:
        UserError: With the folder that is meant.
    """
    divided = defaultdict(set)
    for place in places:
        if len(place) > 3 and (part := part_of(place[1])):
            divided[place[0]].add(part)
    if sets := [name for name, parts in divided.items() if len(parts) > 1]:
        more = f" (also {shortened([printable(name) for name in sets[1:]])})" if len(sets) > 1 else ""
        raise UserError(
            f"{root} holds a folder with parts, which is a data set of its own: give {root / sets[0]}{more}"
        )
    if len(tops) > 1 or part_of(next(iter(tops))):
        return
    above = places[0][:-1]
    for place in places:
        while place[: len(above)] != above:
            above = above[:-1]
    below = sorted({place[len(above)] for place in places if len(place) > len(above) + 1})
    if len(below) < 2 or any(len(place) == len(above) + 1 for place in places):
        return
    meant = root.joinpath(*above)
    raise UserError(
        f"all videos of {root} lie in its folder {printable('/'.join(above))}: give {meant}, to take what "
        f"it holds as classes ({shortened([printable(name) for name in below], limit=4)}); if "
        f"{printable(above[0])} is itself a class, give a CSV with the columns path and label"
    )


def _require_classes_in_parts(root: Path, places: Sequence[tuple[str, ...]], reading: _Reading) -> None:
    """Refuse parts in which a single folder holds everything, as in `train/videos/walk`.

    Raises:
        UserError: With that folder.
    """
    inside = [place[1:] for place in places if place[:1] in reading.above and len(place) > 2]
    only, below = {place[0] for place in inside}, {place[1] for place in inside if len(place) > 2}
    if len(only) == 1 and len(below) > 1 and all(len(place) > 2 for place in inside):
        raise UserError(
            f"all videos in the parts of {root} lie in a folder {_names(sorted(only))}: move what it holds "
            f"({shortened([printable(name) for name in sorted(below)], limit=4)}) into the part, or give a CSV with "
            "the columns path, label and split"
        )


def _no_classes(found: Walk, loose: int) -> UserError:
    """What to say of a folder without class folders."""
    root = found.root
    if loose and (beside := _neighbours(root)):
        return UserError(
            f"{counted(loose, 'video')} outside a class folder: they lie directly in {root}. If that is one class, "
            f"give the folder above it, {root.parent}, which also has {shortened(beside, limit=4)}; else make a "
            "sub-folder per class"
        )
    if table := _table_in(root):
        return UserError(
            f"no videos in the class folders of {root}, but {table.name} looks like a table of clips: give {table}"
        )
    seen = f"{counted(loose, 'video')} outside a class folder" if loose else ""
    seen = seen or (f"only {found.kinds()}" if found.others else "none")
    ours = f"; {shortened([each.name for each in found.ours])} is muybridge's own" if found.ours else ""
    return UserError(
        f"no videos in the class folders of {root} (found {seen}{ours}); make one sub-folder per class and "
        "put its video files (.avi, .mp4, .mkv, ...) there, or give a CSV with the columns path and label"
    )


def _table_in(folder: Path) -> Path | None:
    """A table of clips that lies directly in a folder, by its header."""
    for path in sorted(folder.glob("*.[ct]sv"))[:_NEIGHBOURS]:
        try:
            find_columns(column_names(path), where=path.name)
        except UserError:
            continue  # a table of something else
        return path
    return None


def _neighbours(folder: Path) -> list[str]:
    """The folders beside a folder that hold videos as it does, so far as they can be read."""
    names = []
    try:
        for beside in visible_folders(folder.parent)[:_NEIGHBOURS]:
            if beside != folder and holds_videos(beside):
                names.append(printable(beside.name))
    except UserError:
        return names  # they are no part of what was given, and serve for a hint alone
    return names


def _empty(found: Walk, reading: _Reading, videos: set[Path]) -> list[str]:
    """The folders that look as if they should be classes, but hold no videos."""
    root = found.root
    above = {root.joinpath(*place) for place in reading.above}
    full = {folder for video in videos for folder in video.parents} | {each.parent for each in found.ours}
    candidates = (folder for folder in found.folders if folder.parent in above and folder not in {*above, *full})
    return [printable(folder.relative_to(root).as_posix()) for folder in candidates]


def _videos(folder: _Folder) -> int:
    return folder.direct + folder.inner.total()


def _names(names: Sequence[str] | Mapping[str, str]) -> str:
    return shortened([printable(name) for name in names])
