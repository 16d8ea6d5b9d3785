"""What a sweep varies: ``--over model.l2=1e-4,1e-3,1e-2``, read into options and their values.

Notable: a value is written as in a recipe's YAML and becomes a typed value by the recipe's own parser, so an unknown
key or a wrong type gets the same did-you-mean as in a recipe, before anything starts. Values that exclude each other
only in some combinations (a penalty on dense layers, and no dense layer) leave out those combinations, not the values.
"""

import dataclasses
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from muybridge.errors import UserError
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import parse_recipe
from muybridge.text import is_number

SOURCE = "sweep.over"
# Ranges wider than this are searched by their logarithm, so that every power of ten gets its share.
LOG_RATIO = 10
_RANGE = re.compile(r"(?:(?P<scale>log|linear):)?(?P<low>[^,\[\]]+?)\.\.(?P<high>[^,\[\]]+)")
# Options whose values would be measured by different yardsticks, with the reason.
_NOT_COMPARABLE = {
    "data": "each value would be measured on other clips",
    "cache": "it does not change the result",
    "name": "it does not change the result",
    "sampler.windows": "its values count validation in clips and in windows",
    "training.monitor": "it is what the trials are compared by",
}

Value = str | int | float


@dataclass(frozen=True)
class Choice:
    """An option that takes one of a few values.

    Attributes:
        key: The option, as in a recipe: ``model.l2``.
        values: Its values by their labels, such as ``{"[256, 128]": (256, 128)}``.
    """

    key: str
    values: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.key}={','.join(self.values)}"


@dataclass(frozen=True)
class Range:
    """An option that takes any number between two ends, which belong to it.

    Attributes:
        key: The option, as in a recipe: ``training.learning_rate``.
        low: Lower end.
        high: Upper end.
        log: Whether it is searched by its logarithm.
        whole: Whether only whole numbers are meant.
    """

    key: str
    low: float
    high: float
    log: bool
    whole: bool

    def __str__(self) -> str:
        return f"{self.key}={'log' if self.log else 'linear'}:{label(self.low)}..{label(self.high)}"


Option = Choice | Range


@dataclass(frozen=True)
class Space:
    """All that a sweep varies.

    Attributes:
        base: The recipe that says everything else.
        options: What varies.
    """

    base: Recipe
    options: tuple[Option, ...]

    @property
    def is_grid(self) -> bool:
        """Whether there is a finite number of combinations."""
        return all(isinstance(option, Choice) for option in self.options)

    def recipe(self, values: Mapping[str, Value]) -> Recipe:
        """The recipe with these values: the labels of choices, and numbers within ranges.

        Raises:
            UserError: If they exclude each other.
        """
        typed = {}
        for option in self.options:
            value = values[option.key]
            typed[option.key] = option.values[str(value)] if isinstance(option, Choice) else value
        return with_values(self.base, typed)

    def combinations(self) -> tuple[list[dict[str, str]], list[str]]:
        """All combinations of a grid as labels, and why others are left out, one line each."""
        fitting, left_out = [], []
        keys = [option.key for option in self.options]
        for labels in itertools.product(*(option.values for option in self.options if isinstance(option, Choice))):
            values = dict(zip(keys, labels, strict=True))
            try:
                self.recipe(values)
            except UserError as error:
                left_out.append(f"{describe(values)}: {error}")
            else:
                fitting.append(values)
        return fitting, left_out


def parse_space(over: Sequence[str], base: Recipe) -> Space:
    """Read ``KEY=VALUES`` for every option that varies.

    Args:
        over: ``KEY=a,b,c`` (values as in YAML; lists in brackets: ``model.head_widths=[256,128],[256]``) or
            ``KEY=low..high`` (by the logarithm if both are positive and ten times apart; ``log:`` or ``linear:``
            before it decides).
        base: The recipe that says everything else.

    Raises:
        UserError: For an unknown key, a bad value, or an option that cannot be compared on one split.
    """
    if base.training.monitor == "last":
        raise UserError("training.monitor last has no figure to compare trials by; say loss or accuracy")
    if not over:
        raise UserError(f"nothing to vary; give {SOURCE}, for example model.dropout=0.3,0.5")
    written: dict[str, str] = {}
    for text in over:
        key, equals, values = text.partition("=")
        if not equals or not values.strip():
            raise UserError(f"{SOURCE} {text}: give KEY=VALUES, for example model.dropout=0.3,0.5")
        if key in written:
            raise UserError(f"{SOURCE} {key} is given twice; put all its values into one")
        written[key] = values.strip()
    flat = flatten(base)
    raw = {key: _read(key, values, flat) for key, values in written.items()}
    typed = {key: [_typed(base, raw, key, value) for value in values] for key, values in raw.items()}
    return Space(base, tuple(_option(key, written[key], values) for key, values in typed.items()))


