"""The rule by which a user says what the clips were cut from: `data.groups`.

`auto` takes what the data set itself says (see `groups`), `none` says that nothing is known, `folder` takes the folder
that holds a clip, the name of a column takes that column of the CSV, and anything else is a regular expression whose
group named `group`, or else its first one, is found in the file name (in the path below the root, if it has a slash).

A regular expression runs as it is written: one that backtracks without end takes for ever, as everywhere in Python.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from muybridge.dataset.catalog import Clip
from muybridge.dataset.groups import (
    UNKNOWN,
    detect_naming,
    groups_by_folder,
    groups_by_habit,
    groups_by_naming,
    ungrouped,
)
from muybridge.errors import UserError
from muybridge.text import closest, counted, shortened

LOOK_ALIKE = "look-alike"
"""The rule that looks at pictures; whoever reads clips for a training applies it, since a catalog knows no pixels."""

WORDS = ("auto", "none", "folder", LOOK_ALIKE)


def column_of(rule: str, columns: Sequence[str]) -> str | None:
    """The column of a CSV that a rule names, whatever its case; None if it names none."""
    if rule in WORDS:
        return None
    return {column.lower(): column for column in columns}.get(rule.lower())


def grouped(
    clips: Sequence[Clip], *, rule: str, naming: str | None, where: str, columns: Sequence[str] = ()
) -> tuple[list[Clip], list[str]]:
    """Give clips their source groups.

    Args:
        clips: The clips of a catalog. A group that they have is one that the CSV says.
        rule: What says the groups: one of `WORDS`, a column, or a regular expression.
        naming: The data set whose file names the clips follow; None: look at their names.
        where: The folder or CSV, for messages.
        columns: The columns of the CSV, if it is one. That of the rule, or `group`, is in the clips already.

    Returns:
        The clips with their groups, and notes that say where these come from.

    Raises:
        UserError: If the rule is none, or leaves clips without a group.
    """
    if rule == "none":
        return ungrouped(clips), [f"{UNKNOWN} (data.groups none)"]
    if rule == LOOK_ALIKE:  # what its own clips say is set aside; pictures will say it
        return ungrouped(clips), []
    if rule == "folder":
        return _by_folder(clips, where)
    column = column_of(rule, columns)
    if column is None and rule != "auto":
        return _by_expression(clips, rule, where, columns)
    if any(clip.group for clip in clips):
        return _by_column(clips, column or "group")
    if column is not None:
        raise UserError(f"data.groups {rule}: the column {column} of {where} is empty; fill it in or name another")
    naming = naming or detect_naming(clips)
    return groups_by_naming(clips, naming) if naming else groups_by_habit(clips)


def _by_column(clips: Sequence[Clip], column: str) -> tuple[list[Clip], list[str]]:
    if detect_naming(clips) == "ucf101" and all(re.fullmatch(r"g\d+", clip.group) for clip in clips):
        found, notes = groups_by_naming(clips, "ucf101")
        notes.append("the CSV's group numbers restart in every class, so the class is put before them")
        return found, notes
    missing = sum(not clip.group for clip in clips)
    found = [clip if clip.group else alone for clip, alone in zip(clips, ungrouped(clips), strict=True)]
    notes = [f"source groups: the CSV's {column} column"]
    if not missing and len({clip.group for clip in found}) == len(found):
        notes.append("each clip is a source group of its own, says the CSV")
    if missing:
        notes.append(f"{counted(missing, 'clip')} without a group: the source group of each is unknown")
    return found, notes


def _by_folder(clips: Sequence[Clip], where: str) -> tuple[list[Clip], list[str]]:
    found = groups_by_folder(clips)
    alone = [clip for clip in found if not clip.group_known]
    if len(alone) == len(found):
        raise UserError(
            f"data.groups folder: no clip of {where} lies in a folder below its class, as in "
            f"{found[0].label}/source1/clip.mp4; make such folders, or name the groups in another way"
        )
    notes = ["source groups: the folder that holds each clip"]
    if alone:
        notes.append(f"{counted(len(alone), 'clip')} in no such folder: the source group of each is unknown")
    return found, notes


def _by_expression(
    clips: Sequence[Clip], rule: str, where: str, columns: Sequence[str]
) -> tuple[list[Clip], list[str]]:
    expression = _expression(rule, where, columns)
    key: str | int = "group" if "group" in expression.groupindex else 1
    in_path = "/" in rule
    found, without = [], []
    for clip, alone in zip(clips, ungrouped(clips), strict=True):
        match = expression.search(alone.group if in_path else alone.group.rpartition("/")[2])
        source = match[key] if match else None
        if source:
            found.append(replace(clip, group=source, group_known=True))
        else:
            without.append(alone.group)
    if without:
        raise UserError(
            f"data.groups {rule!r} finds no group in the {'path' if in_path else 'file name'} of {len(without)} of "
            f"{counted(len(clips), 'clip')} of {where}, for example {without[0]}; write it so that every clip has one"
        )
    count = len({clip.group for clip in found})
    return found, [f"source groups: {count} by {rule!r}, as {found[0].group!r} of {found[0].id}"]


def _expression(rule: str, where: str, columns: Sequence[str]) -> re.Pattern[str]:
    """A rule as a regular expression with a group.

    Raises:
        UserError: If it is none; the message says what the rule can be.
    """
    try:
        expression = re.compile(rule)
        problem = "" if expression.groups else "has no group in brackets"
    except re.error as error:
        problem = f"is wrong ({error})"
    if not problem:
        return expression
    column = f"no column of {where} ({shortened(list(columns))})" if columns else f"no column, since {where} is no CSV"
    meant = closest(rule, [*WORDS, *columns])
    column_or = "a column, " if columns else ""
    hint = f"did you mean {meant!r}?" if meant else rf"give {column_or}folder, none, or one such as (person\d+)_"
    raise UserError(f"data.groups {rule!r} is {column}, and as a regular expression it {problem}; {hint}")
