"""Source groups read from file names, and where nothing tells them, said to be unknown.

A data set's own naming is trusted first: HMDB-51 names a clip
`<source>_<action>_<visible body parts>_<camera motion>_np<people>_<viewpoint>_<quality>_<number>`, and its
group is `<source>_<action>`; UCF101 names it `v_<Class>_g<group>_c<clip>`, its group numbers restart in every
class, and its group here is `<Class>_g<group>`. KTH's group is the person, NTU RGB+D's the subject; names that end in
two times (`<video>_000010_000020`, as of Kinetics and HACS) name the video. Elsewhere two habits are recognised, a
folder per source inside the class folder and numbered pieces of one source (`game3_001.mp4`, `game3_002.mp4`), but
only where they leave every class with at least three groups, since `clip_1.mp4 ... clip_90.mp4` says nothing of the
source. Clips that are parts of one file are of one group, which is known: the file.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from muybridge.dataset.catalog import Clip
from muybridge.text import counted

UNKNOWN = "source groups unknown: nothing says which clips were cut from one recording"
NAME_THEM = "name them with data.groups"

_UCF101 = re.compile(r"v_(?P<name>.+)_g(?P<number>\d+)_c\d+")
_HMDB51 = re.compile(r"(?P<group>.+)_[fhlu]_[cn]m_np\d+_(?:ba|fr|le|ri)_(?:bad|med|goo)_\d+", re.DOTALL)
_NUMBERED = re.compile(r"(?P<source>.*[^\W_].*?)[ _.-]+(?:part|clip|c|p)?[ _.-]*\d+", re.IGNORECASE)
_KTH = re.compile(r"(?P<group>person\d+)_[a-z]+_d\d+(?:_uncomp)?", re.IGNORECASE)
_NTU = re.compile(r"S\d{3}C\d{3}(?P<group>P\d{3})R\d{3}A\d{3}(?:_\w+)?", re.IGNORECASE)
_TIMES = re.compile(r"(?P<group>.*[^\W_].*?)[_-](?P<start>\d+(?:\.\d+)?)[_-](?P<end>\d+(?:\.\d+)?)", re.DOTALL)
_YOUTUBE_ID = re.compile(r"(?:v_)?[A-Za-z0-9_-]{11}")
_FEWEST_GROUPS = 3


@dataclass(frozen=True)
class Naming:
    """How a data set names its clips.

    Attributes:
        group_of: The source group in a file name without its suffix, or None if it is not named so.
        words: What the group is, for a note.
    """

    group_of: Callable[[str], str | None]
    words: str


def ucf101_group(stem: str) -> str | None:
    """The source group in a UCF101 file name without its suffix, or None if it is not named so."""
    match = _UCF101.fullmatch(stem)
    return f"{match['name']}_g{match['number']}" if match else None


def hmdb51_group(stem: str) -> str | None:
    """The source group in an HMDB-51 file name without its suffix, or None if it is not named so."""
    match = _HMDB51.fullmatch(stem)
    return match["group"] if match else None


def kth_group(stem: str) -> str | None:
    """The person in a KTH file name (`person01_boxing_d1_uncomp`), or None if it is not named so."""
    match = _KTH.fullmatch(stem)
    return match["group"].lower() if match else None


def ntu_group(stem: str) -> str | None:
    """The subject in an NTU RGB+D file name (`S001C001P001R001A001_rgb`), or None if it is not named so."""
    match = _NTU.fullmatch(stem)
    return match["group"].upper() if match else None


def timed_group(stem: str) -> str | None:
    """The video in a name that ends in two times (`<video>_000010_000020`), or None if it is not named so."""
    match = _TIMES.fullmatch(stem)
    return match["group"] if match and float(match["start"]) < float(match["end"]) else None


NAMINGS = {
    "ucf101": Naming(ucf101_group, "<Class>_gNN of the ucf101 file names"),
    "hmdb51": Naming(hmdb51_group, "<source>_<action> of the hmdb51 file names"),
    "kth": Naming(kth_group, "the person of KTH's file names, in all classes"),
    "ntu": Naming(ntu_group, "the subject (P) of NTU RGB+D's file names, in all classes, setups and cameras"),
}
"""The data sets whose file names tell the source."""


def detect_naming(clips: Sequence[Clip]) -> Literal["ucf101", "hmdb51"] | None:
    """Name the data set, `ucf101` or `hmdb51`, whose naming most of the clips follow, or None."""
    for name in ("ucf101", "hmdb51"):
        if _follows(clips, NAMINGS[name].group_of):
            return name
    return None


def ungrouped(clips: Sequence[Clip]) -> list[Clip]:
    """The clips with every file as a group of its own, which is named by the file's path under the root.

    The group of a clip that is a part of a file is known: the file. That of the others is not.
    """
    return [
        replace(
            clip,
            group=replace(clip, start_seconds=None, end_seconds=None).id,
            group_known=clip.start_seconds is not None or clip.end_seconds is not None,
        )
        for clip in clips
    ]


def groups_by_naming(clips: Sequence[Clip], naming: str) -> tuple[list[Clip], list[str]]:
    """Read the groups from the file names of a data set in `NAMINGS`.

    Returns:
        The clips with their groups, a file that is not named so as a group of its own that is not known, and notes.
    """
    grouped, strangers = _by_name(clips, NAMINGS[naming].group_of)
    return grouped, [f"source groups: {NAMINGS[naming].words}", *_strangers(strangers)]


def groups_by_habit(clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
    """Guess the groups of a data set with a naming of its own, and say so; or say that they are unknown.

    Returns:
        The clips with their groups, and notes.
    """
    if all(clip.start_seconds is not None or clip.end_seconds is not None for clip in clips):
        return ungrouped(clips), ["source groups: the files that the clips are parts of"]
    for naming in ("kth", "ntu"):
        if _follows(clips, NAMINGS[naming].group_of):
            return groups_by_naming(clips, naming)
    if _named_by_times(clips):
        by_video, strangers = _by_name(clips, timed_group)
        return by_video, [
            f"source groups: the video in file names that end in two times, as {_largest(by_video)!r}",
            *_strangers(strangers),
        ]
    by_folder, by_number = [], []
    for clip, alone in zip(clips, ungrouped(clips), strict=True):
        below_class = _folders_below_class(alone)
        by_folder.append(
            replace(clip, group="/".join((clip.label, *below_class)), group_known=True) if below_class else alone
        )
        match = _NUMBERED.fullmatch(clip.path.stem)
        source = "/".join((clip.label, *below_class, match["source"])) if match else alone.group
        by_number.append(replace(clip, group=source, group_known=True))
    if _plausible(by_folder):
        return by_folder, ["source groups: the folders inside the class folders"]
    if _plausible(by_number):
        return by_number, [
            f"source groups: guessed from numbered file names, as {_largest(by_number)!r}; if that is wrong, say "
            "data.groups none, or what they are"
        ]
    files = ungrouped(clips)
    numbers = 2 * sum(clip.path.stem.isdecimal() for clip in clips) > len(clips)
    because = " (the files are named by numbers alone, as in Something-Something)" if numbers else ""
    return files, [f"{UNKNOWN}{because}; {NAME_THEM}"]


def groups_by_folder(clips: Sequence[Clip]) -> list[Clip]:
    """The clips with the folder that holds them as their group: the one below the class folder, if there is one.

    A clip without such a folder is a group of its own that is not known.
    """
    grouped = []
    for clip, alone in zip(clips, ungrouped(clips), strict=True):
        folders = alone.group.split("/")[:-1]
        own = [clip.label, *below] if (below := _folders_below_class(alone)) else []
        if clip.label not in folders:  # a table may keep its files in folders that are no classes
            own = folders
        grouped.append(replace(clip, group="/".join(own), group_known=True) if own else alone)
    return grouped


def _folders_below_class(alone: Clip) -> list[str]:
    """The folders between a clip's class folder and its file; of a clip whose group is its path under the root."""
    folders = alone.group.split("/")[:-1]
    return folders[folders.index(alone.label) + 1 :] if alone.label in folders else []


