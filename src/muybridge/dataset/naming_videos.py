"""The videos that a user names: files, folders of them and glob patterns."""

import glob
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from muybridge.dataset.locating import exists, is_folder
from muybridge.dataset.shard_catalog import videos_in_shards
from muybridge.dataset.shard_index import holds_shards
from muybridge.dataset.walking import walk
from muybridge.errors import UserError


def _silent(line: str) -> None:
    """Announce nothing."""


def find_videos(patterns: Sequence[str | Path], *, announce: Callable[[str], None] = _silent) -> list[Path]:
    """Files, folders and glob patterns as a list of files; folders are walked as those of data sets are.

    Of a folder of shards, the paths of its videos inside them.

    Args:
        patterns: What is named.
        announce: Called with a line for each kind of thing in a folder that was left out.

    Raises:
        UserError: If one of them names nothing, or a folder cannot be read.
    """
    paths: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        if is_folder(path) and holds_shards(path):
            found = list(videos_in_shards(path))
        elif is_folder(path):
            below = walk(path)
            found = below.videos
            # Other files in a folder of videos are no surprise; videos that are left out are.
            for note in replace(below, others=Counter()).notes():
                announce(f"note: {path}: {note}")
            if not found:
                raise UserError(f"no video files in {path}; name a folder with files such as .mp4 or .avi")
        elif exists(path):
            found = [path]
        else:
            found = sorted(Path(name) for name in glob.glob(str(pattern), recursive=True) if not is_folder(Path(name)))
            if not found:
                raise UserError(f"no such file, folder or pattern: {pattern}; check the path")
        paths += found
    return paths
