"""ELAN's .eaf: annotations on tiers, in milliseconds.

Format: mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf. Annotations of dependent tiers have the times of those
that they refer to; times that ELAN leaves open are spread evenly, as it shows them.
"""

import datetime
import fnmatch
from pathlib import Path
from xml.etree.ElementTree import Element

from muybridge.dataset.annotations.rules import AnnotationRules, FileContents, Spellings, Stretch
from muybridge.dataset.annotations.written_parts import (
    label_text,
    lanes,
    lasting,
    milliseconds,
    name_of_video,
    url_of_video,
    without,
)
from muybridge.dataset.annotations.xml_files import added, whole, written, xml_text
from muybridge.dataset.segments import Segment
from muybridge.dataset.walking import is_video
from muybridge.errors import UserError
from muybridge.text import abbreviated, counted, shortened

NAME = "elan"
SUFFIX = ".eaf"
TIER = "actions"
"""Name of the tier that is written; `actions 2` and so on follow where segments overlap."""

_HINT = "open it in ELAN and save it again"
_MOST_MILLISECONDS = 10**12
_MIME_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mpg": "video/mpeg", ".mpeg": "video/mpeg",
               ".mov": "video/quicktime"}  # fmt: skip
_Span = tuple[float, float]


def read(path: Path, rules: AnnotationRules) -> FileContents:
    """Read the annotations of a tier.

    Raises:
        UserError: If several tiers have annotations and none is named, or the file is damaged.
    """
    root = whole(path)
    if root.tag != "ANNOTATION_DOCUMENT":
        raise UserError(f"{path} is no ELAN file, its outermost element is {abbreviated(str(root.tag), 60)}")
    header = root.find("HEADER")
    units = "milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds")
    if units != "milliseconds":
        raise UserError(f"{path} counts {abbreviated(units, 40)}; only milliseconds are read: {_HINT}")
    video, origin, notes = _medium(header, path)
    tiers = {tier.get("TIER_ID", ""): tier for tier in root.iter("TIER")}
    times = _Times(root, path)
    stretches = []
    for name in _chosen(tiers, path, rules.tier):
        for annotation, span in times.of_tier(tiers[name]):
            label = " ".join((annotation.findtext("ANNOTATION_VALUE") or "").split())
            start, end = ((each + origin) / 1000 for each in span)
            stretches.append(Stretch(video, start, end, label, f"{path}, tier {name}"))
    return FileContents(NAME, tuple(stretches), (video,), tuple(notes))


def _medium(header: Element | None, path: Path) -> tuple[Spellings, int, list[str]]:
    """The video, where its time begins in milliseconds, and a note on others."""
    media = [] if header is None else header.findall("MEDIA_DESCRIPTOR")
    films = [each for each in media if each.get("MIME_TYPE", "").startswith("video") or _names_video(each)]
    if not films:
        raise UserError(f"{path} names no video; link one in ELAN (Edit, Linked Files)")
    first = films[0]
    names = (first.get("RELATIVE_MEDIA_URL", ""), first.get("MEDIA_URL", ""))
    notes = [f"{counted(len(films), 'video')} are linked, the first one was taken"] if len(films) > 1 else []
    return tuple(name for name in names if name), _whole_number(first.get("TIME_ORIGIN", "0"), path), notes


def _names_video(medium: Element) -> bool:
    return any(is_video(medium.get(key, "")) for key in ("MEDIA_URL", "RELATIVE_MEDIA_URL"))


def _chosen(tiers: dict[str, Element], path: Path, wanted: str) -> list[str]:
    """The names of the tiers to read."""
    sizes = {name: len(tier.findall("ANNOTATION")) for name, tier in tiers.items()}
    filled = [name for name, size in sizes.items() if size]
    listed = shortened([f"{name} ({sizes[name]})" for name in filled]) or "none"
    if wanted:
        found = [name for name in tiers if name == wanted] or [n for n in tiers if fnmatch.fnmatchcase(n, wanted)]
        if not found:
            raise UserError(f"{path} has no tier {abbreviated(wanted, 60)}; its tiers with annotations: {listed}")
        return found
    if len(filled) > 1:
        raise UserError(
            f"{path} has annotations on several tiers: {listed}; name one with data.annotation_tier, or several as "
            "'action*'"
        )
    return filled


