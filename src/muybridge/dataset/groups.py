"""Source groups read from file names.

A data set's own naming is trusted first: HMDB-51 names a clip
`<source>_<action>_<visible body parts>_<camera motion>_np<people>_<viewpoint>_<quality>_<number>`, and its
group is `<source>_<action>`; UCF101 names it `v_<Class>_g<group>_c<clip>`, its group numbers restart in every
class, and its group here is `<Class>_g<group>`. Elsewhere two habits are recognised, a folder per source
inside the class folder and numbered pieces of one source (`game3_001.mp4`, `game3_002.mp4`), but only where
they leave every class with at least three groups, since `clip_1.mp4 ... clip_90.mp4` says nothing of the
source.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from muybridge.dataset.catalog import Clip
from muybridge.text import counted

_UCF101 = re.compile(r"v_(?P<name>.+)_g(?P<number>\d+)_c\d+")
_HMDB51 = re.compile(r"(?P<group>.+)_[fhlu]_[cn]m_np\d+_(?:ba|fr|le|ri)_(?:bad|med|goo)_\d+", re.DOTALL)
_NUMBERED = re.compile(r"(?P<source>.*[^\W_].*?)[ _.-]+(?:part|clip|c|p)?[ _.-]*\d+", re.IGNORECASE)
_FEWEST_GROUPS = 3


def ucf101_group(stem: str) -> str | None:
    """The source group in a UCF101 file name without its suffix, or None if it is not named so."""
    match = _UCF101.fullmatch(stem)
    return f"{match['name']}_g{match['number']}" if match else None


def hmdb51_group(stem: str) -> str | None:
    """The source group in an HMDB-51 file name without its suffix, or None if it is not named so."""
    match = _HMDB51.fullmatch(stem)
    return match["group"] if match else None


def detect_naming(clips: Sequence[Clip]) -> Literal["ucf101", "hmdb51"] | None:
    """Name the data set, `ucf101` or `hmdb51`, whose naming most of the clips follow, or None."""
    stems = [clip.path.stem for clip in clips]
    if 2 * sum(ucf101_group(stem) is not None for stem in stems) > len(stems):
        return "ucf101"
    if 2 * sum(hmdb51_group(stem) is not None for stem in stems) > len(stems):
        return "hmdb51"
    return None


def ungrouped(clips: Sequence[Clip]) -> list[Clip]:
    """The clips with every file as a group of its own, which is named by the file's path under the root."""
    return [replace(clip, group=replace(clip, start_seconds=None, end_seconds=None).id) for clip in clips]


def groups_by_naming(clips: Sequence[Clip], naming: str) -> tuple[list[Clip], list[str]]:
    """Read the groups from UCF101's or HMDB-51's file names.

    Returns:
        The clips with their groups, a file that is not named so as a group of its own, and notes.
    """
    group_of = ucf101_group if naming == "ucf101" else hmdb51_group
    grouped, strangers = [], 0
    for clip, alone in zip(clips, ungrouped(clips), strict=True):
        group = group_of(clip.path.stem)
        strangers += group is None
        grouped.append(alone if group is None else replace(clip, group=group))
    form = "<Class>_gNN" if naming == "ucf101" else "<source>_<action>"
    notes = [f"source groups: {form} of the {naming} file names"]
    if strangers:
        notes.append(f"{counted(strangers, 'clip')} not named so: each is a source group of its own")
    return grouped, notes


def groups_by_habit(clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
    """Guess the groups of a data set with a naming of its own, and say so.

    Returns:
        The clips with their groups, and notes.
    """
    by_folder, by_number = [], []
    for clip, alone in zip(clips, ungrouped(clips), strict=True):
        folders = alone.group.split("/")[:-1]
        below_class = folders[folders.index(clip.label) + 1 :] if clip.label in folders else []
        by_folder.append(replace(clip, group="/".join((clip.label, *below_class))) if below_class else alone)
        match = _NUMBERED.fullmatch(clip.path.stem)
        source = "/".join((clip.label, *below_class, match["source"])) if match else None
        by_number.append(replace(clip, group=source) if source else alone)
    if _plausible(by_folder):
        return by_folder, ["source groups: the folders inside the class folders"]
    if _plausible(by_number):
        example = Counter(clip.group for clip in by_number).most_common(1)[0][0]
        return by_number, [
            f"source groups: guessed from numbered file names, as {example!r}; if that is wrong, turn it off "
            "(groups: none) or give a CSV with a group column"
        ]
    return ungrouped(clips), [
        "source groups unknown: every file is its own group, so clips cut from one video may be on both "
        "sides of a split unseen; a CSV with a group column cures that"
    ]


def _plausible(clips: Sequence[Clip]) -> bool:
    """Whether groups join some clips and still leave every class enough of them to be divided."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for clip in clips:
        groups[clip.label].add(clip.group)
    joined = len({clip.group for clip in clips}) < len({clip.path for clip in clips})
    return joined and all(len(names) >= _FEWEST_GROUPS for names in groups.values())


def is_action_of(stem: str, folder: str, naming: str) -> bool:
    """Whether the action in a file name of UCF101 or HMDB-51 is the name of a folder."""
    if naming == "ucf101":
        return (ucf101_group(stem) or "").startswith(f"{folder}_g")
    return (hmdb51_group(stem) or "").endswith(f"_{folder}")
