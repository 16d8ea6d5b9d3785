"""What the file of each clip held when its run was made, and whether it still does.

A run records size and SHA-256 (`split.json`), so that later a clip that was moved or renamed can be found, and one that
was changed is not taken for the one that was trained on. Clips of one file share one reading of it. Of clips in shards
the index says it.
"""

from collections.abc import Sequence
from dataclasses import replace

from muybridge.dataset.catalog import Clip
from muybridge.dataset.contents import read_contents
from muybridge.file_parts import is_there, size_of


def with_contents(clips: Sequence[Clip], *, workers: int = 4) -> tuple[Clip, ...]:
    """The clips with the size and SHA-256 that their files have now; without them where a file cannot be read."""
    contents = read_contents((clip.path for clip in clips if not clip.is_packed), workers=workers)
    return tuple(
        clip
        if clip.is_packed
        else replace(clip, size_bytes=content.size_bytes, sha256=content.sha256)
        if (content := contents.get(clip.path))
        else replace(clip, size_bytes=None, sha256=None)
        for clip in clips
    )


def changed_clips(clips: Sequence[Clip], *, workers: int = 4) -> tuple[Clip, ...]:
    """The clips whose file is there, but does not hold what was recorded of it; a clip without a record is not.

    Files of another size are not read. Clips in shards are left out: decoding them checks what they hold.
    """
    recorded = [clip for clip in clips if clip.sha256 is not None and not clip.is_packed and is_there(clip.path)]
    resized = {clip.path for clip in recorded if clip.size_bytes not in (None, size_of(clip.path))}
    contents = read_contents((clip.path for clip in recorded if clip.path not in resized), workers=workers)
    return tuple(
        clip
        for clip in recorded
        if clip.path in resized or (clip.path in contents and contents[clip.path].sha256 != clip.sha256)
    )
