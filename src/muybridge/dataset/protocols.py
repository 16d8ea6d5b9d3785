"""Protocols: how clips are divided into train, validation and test.

`grouped` is the honest one for any data set: whole source groups, stratified by class, drawn by a seed.
`official-N` and `given` take the division that the data set's authors made, and validation is cut from train
by source. `random` is the paper's: per class 20 % of the files test and 33 % of the rest validate, whatever
they were cut from.

Small classes: where parts are cut by source, a class with one source is all train; with two, one is test and
one train; from three on every part gets at least one. The notes name the classes that a part misses.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from muybridge.dataset.catalog import Catalog, matches_group
from muybridge.dataset.cutting import cut_units, drawn
from muybridge.dataset.official import read_official
from muybridge.dataset.protocol_names import PROTOCOLS
from muybridge.dataset.sources import linked_clips
from muybridge.dataset.split import PARTS, Part, Split
from muybridge.errors import UserError
from muybridge.text import counted, did_you_mean, shortened

RANDOM_TEST_SHARE = 0.2
RANDOM_VALIDATION_SHARE = 0.33
"""The paper's shares: the `random` protocol has no others."""

_Parts = dict[Part, set[str]]
"""The ids of the clips in each part."""


def make_split(
    catalog: Catalog,
    *,
    protocol: str = "auto",
    seed: int = 0,
    test_share: float = 0.2,
    validation_share: float = 0.2,
    test_groups: Sequence[str] = (),
    lists: Path | None = None,
) -> Split:
    """Divide a catalog into train, validation and test.

    Args:
        catalog: The clips.
        protocol: One of `PROTOCOLS`; `auto` is `given` where the catalog has a given split and no
            `test_groups` are named, else `grouped`.
        seed: Seed of the draw.
        test_share: Share of each class's clips to test on, under `grouped`.
        validation_share: Share of what is left to validate on, under all but `random`, and under `given` only
            where no validation is given; 0 for none.
        test_groups: Under `grouped`, exactly these source groups are the test part (see `matches_group`).
            Train and validation then go without the clips that are byte-identical to a test clip.
        lists: Under `official-N`, the folder of the official lists; by default they are looked for around the
            catalog's root.

    Returns:
        The split, with notes on all that is not as one would expect.

    Raises:
        UserError: If the protocol does not apply, there are fewer than two classes, or a class would have no
            clip to train on.
    """
    if protocol not in PROTOCOLS:
        raise UserError(f"unknown protocol {protocol!r}{did_you_mean(protocol, PROTOCOLS)}")
    for name, share in (("test_share", test_share), ("validation_share", validation_share)):
        if not 0 <= share < 1:
            raise UserError(f"{name} is {share}; give a share from 0 to below 1")
    if len(catalog.classes) < 2:
        raise UserError(f"{catalog.root} has {counted(len(catalog.classes), 'class')}; a split needs two or more")
    if protocol == "auto":
        given = any(clip.split for clip in catalog.clips)
        protocol = "given" if given and not test_groups else "grouped"
    if test_groups and protocol != "grouped":
        raise UserError(f"test_groups goes with protocol grouped, not {protocol}; leave one of them out")

    if protocol == "random":
        parts, notes = _random(catalog, seed=seed)
    elif protocol == "given":
        parts, notes = _given(catalog)
    elif protocol == "grouped" and test_groups:
        parts, notes = _named_groups(catalog, test_groups)
    elif protocol == "grouped":
        parts, notes = _grouped(catalog, seed=seed, share=test_share, with_validation=validation_share > 0)
    else:
        parts, notes = _official(catalog, number=int(protocol.removeprefix("official-")), lists=lists)
    if not parts["validation"]:
        cut_validation(catalog, parts, seed=seed, share=validation_share)
    notes += _notes_on_classes(catalog, parts, validation_expected=validation_share > 0)
    divided = set[str]().union(*parts.values())
    return Split(
        protocol=protocol,
        seed=seed,
        train=tuple(sorted(parts["train"])),
        validation=tuple(sorted(parts["validation"])),
        test=tuple(sorted(parts["test"])),
        clips=tuple(clip for clip in catalog.clips if clip.id in divided),
        notes=tuple(notes),
    )


def _grouped(catalog: Catalog, *, seed: int, share: float, with_validation: bool) -> tuple[_Parts, list[str]]:
    units = cut_units(linked_clips(catalog), share=share, spare=2 if with_validation else 1, seed=seed)
    test = {clip.id for unit in units for clip in unit}
    return {"train": catalog.by_id.keys() - test, "validation": set(), "test": test}, []


