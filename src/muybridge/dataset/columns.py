"""Which column of a table is which: the names that other tools give to the columns of a table of clips.

Our own name always counts. Else one usual name does, and two of them are an error: `class` and `action` in one table
are two opinions.
"""

import re
from collections.abc import Sequence

from muybridge.errors import UserError
from muybridge.text import shortened

REQUIRED = ("path", "label")

# Names without case, blanks and punctuation. A later row counts only where no earlier one is in the table.
_NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "path": (
        ("path",),
        (
            "videopath", "filepath", "clippath", "filename", "file", "video", "videofile", "videofilename", "fullpath",
            "relativepath", "relpath", "paths", "videos", "files", "filenames", "cliplocation", "videolocation",
        ),
        ("clip", "videoname", "clipname", "name"),
    ),
    "label": (
        ("label",),
        (
            "class", "classname", "classlabel", "action", "actionname", "actionlabel", "category", "categoryname",
            "target", "targetname", "labelname", "activity", "activityname", "gesture", "labels", "classes",
            "groundtruth",
        ),
        ("tag", "verb", "y"),
    ),
    "group": (
        ("group",),
        (
            "groups", "groupid", "groupname", "source", "sourceid", "sourcevideo", "subject", "subjectid", "actor",
            "actorid", "person", "personid", "participant", "participantid", "performer", "signer", "signerid",
            "recording", "recordingid", "originalvideo",
        ),
    ),
    "split": (("split",), ("splits", "subset", "partition", "part", "set", "datasplit", "usage")),
    "start_seconds": (
        ("startseconds", "start"),
        ("starttime", "begin", "timestart", "tstart", "starttimeseconds", "startsec", "starts"),
    ),
    "end_seconds": (
        ("endseconds", "end"),
        ("endtime", "stop", "timeend", "tend", "endtimeseconds", "endsec", "ends"),
    ),
}  # fmt: skip


def plain(name: str) -> str:
    """A column's name without case, blanks and punctuation: `Video_Path` is `videopath`."""
    return re.sub(r"[^\w]|_", "", name.lower())


def find_columns(
    header: Sequence[str], *, where: str, group_column: str | None = None
) -> tuple[dict[str, int], list[str]]:
    """Find the place of every column that means something.

    Args:
        header: The cells of the first row.
        where: The file and line of the header, for messages.
        group_column: The column of the source groups, where the user has named it.

    Returns:
        The places by our names, and the names of the other columns.

    Raises:
        UserError: If a column is there twice, or path or label is missing or unclear.
    """
    cells = [cell.strip() for cell in header]
    columns: dict[str, int] = {}
    for ours, tiers in _NAMES.items():
        if ours == "group" and group_column is not None:
            columns[ours] = cells.index(group_column)
            continue
        for tier in tiers:
            places = [place for place, cell in enumerate(cells) if plain(cell) in tier]
            if len(places) > 1:
                named = " and ".join(cells[place] for place in places)
                same = len({plain(cells[place]) for place in places}) == 1
                raise UserError(
                    f"{where}: two columns are named {plain(cells[places[0]])}; keep one"
                    if same
                    else f"{where}: the columns {named} may each be the {ours}; name the right one {ours}"
                )
            if places:
                columns[ours] = places[0]
                break
    for name in REQUIRED:
        if name not in columns:
            raise UserError(
                f"{where}: no column {name}; the header must name path and label, and may name group, "
                f"split, start and end (found: {shortened([_short(cell) for cell in cells])})"
            )
    ignored = [cell for place, cell in enumerate(cells) if cell and place not in columns.values()]
    return columns, ignored


def knows_any(header: Sequence[str]) -> bool:
    """Whether a header names any column that means something."""
    known = {name for tiers in _NAMES.values() for tier in tiers for name in tier}
    return any(plain(cell) in known for cell in header)


def is_own_name(column: str, cell: str) -> bool:
    """Whether a header's cell is our own name of a column, and not one that others use."""
    return plain(cell) in _NAMES[column][0]


def _short(cell: str) -> str:
    line = " ".join(cell.split())
    return line if len(line) <= 40 else f"{line[:39]}…"
