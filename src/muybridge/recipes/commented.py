"""A recipe as complete YAML in which every key is explained, ready to edit."""

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import yaml

from muybridge.recipes.recipe import Recipe

_WIDTH = 88
_END = "...\n"
"""How YAML ends a document that is one plain value."""


def commented_yaml(recipe: Recipe, *, heading: Sequence[str] = ()) -> str:
    """Write out a recipe with the docstring of each field above its key.

    Args:
        recipe: Any recipe.
        heading: Lines for the top of the file.

    Returns:
        YAML that `load_recipe` reads as the same recipe.
    """
    lines = [line for text in heading for line in _comment(text)]
    lines += _section(recipe, indent="")
    return "\n".join(lines) + "\n"


def field_texts(section: type) -> dict[str, str]:
    """The docstring below each field of a dataclass, as one line."""
    return dict(_field_texts(section))


@cache
def _field_texts(section: type) -> tuple[tuple[str, str], ...]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(definition, ast.ClassDef)
    texts = {}
    for statement, after in zip(definition.body, definition.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            texts[statement.target.id] = " ".join(str(after.value.value).split())
    return tuple(texts.items())


def _section(values: Any, *, indent: str) -> Iterator[str]:
    texts = field_texts(type(values))
    for field in dataclasses.fields(values):
        value = getattr(values, field.name)
        yield ""
        if dataclasses.is_dataclass(value):
            yield f"{indent}# {inspect.getdoc(type(value)).splitlines()[0]}"  # type: ignore[union-attr]
            yield f"{indent}{field.name}:"
            yield from _section(value, indent=f"{indent}  ")
        else:
            yield from _comment(texts[field.name], indent=indent)
            plain = list(value) if isinstance(value, tuple) else value
            dumped = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10_000)
            yield f"{indent}{field.name}: {dumped.removesuffix(_END).rstrip()}"


def _comment(text: str, *, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
