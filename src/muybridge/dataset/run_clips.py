"""The clips of a run, where its files lie now.

A run names its clips by where they lay when it was made. A user who moved them names the new folder, and each is looked
for there: at its old place inside the folder, and where that is empty or holds other bytes, by size and SHA-256, which
the run recorded. So renamed files are found too, and a changed one is never taken for the one that was trained on.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from muybridge.dataset.catalog import Clip
from muybridge.dataset.contents import read_contents
from muybridge.dataset.shard_catalog import read_shards
from muybridge.dataset.shard_index import holds_shards
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.file_parts import is_there
from muybridge.runs import RunFolder
from muybridge.text import counted


def split_of(run: RunFolder, clips_root: str | Path | None = None) -> Split:
    """The split of a run, its clips looked for under another folder if one is named.

    Raises:
        UserError: If there is no split or it is damaged, or the folder does not hold these clips.
    """
    split = Split.load(run.split)
    return split if clips_root is None else found_under(split, Path(clips_root), run=run.path)


def folds_of(run: RunFolder, whole: Split, count: int) -> tuple[Split, ...]:
    """The split of each fold of a cross-validation, its clips where those of the whole are.

    Args:
        run: The run.
        whole: Its split, which has every clip of each fold.
        count: How many folds there are.

    Raises:
        UserError: If a split is not there or is damaged, or has other clips than the whole.
    """
    known, splits = {clip.id for clip in whole.clips}, []
    for folder in run.folds(count):
        split = Split.load(folder.split)
        if {clip.id for clip in split.clips} != known:
            raise UserError(f"{folder.split} has other clips than {run.split}; put back what the training wrote")
        splits.append(split.with_clips(whole.clips))
    return tuple(splits)


def found_under(split: Split, root: Path, *, run: Path) -> Split:
    """A split whose clips lie under ``root`` now; their ids stay. A clip that is not there stays where it was.

    Args:
        split: The split of a run.
        root: The folder that holds its clips.
        run: The run, for messages.

    Raises:
        UserError: If there is no such folder, none of the clips is in it, or one was changed.
    """
    root = root.expanduser().absolute()
    if not root.is_dir():
        raise UserError(f"run.clips_root {root} is no folder; give the folder that holds the clips of {run} now")
    moved = _places(split.clips, root)
    changed = [clip for clip in split.clips if clip.path not in moved and _candidate(clip, root) and clip.sha256]
    if changed:
        raise UserError(
            f"{counted(len(changed), 'clip')} of {run} under {root} hold other bytes than the run was made from, for "
            f"example {_candidate(changed[0], root)}; give the folder with the clips as they were"
        )
    if not moved and split.clips:
        why = "" if any(clip.sha256 for clip in split.clips) else "; this run did not record what its files hold"
        raise UserError(
            f"none of the {len(split.clips)} clips of {run} is under {root}, for example {split.clips[0].id}{why}; "
            "give the folder that holds them"
        )
    return split.with_clips(
        replace(clip, path=moved.get(clip.path, clip.path), root=root, known_as=clip.id) for clip in split.clips
    )


def require_files(clips: Sequence[Clip], *, run: Path, what: str = "") -> None:
    """Check that the files of a run's clips are there.

    Args:
        clips: The clips.
        run: The run, for the message.
        what: Which of its clips these are, such as `training`.

    Raises:
        UserError: If one is gone; all verbs say it in these words.
    """
    gone = [clip for clip in clips if not is_there(clip.path)]
    if gone:
        kind = f"{what} clip".strip()
        raise UserError(
            f"{len(gone)} of {counted(len(clips), kind)} of {run} cannot be found, for example {gone[0].path}; put "
            "them back, or name the folder that holds them now with run.clips_root"
        )


def _places(clips: Sequence[Clip], root: Path) -> Mapping[Path, Path]:
    """Where the file of each clip lies under a folder, by where it lay."""
    candidates = {clip.path: place for clip in clips if (place := _candidate(clip, root))}
    recorded = {clip.path: clip.recorded for clip in clips if clip.recorded is not None}
    contents = read_contents(place for path, place in candidates.items() if path in recorded)
    found = {
        path: place
        for path, place in candidates.items()
        if path not in recorded or contents.get(place) == recorded[path]
    }
    sizes = {content.size_bytes for path, content in recorded.items() if path not in found}
    if sizes:
        if holds_shards(root):
            others = {clip.path: clip.recorded for clip in read_shards(root).clips if clip.recorded is not None}
        else:
            others = read_contents(file for file in _files_under(root) if file.stat().st_size in sizes)
        # The first by name, where several hold the same bytes.
        places = {content: place for place, content in sorted(others.items(), reverse=True)}
        found |= {
            path: places[content] for path, content in recorded.items() if path not in found and content in places
        }
    return found


def _candidate(clip: Clip, root: Path) -> Path | None:
    """The file at a clip's old place inside its folder, in the new folder."""
    if not clip.path.is_relative_to(clip.root):
        return None
    place = root / clip.path.relative_to(clip.root)
    return place if place.is_file() else None


def _files_under(root: Path) -> Iterator[Path]:
    """The regular files at any depth that are not hidden."""
    for folder, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        yield from (
            path for name in sorted(files) if not name.startswith(".") and (path := Path(folder, name)).is_file()
        )