class _Times:
    """The times of annotations in milliseconds."""

    def __init__(self, root: Element, path: Path) -> None:
        self._path = path
        self._slots: dict[str, int | None] = {}
        for slot in root.iter("TIME_SLOT"):
            value = slot.get("TIME_VALUE")
            self._slots[slot.get("TIME_SLOT_ID", "")] = None if value is None else _whole_number(value, path)
        self._spans: dict[str, _Span] = {}
        self._waiting: list[Element] = []
        for tier in root.iter("TIER"):
            aligned = list(tier.iter("ALIGNABLE_ANNOTATION"))
            self._align(aligned)
            if tier.find("ANNOTATION/REF_ANNOTATION") is not None:
                self._waiting.append(tier)
        while self._waiting:
            ready = [tier for tier in self._waiting if all(self._parent(each) for each in tier.iter("REF_ANNOTATION"))]
            if not ready:
                name = abbreviated(self._waiting[0].get("TIER_ID", ""), 60)
                raise UserError(f"{path}: annotations of tier {name} refer to none; {_HINT}")
            for tier in ready:
                self._refer(tier)
            self._waiting = [tier for tier in self._waiting if tier not in ready]

    def of_tier(self, tier: Element) -> list[tuple[Element, _Span]]:
        """The annotations of a tier, each with its start and end."""
        found = []
        for each in [inner for annotation in tier.iter("ANNOTATION") for inner in annotation]:
            name = each.get("ANNOTATION_ID", "")
            if name not in self._spans:
                raise UserError(f"{self._path}: annotation {abbreviated(name, 40)!r} has no time; {_HINT}")
            found.append((each, self._spans[name]))
        return found

    def _align(self, annotations: list[Element]) -> None:
        """Times of slots; open ones between two that are known are spread evenly over the annotations there."""
        borders: list[tuple[str, str, str]] = []
        for each in annotations:
            names = tuple(each.get(key, "") for key in ("ANNOTATION_ID", "TIME_SLOT_REF1", "TIME_SLOT_REF2"))
            for slot in names[1:]:
                if slot not in self._slots:
                    raise UserError(f"{self._path}: there is no time slot {abbreviated(slot, 40)!r}; {_HINT}")
            borders.append((names[0], names[1], names[2]))
        follows = {start: (start, end) for _, start, end in borders}
        spread: dict[str, float] = {}
        for _, start, _ in borders:
            chain, known = [start], self._slots[start]
            while known is not None and chain[-1] in follows and len(chain) <= len(borders):
                chain.append(follows[chain[-1]][1])
                if self._slots[chain[-1]] is not None:
                    break
            last = self._slots[chain[-1]]
            if known is not None and last is not None:
                for number, slot in enumerate(chain):
                    spread[slot] = known + (last - known) * number / (len(chain) - 1) if len(chain) > 1 else known
        for name, start, end in borders:
            try:
                self._spans[name] = (self._time(start, spread), self._time(end, spread))
            except KeyError:
                raise UserError(
                    f"{self._path}: annotation {abbreviated(name, 40)} has no time; align it in ELAN"
                ) from None

    def _time(self, slot: str, spread: dict[str, float]) -> float:
        known = self._slots[slot]
        return spread[slot] if known is None else known

    def _parent(self, annotation: Element) -> str:
        reference = annotation.get("ANNOTATION_REF", "")
        return reference if reference in self._spans else ""

    def _refer(self, tier: Element) -> None:
        """Annotations that refer to one divide its time evenly."""
        children: dict[str, list[str]] = {}
        for each in tier.iter("REF_ANNOTATION"):
            children.setdefault(each.get("ANNOTATION_REF", ""), []).append(each.get("ANNOTATION_ID", ""))
        for parent, names in children.items():
            start, end = self._spans[parent]
            step = (end - start) / len(names)
            for number, name in enumerate(names):
                self._spans[name] = (start + number * step, start + (number + 1) * step)


