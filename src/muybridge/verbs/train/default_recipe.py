"""The recipe of a training that names none: from what is available."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from muybridge.errors import UserError
from muybridge.models.weights.finding import find_all
from muybridge.recipes.store import parse_recipe, read_values

FIRST = "default"
OTHERS: dict[str, dict[str, Any]] = {
    "best": {"encoder": "i3d"},
    "mobilenet-bilstm": {},
    "modern": {"encoder": "alexnet"},
}
"""Taken in this order, with these options of the model, where the weights of the first one are missing; theirs are
never downloaded unasked."""


def available_recipe(on_note: Callable[[str], None]) -> tuple[dict[str, Any], str]:
    """The default recipe, or where its weights are neither here nor to be downloaded, one whose weights are here.

    Args:
        on_note: Called with one line that says why it is not the default.

    Returns:
        The values of a recipe and its name, as ``read_values`` does. Where no weights are here at all it is the
        default: whoever builds the network fetches them, or says which file to put where.
    """
    first = read_values(FIRST)[0]
    if _weights(first):
        return first, FIRST
    for name, model in OTHERS.items():
        values = read_values(name)[0]
        values["model"] = {**values.get("model", {}), **model}
        if path := _weights(values):
            try:
                _find(first, download=True)
            except UserError as error:
                on_note(
                    f"note: recipe {name}, with {path}, is used; the weights of the default are not available: {error}"
                )
                return values, name
            break
    return first, FIRST


def _weights(values: dict[str, Any]) -> Path | None:
    """Where the weights of a recipe are; None if they are not on this machine."""
    try:
        return _find(values, download=False)
    except UserError:
        return None


def _find(values: dict[str, Any], *, download: bool) -> Path | None:
    model = parse_recipe(values, source="recipe").model
    return next(iter(find_all(model, download=download).values()), None)