def flatten(recipe: Recipe) -> dict[str, Any]:
    """Every option of a recipe under its key, such as ``size_px`` and ``model.l2``."""
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        if dataclasses.is_dataclass(value):
            inner = {name.name: getattr(value, name.name) for name in dataclasses.fields(value)}
            flat |= {f"{field.name}.{name}": item for name, item in inner.items()}
        else:
            flat[field.name] = value
    return flat


def with_values(base: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with typed values under their keys.

    Raises:
        UserError: If a value is out of its range, or they exclude each other.
    """
    changes: dict[str, Any] = {}
    sections: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, dot, name = key.partition(".")
        if dot:
            sections.setdefault(section, {})[name] = value
        else:
            changes[key] = value
    for section, inner in sections.items():
        changes[section] = dataclasses.replace(getattr(base, section), **inner)
    return dataclasses.replace(base, **changes)


def label(value: Any) -> str:
    """A value as one writes it in a recipe."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(label, value))}]"
    return str(value)


def describe(values: Mapping[str, Value]) -> str:
    """Values for people: ``model.l2 = 0.001, model.dropout = 0.5``."""
    return ", ".join(f"{key} = {short(value)}" for key, value in values.items())


def short(value: Value) -> str:
    """A value with at most four digits, where it is a number of a range."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _read(key: str, text: str, flat: Mapping[str, Any]) -> list[Any]:
    """The values of one option as YAML reads them; both ends of a range."""
    for barred, reason in _NOT_COMPARABLE.items():
        if key == barred or key.startswith(f"{barred}."):
            raise UserError(f"{SOURCE} {key}: {reason}; give it as an option instead")
    if key not in flat:
        parse_recipe(_nested({key: text}), source=SOURCE)  # says what is wrong with the key
    if ends := _ends(text):
        return list(ends)
    try:
        values = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError:
        raise UserError(f"{SOURCE} {key}={text}: give values separated by commas, lists in brackets") from None
    if len(values) < 2:
        raise UserError(
            f"{SOURCE} {key}={text} has nothing to compare; give several values, or fix it with {key} {text}"
        )
    return list(values)


def _ends(text: str) -> tuple[str, str] | None:
    """Both ends as written, if the text is a range: two numbers, or anything after ``log:`` or ``linear:``."""
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    low, high = match["low"], match["high"]
    if match["scale"] is None and not (is_number(low) and is_number(high)):
        return None  # "../a.pth" is no range
    return low, high


def _typed(base: Recipe, raw: Mapping[str, Sequence[Any]], key: str, value: Any) -> Any:
    """A value as the recipe's parser understands it, together with some values of the other options.

    Raises:
        UserError: If it fits no combination of them.
    """
    others = [other for other in raw if other != key]
    first: UserError | None = None
    for rest in itertools.product(*(raw[other] for other in others)):
        chosen = {key: value, **dict(zip(others, rest, strict=True))}
        try:
            recipe = parse_recipe(_nested(chosen, base.to_dict()), source=SOURCE)
        except UserError as error:
            first = first or error
        else:
            return flatten(recipe)[key]
    assert first is not None
    raise first


def _nested(values: Mapping[str, Any], into: dict[str, Any] | None = None) -> dict[str, Any]:
    """Values under dotted keys as a recipe's YAML nests them."""
    nested = {} if into is None else into
    for key, value in values.items():
        *sections, name = key.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return nested


def _option(key: str, text: str, values: Sequence[Any]) -> Option:
    if not _ends(text):
        labels = {label(value): value for value in values}
        if len(labels) < len(values):
            raise UserError(f"{SOURCE} {key}={text} names a value twice; leave one of them out")
        return Choice(key, labels)
    low, high = values
    if isinstance(low, bool) or not isinstance(low, int | float):
        raise UserError(f"{SOURCE} {key}={text}: {key} is not a number; list its values with commas")
    if not low < high:
        raise UserError(f"{SOURCE} {key}={text}: the lower end comes first, low..high")
    scale, colon, _ = text.partition(":")
    log = scale == "log" if colon else low > 0 and high / low >= LOG_RATIO
    if log and low <= 0:
        raise UserError(f"{SOURCE} {key}={text}: the logarithm needs ends above 0")
    return Range(key, low, high, log=log, whole=isinstance(low, int))