def _follows(clips: Sequence[Clip], group_of: Callable[[str], str | None]) -> bool:
    """Whether most of the clips are named so."""
    return 2 * sum(group_of(clip.path.stem) is not None for clip in clips) > len(clips)


def _by_name(clips: Sequence[Clip], group_of: Callable[[str], str | None]) -> tuple[list[Clip], int]:
    """The clips with the groups of their names, and how many have none."""
    found = [(clip, alone, group_of(clip.path.stem)) for clip, alone in zip(clips, ungrouped(clips), strict=True)]
    grouped = [alone if group is None else replace(clip, group=group, group_known=True) for clip, alone, group in found]
    return grouped, sum(group is None for _, _, group in found)


def _named_by_times(clips: Sequence[Clip]) -> bool:
    """Whether most names end in two times, the second later, after what can be the id of a video.

    Two numbers may count anything. They are taken as times after an id of YouTube's form; after other names only
    where none of the pairs goes backward, and every class has enough videos.
    """
    matches = [match for clip in clips if (match := _TIMES.fullmatch(clip.path.stem))]
    if 2 * len(matches) <= len(clips):
        return False
    forward = sum(float(match["start"]) < float(match["end"]) for match in matches)
    ids = sum(_YOUTUBE_ID.fullmatch(match["group"]) is not None for match in matches)
    if 2 * forward > len(clips) and ids > 0.9 * len(matches):
        return True
    return forward == len(matches) and _enough_groups(_by_name(clips, timed_group)[0])


def _strangers(count: int) -> list[str]:
    return [f"{counted(count, 'clip')} not named so: the source group of each is unknown"] if count else []


def _largest(clips: Sequence[Clip]) -> str:
    return Counter(clip.group for clip in clips).most_common(1)[0][0]


def _plausible(clips: Sequence[Clip]) -> bool:
    """Whether groups join some clips and still leave every class enough of them to be divided."""
    return len({clip.group for clip in clips}) < len({clip.path for clip in clips}) and _enough_groups(clips)


def _enough_groups(clips: Sequence[Clip]) -> bool:
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for clip in clips:
        groups[clip.label].add(clip.group)
    return all(len(names) >= _FEWEST_GROUPS for names in groups.values())


def is_action_of(stem: str, folder: str, naming: str) -> bool:
    """Whether the action in a file name of UCF101 or HMDB-51 is the name of a folder."""
    if naming == "ucf101":
        return (ucf101_group(stem) or "").startswith(f"{folder}_g")
    return (hmdb51_group(stem) or "").endswith(f"_{folder}")
