"""The options of a recipe as keyword arguments: ``train("clips", epochs=2, encoder="i3d", model={"pooling": "max"})``.

Notable: they have the names of the flags and the keys, and go through the same parser, so types and messages are the
same in Python, YAML and the shell. A short name is what a field of the recipe has as its flag's short form; the rest
goes into its section, as in YAML.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypedDict, get_type_hints

from cyclopts import Parameter

from muybridge.dataset.protocol_names import Protocol
from muybridge.errors import UserError
from muybridge.recipes.model import HeadName
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import parse_recipe, read_values
from muybridge.text import closest, did_you_mean
from muybridge.video.fit_names import Fit

USUAL_NAMES = {"lr": "learning_rate", "size": "size_px", "backbone": "encoder"}
"""What others call an option, where spelling alone does not lead to our name."""


class Options(TypedDict, total=False):
    """The keyword arguments, for type checkers and completion; a test holds them to the recipe's fields."""

    recipe_name: str
    size_px: int
    fit: Fit
    protocol: Protocol
    classes: Sequence[str]
    class_count: int
    test_groups: Sequence[str]
    folds: int
    lists: str | Path
    frames: int
    encoder: str | Sequence[str]
    weights: str | Path
    head: HeadName
    epochs: int
    batch_size: int | Literal["auto"]
    learning_rate: float
    refit: bool | None
    seed: int
    features: str | Path
    data: Mapping[str, object]
    sampler: Mapping[str, object]
    augment: Mapping[str, object]
    model: Mapping[str, object]
    training: Mapping[str, object]
    cache: Mapping[str, object]


@cache
def section_keys() -> dict[str, tuple[str, ...]]:
    """The keys of each section of a recipe."""
    recipe = Recipe()
    sections = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    return {
        name: tuple(field.name for field in dataclasses.fields(section))
        for name, section in sections.items()
        if dataclasses.is_dataclass(section)
    }


@cache
def short_names() -> dict[str, tuple[str, str]]:
    """Section and key of each option that has a short name."""
    recipe = Recipe()
    return {
        alias.removeprefix("--").replace("-", "_"): (section, key)
        for section in section_keys()
        for key, hint in get_type_hints(type(getattr(recipe, section)), include_extras=True).items()
        for note in getattr(hint, "__metadata__", ())
        if isinstance(note, Parameter)
        for alias in note.alias or ()
        if "." not in alias  # a flag with a section of its own is no keyword of Python
    }


def option_values(options: Mapping[str, Any], *, verb: str) -> dict[str, Any]:
    """Keyword arguments as a recipe's nested values, their names checked.

    Raises:
        UserError: For a name that is none, with the right one; or an option that is given twice.
    """
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name in section_keys():
            if not isinstance(value, Mapping):
                keys = section_keys()[name]
                raise UserError(f"{verb}: {name} is {value!r}; give a dictionary such as {name}={{{keys[0]!r}: ...}}")
            section = values.setdefault(name, {})
            for key, inner in value.items():
                if key not in section_keys()[name]:
                    raise UserError(f"{verb}: unknown key {name}.{key}{did_you_mean(str(key), section_keys()[name])}")
                _put(section, key, inner, what=f"{name}.{key}", verb=verb)
        elif name in short_names():
            outer, key = short_names()[name]
            _put(values.setdefault(outer, {}), key, value, what=f"{outer}.{key}", verb=verb)
        elif name in _top_names():
            values["name" if name == "recipe_name" else name] = value
        else:
            raise UserError(f"{verb} has no option {name}{_right_name(name)}")
    return values


def recipe_with(recipe: Recipe | str | Path, options: Mapping[str, Any], *, verb: str) -> Recipe:
    """A recipe with some options set.

    Args:
        recipe: A recipe, the name of one that comes with the package, or a YAML file.
        options: Keyword arguments that go before its values.
        verb: Who takes them, for messages.

    Raises:
        UserError: For a recipe that does not exist, a name that is none, or a value that makes no sense.
    """
    given = option_values(options, verb=verb)
    if isinstance(recipe, Recipe):
        if not given:
            return recipe
        values, source = recipe.to_dict(), f"the recipe {recipe.name}"
    elif isinstance(recipe, str | Path):
        values, source = read_values(str(recipe))
    else:
        raise UserError(f"{verb}: recipe is a {type(recipe).__name__}; give a Recipe, the name of one or a YAML file")
    return parse_recipe(values, source=source, first=(given, f"the options of {verb}"))


def _top_names() -> set[str]:
    """The sections and the options outside of them. ``name`` is the run's; the recipe's own is ``recipe_name``."""
    fields = {field.name for field in dataclasses.fields(Recipe)}
    return fields - {"name"} | {"recipe_name"}


def _put(section: dict[str, Any], key: str, value: Any, *, what: str, verb: str) -> None:
    if key in section:
        raise UserError(f"{verb}: {what} is given twice; give it once")
    section[key] = value


def _right_name(name: str) -> str:
    """The end of the message about an unknown name: how to write what was meant."""
    name = USUAL_NAMES.get(name, name)
    leaf = name.replace("__", ".").rpartition(".")[2]
    places = [section for section, keys in section_keys().items() if leaf in keys]
    short = {place: short for short, place in short_names().items()}
    written = [short.get((section, leaf), f"{section}={{{leaf!r}: ...}}") for section in places]
    if written:
        return f"; write {' or '.join(written)}"
    top = _top_names()
    inner = {key for keys in section_keys().values() for key in keys}
    meant = closest(name, {*short_names(), *top, *inner})
    if meant in inner and meant not in short_names():
        return _right_name(meant)
    return did_you_mean(name, {*short_names(), *top})
