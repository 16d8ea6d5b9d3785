"""Labels that look alike: `Jump`, `jump ` and `jump` with an invisible character are three classes to a computer.

Nobody but the user knows whether they are one, so it is asked: by default they are an error that names them, and an
option joins them or keeps them apart.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import get_args

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.choices import AlikeLabels
from muybridge.errors import UserError
from muybridge.text import did_you_mean, shortened

_WRITTEN_OUT = re.compile(r"\\(?:x|u)(?P<code>(?<=x)[0-9a-f]{2}|(?<=u)[0-9a-f]{4})")


def looks(label: str) -> str:
    """What a reader sees of a label, whatever its case, blanks and spelling in Unicode.

    Example:
        >>> looks("Jump ") == looks("jump") == looks("jump\u200b"), looks("salto\u0301") == looks("salt\u00f3")
        (True, True)
    """
    # A catalog has what steers a terminal written out, and a direction mark is such a character.
    label = _WRITTEN_OUT.sub(lambda match: chr(int(match["code"], 16)), label)
    seen = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    # Format characters have no width. Other controls show nothing either, but line breaks and tabs are blanks.
    kept = (char for char in seen if char.isspace() or unicodedata.category(char) not in ("Cf", "Cc"))
    return " ".join("".join(kept).split()) or label


def alike(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """The sets of different labels that look alike, each sorted."""
    by_looks: defaultdict[str, set[str]] = defaultdict(set)
    for label in labels:
        by_looks[looks(label)].add(label)
    return sorted(tuple(sorted(same)) for same in by_looks.values() if len(same) > 1)


def alike_in_words(catalog: Catalog) -> list[str]:
    """The labels of a catalog that look alike, each set as `'Jump' (3 clips), 'jump ' (1)`."""
    numbers = Counter(clip.label for clip in catalog.clips)
    return [_with_numbers(same, numbers) for same in alike(numbers)]


def settle_alike(catalog: Catalog, rule: AlikeLabels) -> Catalog:
    """Ask about labels that look alike, join them, or keep them.

    Joined labels take the name that most clips have, and among equals the first in the alphabet.

    Raises:
        UserError: If there are any, and the rule is to ask; or the rule is unknown.
    """
    if rule not in get_args(AlikeLabels):
        raise UserError(f"unknown data.alike_labels {rule!r}{did_you_mean(rule, get_args(AlikeLabels))}")
    numbers = Counter(clip.label for clip in catalog.clips)
    found = alike(numbers)
    if not found or rule == "keep":
        return catalog
    listed = "; ".join(_with_numbers(same, numbers) for same in found[:5])
    listed += f"; and {len(found) - 5} more" if len(found) > 5 else ""
    if rule == "ask":
        raise UserError(
            f"labels of {catalog.root} look alike: {listed}; set data.alike_labels join to make each set one class, "
            "or data.alike_labels keep if they are different classes"
        )
    name_of = {label: min(same, key=lambda each: (-numbers[each], each)) for same in found for label in same}
    clips = tuple(replace(clip, label=name_of.get(clip.label, clip.label)) for clip in catalog.clips)
    return replace(catalog, clips=clips, notes=(*catalog.notes, f"labels that look alike, joined: {listed}"))


def joined_to(classes: Sequence[str], clips: Sequence[Clip], rule: AlikeLabels) -> tuple[tuple[Clip, ...], list[str]]:
    """Ask about labels that look like a model's class but are none, join them to it, or keep them.

    Returns:
        The clips, and notes.

    Raises:
        UserError: If there are any, and the rule is to ask.
    """
    by_looks = {looks(name): name for name in classes}
    numbers = Counter(clip.label for clip in clips if clip.label not in classes and looks(clip.label) in by_looks)
    if not numbers or rule == "keep":
        return tuple(clips), []
    listed = shortened(
        [f"{shown(each)} ({numbers[each]}) like {shown(by_looks[looks(each)])}" for each in sorted(numbers)]
    )
    if rule == "ask":
        raise UserError(
            f"labels look like classes of the model, but differ: {listed}; set data.alike_labels join to take them as "
            "these classes, or data.alike_labels keep to leave them out"
        )
    joined = (replace(c, label=by_looks[looks(c.label)]) if c.label in numbers else c for c in clips)
    return tuple(joined), [f"labels that look like classes of the model, joined: {listed}"]


def _with_numbers(labels: Iterable[str], numbers: Counter[str]) -> str:
    return ", ".join(f"{shown(label)} ({numbers[label]})" for label in labels)


def shown(label: str) -> str:
    """A label in quotes with what cannot be seen written out, so that labels that look alike no longer do."""
    composed = unicodedata.normalize("NFC", label)
    seen = (char if char.isprintable() and char in composed else ascii(char)[1:-1] for char in label)
    return f"'{''.join(seen)}'"