def _named_groups(catalog: Catalog, names: Sequence[str]) -> tuple[_Parts, list[str]]:
    test: set[str] = set()
    for name in names:
        found = {clip.id for clip in catalog.clips if matches_group(clip, name)}
        if not found:
            groups = {clip.group for clip in catalog.clips}
            raise UserError(f"no clip of {catalog.root} has the source group {name!r}{did_you_mean(name, groups)}")
        test |= found
    contents = catalog.contents
    tested = {contents[id] for id in test}
    twins = {id for id in catalog.by_id if id not in test and contents[id] in tested}
    notes = [f"test: exactly the source groups {shortened(list(names))}"]
    if twins:
        notes.append(
            f"{counted(len(twins), 'clip')} left out of train, byte-identical to a test clip: "
            f"{shortened(sorted(twins))}"
        )
    return {"train": catalog.by_id.keys() - test - twins, "validation": set(), "test": test}, notes


def _given(catalog: Catalog) -> tuple[_Parts, list[str]]:
    parts: _Parts = {part: {clip.id for clip in catalog.clips if clip.split == part} for part in PARTS}
    if not any(parts.values()):
        raise UserError(f"{catalog.root} has no split of its own; add a split column to the CSV, or use grouped")
    unassigned = sum(clip.split is None for clip in catalog.clips)
    notes = [f"{counted(unassigned, 'clip')} in no part of the given split: left out"] if unassigned else []
    if not parts["validation"]:
        notes.append("the given split has no validation part: cut from train by source group")
    return parts, notes


def _official(catalog: Catalog, *, number: int, lists: Path | None) -> tuple[_Parts, list[str]]:
    listed = read_official(number, root=catalog.root, lists=lists)
    parts: _Parts = {part: set() for part in PARTS}
    unused = unlisted = 0
    for clip in catalog.clips:
        part = listed.get(clip.stem)
        if part is not None:
            parts[part].add(clip.id)
        elif clip.stem in listed:
            unused += 1
        else:
            unlisted += 1
    if not any(parts.values()):
        raise UserError(
            f"none of the clips of {catalog.root} is in the official lists of split {number}; name those of this data "
            "set with data.lists, or choose another protocol"
        )
    notes = []
    if unused:
        notes.append(f"{counted(unused, 'clip')} left out: marked as unused by the official list")
    if unlisted:
        notes.append(f"{counted(unlisted, 'clip')} left out: not in the official list")
    return parts, notes


def _random(catalog: Catalog, *, seed: int) -> tuple[_Parts, list[str]]:
    by_label: defaultdict[str, list[str]] = defaultdict(list)
    for clip in catalog.clips:
        by_label[clip.label].append(clip.id)
    parts: _Parts = {part: set() for part in PARTS}
    for ids in by_label.values():
        rest = drawn(ids, seed=seed)
        for taken, share in (
            (parts["test"], RANDOM_TEST_SHARE),
            (parts["validation"], RANDOM_VALIDATION_SHARE),
        ):
            # Each part gets a clip of a class that can spare one.
            number = max(round(share * len(rest)), 1 if len(rest) > 1 else 0)
            taken.update(rest[:number])
            rest = rest[number:]
        parts["train"].update(rest)
    note = (
        f"random: {RANDOM_TEST_SHARE:.0%} test, {RANDOM_VALIDATION_SHARE:.0%} of the rest validation, as in "
        "the paper; sources are ignored, so test clips may have siblings in train"
    )
    return parts, [note]


def cut_validation(catalog: Catalog, parts: _Parts, *, seed: int, share: float) -> None:
    """Move a share of train, whole sources, to validation."""
    in_train = (tuple(clip for clip in unit if clip.id in parts["train"]) for unit in linked_clips(catalog))
    units = cut_units((unit for unit in in_train if unit), share=share, spare=1, seed=seed)
    parts["validation"] = {clip.id for unit in units for clip in unit}
    parts["train"] = parts["train"] - parts["validation"]


def _notes_on_classes(catalog: Catalog, parts: _Parts, *, validation_expected: bool) -> list[str]:
    """Name the classes that a part misses; one without training clips cannot be learned and is an error."""
    present = {part: {catalog.by_id[id].label for id in ids} for part, ids in parts.items()}
    untrained = [label for label in catalog.classes if label not in present["train"]]
    if untrained:
        raise UserError(
            f"no clips to train on for {counted(len(untrained), 'class')} ({shortened(untrained)}); give "
            "them clips of more sources, choose fewer test groups, or leave these classes out"
        )
    notes = []
    for part in ("validation", "test") if validation_expected else ("test",):
        missing = [label for label in catalog.classes if label not in present[part]]
        if not present[part]:
            notes.append(f"the {part} part is empty")
        elif missing:
            notes.append(f"no {part} clips for {counted(len(missing), 'class')}: {shortened(missing)}")
    return notes
