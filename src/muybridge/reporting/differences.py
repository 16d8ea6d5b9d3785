"""What differs between several runs: data, division, options, machine; and whether their accuracies can be compared.

Notable: options are compared where all recipes have them. An option that only some recipes have comes from another
version of the program, and is listed apart.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from muybridge.reporting.facts import machine, network_name, protocol_in_words, versions, weights_name
from muybridge.reporting.reported import ReportedRun
from muybridge.text import counted

_ABSENT = "–"
# The label that an experiment goes by, which is not an option of it.
_NOT_OPTIONS = {"name"}


@dataclass(frozen=True)
class Difference:
    """Something in which runs differ: its name, and its value in each run."""

    name: str
    values: tuple[str, ...]
    is_option: bool = False


@dataclass(frozen=True)
class Differences:
    """How several runs differ.

    Attributes:
        rows: what differs, the data first, then the options of the recipes, then the machine.
        only_in_some: options that the recipes of some runs do not have.
        same: how many options of the recipes are equal in all trainings.
        warnings: why accuracies must not be compared; empty if they can be.
    """

    rows: tuple[Difference, ...]
    only_in_some: tuple[Difference, ...]
    same: int
    warnings: tuple[str, ...]


def differences(runs: Sequence[ReportedRun]) -> Differences:
    """Find what differs between runs."""
    before: list[tuple[str, Callable[[ReportedRun], str]]] = [
        ("clips in", lambda run: str(run.split.clips[0].root) if run.split.clips else _ABSENT),
        ("protocol", lambda run: protocol_in_words(run.split.protocol)),
        ("clips to learn from", lambda run: str(len(run.split.train))),
        ("clips to choose by", lambda run: str(len(run.split.validation))),
        ("clips to test", lambda run: str(len(run.split.test))),
        ("division (its hash)", lambda run: run.split.hash[:8]),
        ("leak", lambda run: run.leak or "unknown"),
        ("made by", _made_by),
        ("network", lambda run: " + ".join(dict.fromkeys(network_name(model) for model in run.models))),
        ("first weights", lambda run: _ABSENT if run.ensemble else weights_name(run)),
    ]
    after: list[tuple[str, Callable[[ReportedRun], str]]] = [
        ("machine", lambda run: ", ".join(machine(run.environment)[:2])),
        ("versions", lambda run: versions(run.environment)),
    ]
    options, only_in_some, same = _options(runs)
    return Differences(
        rows=(*_differing(before, runs), *options, *_differing(after, runs)),
        only_in_some=only_in_some,
        same=same,
        warnings=tuple(_warnings(runs)),
    )


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings as rows ``("model.width", "0.5")``; lists as on the command line, a dash for nothing."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{prefix}{key}.")
        else:
            words = value if isinstance(value, list | tuple) else [value]
            yield f"{prefix}{key}", " ".join("" if word is None else str(word) for word in words) or _ABSENT


def _differing(
    facts: Sequence[tuple[str, Callable[[ReportedRun], str]]], runs: Sequence[ReportedRun]
) -> Iterator[Difference]:
    for name, fact in facts:
        values = tuple(fact(run) for run in runs)
        if len(set(values) - {_ABSENT}) > 1:
            yield Difference(name, values)


def _made_by(run: ReportedRun) -> str:
    if run.ensemble is None:
        return "training"
    return f"ensemble of {', '.join(member.name for member in run.ensemble.members)}; {run.ensemble.rule}"


def _options(runs: Sequence[ReportedRun]) -> tuple[tuple[Difference, ...], tuple[Difference, ...], int]:
    """Options that differ, those that only some recipes have, and the number of those that are equal."""
    recipes = [dict(flattened(run.training.recipe)) if run.training else None for run in runs]
    known = [recipe for recipe in recipes if recipe is not None]
    names = [name for name in dict.fromkeys(name for recipe in known for name in recipe) if name not in _NOT_OPTIONS]
    differ, only_in_some, same = [], [], 0
    for name in names:
        row = Difference(
            name, tuple(_ABSENT if recipe is None else recipe.get(name, _ABSENT) for recipe in recipes), is_option=True
        )
        if any(name not in recipe for recipe in known):
            only_in_some.append(row)
        elif len({recipe[name] for recipe in known}) > 1:
            differ.append(row)
        else:
            same += 1
    return tuple(differ), tuple(only_in_some), same


def _warnings(runs: Sequence[ReportedRun]) -> Iterator[str]:
    measured = [(run, run.measured.labels) for run in runs if run.measured is not None]
    if not measured:
        return
    first, labels = measured[0]
    others = [
        f"{run.name} shares {len(labels.items() & other.items())} of its {counted(len(other), 'test clip')} "
        f"with {first.name}"
        for run, other in measured[1:]
        if other != labels
    ]
    if others:
        yield (
            f"The accuracies must not be compared: the runs were measured on different test clips. {'; '.join(others)}."
        )
    protocols: dict[str, list[str]] = {}
    for run, _ in measured:
        protocols.setdefault(run.split.protocol, []).append(run.name)
    if len(protocols) > 1:
        listed = "; ".join(f"{protocol}: {', '.join(names)}" for protocol, names in protocols.items())
        yield (
            f"The runs divide their clips by different protocols ({listed}). Under one of them a test can be easier "
            "than under another, so their accuracies must not be compared."
        )