def _whole_number(text: str, path: Path) -> int:
    try:
        number = int(text)
    except ValueError:
        number = _MOST_MILLISECONDS + 1
    if abs(number) > _MOST_MILLISECONDS:
        raise UserError(f"{path}: {abbreviated(text, 40)!r} is no time in milliseconds; {_HINT}")
    return number


def text_of(video: Path, segments: list[Segment], folder: Path) -> tuple[str, list[str]]:
    """The segments of one video as the text of such a file, and notes."""
    kept, notes = lasting(segments)
    notes += without(segments, "ELAN")
    root = Element("ANNOTATION_DOCUMENT")
    root.set("AUTHOR", "muybridge")
    root.set("DATE", datetime.datetime.now().astimezone().isoformat(timespec="seconds"))
    root.set("FORMAT", "3.0")
    root.set("VERSION", "3.0")
    root.set("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
    root.set("xsi:noNamespaceSchemaLocation", "http://www.mpi.nl/tools/elan/EAFv3.0.xsd")
    header = added(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    relative = name_of_video(video, folder)
    added(
        header,
        "MEDIA_DESCRIPTOR",
        MEDIA_URL=xml_text(url_of_video(video)),
        MIME_TYPE=_MIME_TYPES.get(video.suffix.lower(), "video/*"),
        RELATIVE_MEDIA_URL=xml_text(relative if Path(relative).is_absolute() else f"./{relative}"),
    )
    added(header, "PROPERTY", str(len(kept)), NAME="lastUsedAnnotationId")
    order = added(root, "TIME_ORDER")
    # A slot for each border: annotations that share one would be moved together by ELAN.
    ends = [(milliseconds(each), row) for row in range(len(kept)) for each in _ends(kept[row])]
    slots: dict[int, list[str]] = {}
    for number, (value, row) in enumerate(sorted(ends), 1):
        added(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{number}", TIME_VALUE=str(value))
        slots.setdefault(row, []).append(f"ts{number}")
    rows = {id(segment): row for row, segment in enumerate(kept)}
    made = lanes(kept) or [[]]
    for number, lane in enumerate(made, 1):
        name = TIER if number == 1 else f"{TIER} {number}"
        tier = added(root, "TIER", LINGUISTIC_TYPE_REF="default-lt", TIER_ID=name)
        for segment in lane:
            row = rows[id(segment)]
            annotation = added(added(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", ANNOTATION_ID=f"a{row + 1}")
            annotation.set("TIME_SLOT_REF1", slots[row][0])
            annotation.set("TIME_SLOT_REF2", slots[row][1])
            added(annotation, "ANNOTATION_VALUE", xml_text(label_text(segment.label)))
    added(
        root,
        "LINGUISTIC_TYPE",
        GRAPHIC_REFERENCES="false",
        LINGUISTIC_TYPE_ID="default-lt",
        TIME_ALIGNABLE="true",
    )
    for stereotype, description in _CONSTRAINTS.items():
        added(root, "CONSTRAINT", DESCRIPTION=description, STEREOTYPE=stereotype)
    if len(made) > 1:
        notes.append(
            f"annotations of an ELAN tier do not overlap, so there are {len(made)}; read them with "
            f"data.annotation_tier '{TIER}*'"
        )
    return written(root), notes


def _ends(segment: Segment) -> _Span:
    return segment.start_seconds, segment.end_seconds


_CONSTRAINTS = {
    "Time_Subdivision": (
        "Time subdivision of parent annotation's time interval, no time gaps allowed within this interval"
    ),
    "Symbolic_Subdivision": (
        "Symbolic subdivision of a parent annotation. Annotations refering to the same parent are ordered"
    ),
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": ("Time alignable annotations within the parent annotation's time interval, gaps are allowed"),
}
"""What ELAN writes into every file, word for word."""
